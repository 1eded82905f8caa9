"""The error tree: whose fault it is, and so who is told what.

::

    CdsServiceError
      ConfigError    the operator's fault: refuse to start, say which setting      exit 12
      RuleError      the rule author's fault: every complaint at once, file:line   exit 10
      RequestError   the caller's fault: 400 with an OperationOutcome              exit 2
        EditedMeanwhileError  somebody else edited it first: 409
      AuthError      the caller is not who it must be: 401, the reason in the log  exit 4
      GatherError    the FHIR server's fault: nothing could be judged, 412         exit 3
      UnavailableError  something of ours is down for now: 503                        exit 5

No message of these may hold a patient's value, name or id: it ends in logs and OperationOutcomes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class CdsServiceError(Exception):
    """Root of every error this package raises on purpose."""

    exit_code = 1


class ConfigError(CdsServiceError):
    """A setting, file or start-up condition is wrong; the message names it and the fix."""

    exit_code = 12


@dataclass(frozen=True)
class Complaint:
    """One thing wrong in a rule file.

    Args:
        where: ``file:line`` (1-based), or the file alone when no line is known.
        message: what is wrong and what was expected.
        hint: how to mend it, often "did you mean ..."; may be empty.
    """

    where: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """Return ``file:line: message (hint)``."""
        return f"{self.where}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class RuleError(CdsServiceError):
    """A rule file is wrong; carries every complaint found, not only the first."""

    exit_code = 10

    def __init__(self, complaints: Sequence[Complaint]) -> None:
        """Keep the complaints; the message is all of them, a line each."""
        self.complaints = tuple(complaints)
        super().__init__("\n".join(str(complaint) for complaint in self.complaints))


class RequestError(CdsServiceError):
    """What the caller sent is wrong.

    Args:
        message: names the field and the fix, never its value.
        field: where in the input, e.g. ``context.patientId``.
        status: the HTTP status to answer, 400 unless another fits better (404, 413, 415).
    """

    exit_code = 2

    def __init__(self, message: str, *, field: str, status: int = 400) -> None:
        """Keep the field and the status beside the message."""
        super().__init__(message)
        self.field = field
        self.status = status


class EditedMeanwhileError(RequestError):
    """Somebody else edited an entry between its reading and this edit: 409; look at it again, then decide."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__("Somebody else edited this entry meanwhile; read it again.", field="version", status=409)


class GatherError(CdsServiceError):
    """The chart could not be read at all: the hook answers 412.

    Args:
        message: what could not be read and why; never an address or an id.
        field: where in the call, when one field of it is to blame; "" when none is.
    """

    exit_code = 3

    def __init__(self, message: str, *, field: str = "") -> None:
        """Keep the field beside the message."""
        super().__init__(message)
        self.field = field


class AuthError(CdsServiceError):
    """A caller could not be verified: 401.

    Args:
        why: a few words for the log, never part of the answer; they hold nothing that the caller wrote.
    """

    exit_code = 4

    def __init__(self, why: str) -> None:
        """Keep the reason beside a message that tells nothing."""
        super().__init__("The caller could not be verified.")
        self.why = why


class UnavailableError(CdsServiceError):
    """What an answer needs is down for now: 503, the caller may try again."""

    exit_code = 5

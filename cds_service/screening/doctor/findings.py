"""What the doctor finds: one line for each thing tried, and what to do about it. No patient's value, name or id."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeVar

from cds_service.gather.transport import NO_CONNECTION, TIME_OUT, Answer

T = TypeVar("T")


class Result(StrEnum):
    """How a check ended."""

    OK = "ok"
    LOOK = "look"  # it works, but not as well as it could
    WRONG = "wrong"  # data cannot be read, or absence would be concluded wrongly
    SKIPPED = "not tried"


@dataclass(frozen=True)
class Finding:
    """One check.

    Args:
        check: its name.
        result: how it ended.
        told: what came, in a few words.
        todo: what to do about it, "" for nothing.
        count: of records, where they were counted.
        milliseconds: how long the server took, where it was asked.
    """

    check: str
    result: Result
    told: str
    todo: str = ""
    count: int | None = None
    milliseconds: int | None = None


@dataclass(frozen=True)
class Unknown:
    """A criterion that could not be decided from what the server gave.

    Args:
        trial: its registry number.
        criterion: id.
        short: for one line.
        missing: facts, each with its reason.
    """

    trial: str
    criterion: str
    short: str
    missing: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Examination:
    """Everything that was found about a server.

    Args:
        server: its base URL.
        findings: in the order tried.
        unknown: what would be unknown of the patient looked at, for trials that speak in charts.
    """

    server: str
    findings: tuple[Finding, ...]
    unknown: tuple[Unknown, ...] = field(default=())

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return all(finding.result is not Result.WRONG for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Return plain objects for other programs."""
        return {
            "server": self.server,
            "passed": self.passed,
            "findings": [
                {
                    "check": one.check,
                    "result": one.result.value,
                    "count": one.count,
                    "milliseconds": one.milliseconds,
                    "told": one.told,
                    "todo": one.todo,
                }
                for one in self.findings
            ],
            "unknown": [
                {
                    "trial": one.trial,
                    "criterion": one.criterion,
                    "missing": [{"fact": fact, "reason": reason} for fact, reason in one.missing],
                }
                for one in self.unknown
            ],
        }


_ADVICE: Final[Mapping[str, str]] = {
    TIME_OUT: "Ask the server's people whether it is slow or a firewall swallows our packets.",
    NO_CONNECTION: "Check the host name and the port, and that firewall and proxy let this machine through.",
    "no trusted connection": "Name the certificate authority of the hospital with --ca, and check the host name.",
    "the answer was not FHIR JSON": "Check the base URL: what answers there is no FHIR server, or sends XML only.",
    "HTTP 400": "The server does not understand the question; its log or documentation says which parameter.",
    "HTTP 401": "Get a token: --token-file with one that has not expired and is for this server, or --client.",
    "HTTP 403": "Ask the server's people for leave to read this; its registration or the token's scopes lack it.",
    "HTTP 404": "Check the base URL: it usually ends in /fhir, /r4 or /fhir/R4. Or the server lacks this type.",
    "HTTP 429": "The server wants fewer calls: ask for a higher limit.",
}
_PAGE: Final = (
    "The address is a portal's, a login's or a proxy's: ask for the FHIR base URL, and whether a proxy is in the way."
)


def told_of(answer: Answer) -> tuple[str, str]:
    """Say of an answer without a body what came, and what to do."""
    if answer.web_page and answer.status not in (401, 403):
        return "a web page came instead of FHIR", _PAGE
    return answer.why, todo_for(answer.why)


def todo_for(why: str) -> str:
    """Say what to do about a read that failed.

    >>> todo_for("HTTP 302, a redirect")
    'Give the address that it leads to, once you know that it is the same server: redirects are not followed.'
    """
    if "redirect" in why:
        return (
            "Give the address that it leads to, once you know that it is the same server: redirects are not followed."
        )
    if why.startswith("HTTP 5"):
        return "The server is down or broken: try again later, then ask its people."
    return _ADVICE.get(why, "Try again; if it stays so, show this line to the server's people.")


def timed(act: Callable[[], T], clock: Callable[[], float] = time.monotonic) -> tuple[T, int]:
    """Do something and return what it gave, with the milliseconds that it took."""
    began = clock()
    given = act()
    return given, round(1000 * (clock() - began))

"""Leave to read: the token for one type of resource, or why there is none. Failures are values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from cds_service.gather.transport import Transport


@dataclass(frozen=True)
class Grant:
    """Leave to read one type.

    Args:
        token: the bearer token, when there is leave.
        why: for people, when there is none. No secrets.
    """

    token: str | None = field(default=None, repr=False)
    why: str = ""


class Access(Protocol):
    """Where tokens come from when a call brings none."""

    def grant(self, kind: str, transport: Transport) -> Grant:
        """Return a token to read resources of this type with.

        Args:
            kind: the FHIR resource type.
            transport: with the deadline of the reading that needs it.
        """

    def renewed(self, kind: str, refused: str, transport: Transport) -> Grant:
        """Return another token than the one that was just refused (401)."""

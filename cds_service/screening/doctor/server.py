"""The server itself: does it answer, is it FHIR of a release we read, does it let us in, and to what."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cds_service.gather.capability import read_capability
from cds_service.gather.client import FhirClient
from cds_service.gather.plan import Plan
from cds_service.gather.smart_auth import Announced, BackendServices
from cds_service.gather.smart_scopes import KINDS, beyond_reading
from cds_service.screening.doctor.findings import Finding, Result, timed, told_of


@dataclass(frozen=True)
class Door:
    """What came of knocking.

    Args:
        findings: in the order tried.
        open: whether going on makes sense.
    """

    findings: tuple[Finding, ...]
    open: bool


def knock(client: FhirClient, plan: Plan) -> Door:
    """Ask for ``/metadata``, without a token: servers show it to everybody.

    Args:
        client: of the server.
        plan: what will be read.
    """
    answer, took = timed(lambda: client.transport.get(f"{client.origin.base}/metadata", None))
    if answer.status in (401, 403):
        told = "the server answers, but shows what it offers (/metadata) only to those it knows"
        return Door((Finding("reachable", Result.LOOK, told, milliseconds=took),), True)
    if answer.body is None:
        told, todo = told_of(answer)
        return Door((Finding("reachable", Result.WRONG, told, todo, milliseconds=took),), False)
    capability = read_capability(answer.body)
    if capability is None:
        todo = "Check the base URL: `/metadata` below it must answer with a CapabilityStatement."
        return Door((Finding("reachable", Result.WRONG, "JSON came, but not of FHIR", todo, milliseconds=took),), False)
    reachable = Finding("reachable", Result.OK, "/metadata answers", milliseconds=took)
    release = capability.release
    if not release.read:
        todo = "Ask for the server's R4 address: vendors offer several releases under different base URLs."
        refused = Finding("FHIR release", Result.WRONG, f"{release.value}; R4, R4B and R5 are read", todo)
        return Door((reachable, refused), False)
    found = [reachable, Finding("FHIR release", Result.OK, release.value)]
    if capability.searched is not None:
        lacking = [search.type for search in plan.searches if search.type not in capability.searched]
        if lacking:
            todo = "What only these types tell stays unknown: ask whether the server has them under another address."
            found.append(Finding("types offered", Result.LOOK, f"not announced: {', '.join(lacking)}", todo))
        else:
            found.append(Finding("types offered", Result.OK, "all that are read"))
    return Door(tuple(found), True)


def enter(client: FhirClient, now: float) -> Door:
    """Get a token, or look at the one given.

    Args:
        client: of the server.
        now: seconds since 1970.
    """
    if isinstance(client.access, BackendServices):
        return _with_backend_services(client, client.access)
    if client.token is None:
        return Door((Finding("authorization", Result.OK, "no token sent"),), True)
    ended = _ended(client.token, now)
    if ended is not None:
        told = f"the token expired {_ago(ended)} ago"
        return Door((Finding("authorization", Result.WRONG, told, "Get a new one, or use --client."),), False)
    return Door((Finding("authorization", Result.OK, "the token of the file"),), True)


def _with_backend_services(client: FhirClient, access: BackendServices) -> Door:
    announced, took = timed(lambda: access.discover(client.transport))
    if not isinstance(announced, Announced):
        return Door((Finding("authorization", Result.WRONG, announced, _todo(announced), milliseconds=took),), False)
    grants, took = timed(lambda: {kind: access.grant(kind, client.transport) for kind in KINDS})
    refused = {kind: grant.why for kind, grant in grants.items() if grant.why}
    if len(refused) == len(KINDS):
        why = refused[KINDS[0]]
        return Door((Finding("authorization", Result.WRONG, why, _todo(why), milliseconds=took),), False)
    told = f"SMART Backend Services, {announced.algorithm}, scopes {announced.style.value}"
    return Door((Finding("authorization", Result.OK, told, milliseconds=took), *_scopes(access, refused)), True)


def _scopes(access: BackendServices, refused: dict[str, str]) -> Iterator[Finding]:
    if refused:
        todo = "Have these scopes added to our registration there; without them the types are not fetched."
        yield Finding("scopes", Result.WRONG, f"no leave to read: {', '.join(refused)}", todo)
    elif beyond_reading(access.granted()):
        todo = "Have the registration cut down to reading the types that are asked for."
        yield Finding("scopes", Result.LOOK, "more was granted than was asked for", todo)
    else:
        yield Finding("scopes", Result.OK, "what was asked for, no more")


def _todo(why: str) -> str:
    if "host" in why:
        return (
            "If the authorization server belongs to the hospital, list its origin under auth_origins (docs/doctor.md)."
        )
    if "names no" in why:
        return "Ask whether the server offers SMART Backend Services, and under which base URL."
    if "does not know" in why:
        return "Check the client id, and that our keys are registered: /.well-known/jwks.json or what it publishes."
    return "Ask whoever registered us there." if "token" in why else ""


def _ended(token: str, now: float) -> float | None:
    """Return how many seconds ago a token ended, as far as it says so itself; None when it does not."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims: Any = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error):
        return None
    ends = claims.get("exp") if isinstance(claims, dict) else None
    if not isinstance(ends, int | float) or isinstance(ends, bool):
        return None
    return now - ends if ends <= now else None


def _ago(seconds: float) -> str:
    """Say how long, in the largest fitting unit.

    >>> [_ago(one) for one in (5, 125, 7300, 200000)]
    ['5 s', '2 min', '2 h', '2 days']
    """
    for size, name in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {name}"
    return f"{int(seconds)} s"

"""CORS, as a client in a browser needs it; the specification names no headers, so: what browsers ask for."""

from __future__ import annotations

from typing import Final

from cds_service.conformance.session import DISCOVERY, Service, Session
from cds_service.conformance.wire import Reply

_ASKED: Final = ("authorization", "content-type")
_STRANGER: Final = "https://stranger.invalid"


def check_cors(session: Session, service: Service) -> None:
    """Ask as a page of the session's origin, and as one that nobody listed."""
    here = {"Origin": session.origin}
    preflight = {**here, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": ",".join(_ASKED)}
    for path in (DISCOVERY, service.path):
        sent = f"OPTIONS {'a service' if path != DISCOVERY else path}"
        reply = session.send("OPTIONS", path, sent=sent, headers=preflight, token="")
        session.note("X01", service, sent, reply, "" if reply.good else "2xx is needed, without a token")
        if reply.good:
            session.note("X02", service, sent, reply, _preflight_fault(session, reply))
    for check, sent, body in (
        ("X03", "full prefetch, from a page", session.body(service)),
        ("X04", "no hook, from a page", session.body(service, hook=...)),
    ):
        reply = session.call(service, body, sent, headers=here)
        session.note(check, service, sent, reply, "" if _allowed(session, reply) else "the origin is not allowed")
    sent = "full prefetch, from a stranger's page"
    reply = session.call(service, session.body(service), sent, headers={"Origin": _STRANGER})
    named = reply.headers.get("access-control-allow-origin", "")
    trusting = reply.headers.get("access-control-allow-credentials", "").lower() == "true"
    fault = "any origin may send credentials" if trusting and named in ("*", _STRANGER) else ""
    session.note("X05", service, sent, reply, fault)


def _allowed(session: Session, reply: Reply) -> bool:
    return reply.headers.get("access-control-allow-origin") in ("*", session.origin)


def _preflight_fault(session: Session, reply: Reply) -> str:
    if not _allowed(session, reply):
        return "the origin is not allowed"
    headers = {part.strip().lower() for part in reply.headers.get("access-control-allow-headers", "").split(",")}
    # "*" does not cover Authorization.
    missing = [name for name in _ASKED if name not in headers]
    return f"Allow-Headers lacks {', '.join(missing)}" if missing else ""

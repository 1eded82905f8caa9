"""Who may call: right tokens are taken, wrong ones refused, and nobody says why."""

from __future__ import annotations

import json
import time
from typing import Any, Final
from uuid import uuid4

from cds_service.conformance.session import DISCOVERY, Service, Session
from cds_service.conformance.wire import Reply

_REFUSALS: Final = (401, 403)
_PARTS: Final = ("iss", "aud", "exp", "iat", "jti", "kid")


def check_trust(session: Session, service: Service) -> None:
    """Bring tokens; nothing is noted when the run has no key to make them."""
    signer = session.signer
    if signer is None:
        return
    endpoint = session.host.base + service.path
    refusals: list[Reply] = []

    def bring(check: str, sent: str, token: str, *, taken: bool = False) -> None:
        reply = session.call(service, session.body(service), sent, token=token)
        fault = "" if (reply.status == 200 if taken else reply.status in _REFUSALS) else _needed(taken)
        session.note(check, service, sent, reply, fault)
        if not taken and not fault:
            refusals.append(reply)

    for path in (DISCOVERY, service.path, f"{service.path}/feedback"):
        body = session.body(service) if path == service.path else {"feedback": []}
        method = "GET" if path == DISCOVERY else "POST"
        reply = session.send(
            method, path, None if path == DISCOVERY else body, sent="no token", service=service.id, token=""
        )
        gone = path.endswith("/feedback") and reply.status in (404, 405, 501)
        session.note("J01", service, "no token", reply, "" if gone or reply.status in _REFUSALS else _needed(False))
    bring("J02", "alg none", signer.unsigned(endpoint))
    bring("J03", "HS384 with the public key", signer.symmetric(endpoint))
    for other in (session.host.base + DISCOVERY, endpoint + "/", endpoint + "x", endpoint.upper(), session.host.base):
        bring("J04", "aud of another endpoint", signer.token(other))
    bring("J05", "aud in an array", signer.token(endpoint, aud=[endpoint, "https://other.invalid"]), taken=True)
    now = int(time.time())
    bring("J06", "an expired token", signer.token(endpoint, iat=now - 900, exp=now - 600))
    bring("J07", "an issuer nobody listed", signer.token(endpoint, iss=f"{signer.issuer}.invalid"))
    bring("J08", "claims of another token", signer.forged(endpoint))
    once = signer.token(endpoint, jti=str(uuid4()))
    first = session.call(service, session.body(service), "a token, once", token=once)
    if first.status == 200:
        bring("J09", "the same token again", once)
    for part in _PARTS:
        bring("J10", f"a token without {part}", signer.token(endpoint, leave_out=part))
    if session.stand is not None:
        session.stand.behave("good")
        jku = f"{session.stand.foreign}/jwks.json"
        bring("J11", "a jku nobody listed", signer.token(endpoint, header={"jku": jku}))
        if session.stand.strayed:
            session.findings.note("J11", "the jku was fetched", service=service.id, sent="a jku nobody listed", came="")
    alike = {(reply.status, _words(reply)) for reply in refusals}
    fault = "" if len(alike) <= 1 else "refusals differ, and so tell why"
    session.findings.note("J12", fault, service=service.id, sent=f"{len(refusals)} wrong tokens", came="")


def _needed(taken: bool) -> str:
    return "200 is needed" if taken else "401 or 403 is needed"


def _words(reply: Reply) -> str:
    """Return a refusal without the ids that differ from answer to answer."""
    try:
        value: Any = reply.value()
    except ValueError:
        return reply.body.decode("utf-8", "replace")
    if isinstance(value, dict):
        value = {name: part for name, part in value.items() if name != "id"}
    return json.dumps(value, sort_keys=True)

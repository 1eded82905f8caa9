"""The service as a FHIR client: what it asks, with which token, and what it makes of failure."""

from __future__ import annotations

from typing import Any, Final

from cds_service.conformance.fhir_stand import FhirStand, below
from cds_service.conformance.prefetching import FAILED, answered, heard
from cds_service.conformance.session import Seen, Service, Session
from cds_service.conformance.wire import Reply

# Port 9 is "discard": nobody answers there.
_NOBODY: Final = "http://127.0.0.1:9/fhir"
_ESCAPES: Final = ("../Observation", "x/../../metadata", "x?_count=1", "x%2F..%2FObservation", "x&_summary=count")


def check_fhir_access(session: Session, service: Service) -> None:
    """Let one service fetch from the FHIR server of the run."""
    stand = session.stand
    if stand is None or not service.templates:
        return

    def ask(sent: str, **changes: Any) -> Reply:
        given = {"fhirServer": stand.base, "fhirAuthorization": session.authorization()}
        return session.call(service, session.body(service, **{"prefetch": ..., **given, **changes}), sent)

    def note(check: str, sent: str, reply: Reply, fault: str) -> None:
        session.note(check, service, sent, reply, fault)

    stand.behave("good")
    sent = "no prefetch, a FHIR server"
    reply = ask(sent)
    note("A01", sent, reply, answered(reply) or ("" if stand.asked else "the FHIR server was not asked"))
    if stand.asked:
        bare = [one for one in stand.asked if one.authorization != f"Bearer {stand.token}"]
        note("A02", sent, reply, "a FHIR call came without the token" if _data(bare) else "")
        _check_missing(session, service, stand)
    for check, mode, sent in (
        ("A05", "foreign-next", "results whose next page is on another host"),
        ("A06", "redirect", "redirects to another host"),
    ):
        stand.behave(mode)  # type: ignore[arg-type]
        reply = ask(sent)
        leaked = any(one.authorization for one in stand.strayed)
        note(check, sent, reply, "the token went to another host" if leaked else answered(reply))
    for check, mode, sent in (
        ("A07", "refuse", "a FHIR server that answers 401"),
        ("A08", "fail", "a FHIR server that answers 500 and HTML"),
    ):
        stand.behave(mode)  # type: ignore[arg-type]
        reply = ask(sent)
        note(check, sent, reply, answered(reply) or heard(reply))
    stand.behave("good")
    sent = "a FHIR server that is not there"
    reply = ask(sent, fhirServer=_NOBODY)
    note("A09", sent, reply, answered(reply) or heard(reply))
    sent = "fhirAuthorization without fhirServer"
    reply = ask(sent, fhirServer=...)
    note("A10", sent, reply, "" if reply.refused and reply.status != 412 else "a refusal is needed")
    sent = "fhirAuthorization for another patient"
    reply = ask(sent, fhirAuthorization=session.authorization(patient="conformance-another"))
    note("A13", sent, reply, "" if reply.refused else "a refusal is needed")
    own = session.body(service)["context"]
    for patient in _ESCAPES:
        stand.behave("good")
        sent = f"patientId {patient}"
        # The token is for whoever is in context: nothing but the id itself may stop the call.
        granted = {k: v for k, v in session.authorization().items() if k != "patient"}
        reply = ask(sent, context={**own, "patientId": patient}, fhirAuthorization=granted)
        spliced = [one for one in stand.asked if not below(one.path) or patient in one.path]
        note("A11", sent, reply, "it was spliced into an address" if spliced else "")


def _check_missing(session: Session, service: Service, stand: FhirStand) -> None:
    """Leave one key out, then let one fail: only the first may be asked for, and never the second."""
    full = session.body(service)["prefetch"]
    searches = {key: template for key, template in service.templates.items() if "?" in template and key in full}
    if not searches:
        return
    missing = next(iter(searches))
    kind = searches[missing].partition("?")[0]
    given = {"fhirServer": stand.base, "fhirAuthorization": session.authorization()}
    for check, prefetch, sent in (
        ("A03", {key: value for key, value in full.items() if key != missing}, f"everything but {missing}"),
        ("A04", {**full, missing: FAILED}, f"an OperationOutcome under {missing}"),
    ):
        stand.behave("good")
        reply = session.call(service, session.body(service, prefetch=prefetch, **given), f"{sent}, a FHIR server")
        kinds = {one.kind for one in _data(stand.asked)}
        if check == "A03":
            fault = "" if kinds <= {kind} else "more was asked than was missing"
            fault = fault or ("" if kinds else "what was missing was not asked")
        else:
            fault = "what had failed was asked again" if kind in kinds else ""
        session.note(check, service, sent, reply, fault)


def check_secrecy(session: Session) -> None:
    """Look for the access token in everything that came back."""
    if session.stand is None:
        return
    token = session.stand.token.encode()
    called: list[Seen] = [one for one in session.seen if one.service]
    for one in called:
        fault = "the answer shows the access token" if token in one.reply.body else ""
        session.findings.note("A12", fault, service=one.service, sent=one.sent, came=str(one.reply))


def _data(asked: list[Any]) -> list[Any]:
    """Leave out what any client may ask without a token."""
    return [one for one in asked if one.kind not in ("metadata", ".well-known")]

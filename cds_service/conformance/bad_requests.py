"""Calls that are wrong: refused, without a stack trace, without an echo."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from cds_service.conformance.hooks import HOOKS
from cds_service.conformance.session import CANARY, DISCOVERY, Seen, Service, Session

# Of Python, Java, JavaScript, Ruby, Go, .NET.
_TRACE: Final = re.compile(
    rb"Traceback \(most recent"
    rb"|\bat [\w.$<>]+ ?\([\w./\\:$ ]+:\d+(:\d+)?\)"
    rb"|\.rb:\d+:in "
    rb"|goroutine \d+ \["
    rb"|   at [\w.]+\(.*\) in "
)
_WRONG: Final = {"a number": 7, "an array": [CANARY], "an object": {"a": CANARY}, "a text": CANARY}


def check_bad_requests(session: Session, service: Service) -> None:
    """Call one service in every wrong way."""

    def refuse(check: str, sent: str, body: Any, **more: Any) -> None:
        reply = session.call(service, body, sent, **more)
        # 412 is for right calls: it says that data are missing.
        right = reply.refused and reply.status != 412
        session.note(check, service, sent, reply, "" if right else "4xx is needed, and not 412")

    whole = session.body(service)
    before = session.call(service, session.body(service), "full prefetch")
    reply = session.send("GET", service.path, sent="GET", service=service.id)
    session.note("B01", service, "GET", reply, "" if reply.refused else "4xx is needed")
    refuse("B03", "no JSON", f'{{"{CANARY}": }}'.encode())
    refuse("B03", "no body", b"")
    others: tuple[Any, ...] = ([], None, 5, CANARY)
    for value in others:
        refuse("B04", "JSON that is no object", json.dumps(value).encode())
    refuse("B05", "NaN", json.dumps({**whole, "unknown": float("nan")}).encode())
    refuse("B06", "5,000 arrays", b"[" * 5000 + b"]" * 5000)
    refuse(
        "B06",
        "5,000 arrays in a field",
        json.dumps({**whole, "unknown": 0})[:-2].encode() + b"[" * 5000 + b"]" * 5000 + b"}",
    )
    refuse("B07", "no UTF-8", json.dumps({**whole, "unknown": 0})[:-2].encode() + b'"\xff\xfe"}')
    twice = json.dumps(whole)[1:].encode()
    refuse("B08", "every key twice", b"{" + twice[:-1] + b"," + twice)
    refuse("B09", "no hook", session.body(service, hook=...))
    refuse("B10", "another hook", session.body(service, hook="conformance-hook"))
    refuse("B11", "no hookInstance", session.body(service, hookInstance=...))
    for wrong_id in (CANARY, 5, "d1577c69-dfbe-44ad-ba6d"):
        refuse("B12", "hookInstance is no UUID", session.body(service, hookInstance=wrong_id))
    refuse("B13", "no context", session.body(service, context=...))
    own = whole["context"]
    for name in HOOKS[service.hook].required:
        refuse("B14", f"no context.{name}", session.body(service, context={k: v for k, v in own.items() if k != name}))
        for what, wrong in _WRONG.items():
            # Text may well be right for an id; a reference to a user or an order is more than a word.
            if type(wrong) is not type(own[name]):
                refuse("B15", f"context.{name} is {what}", session.body(service, context={**own, name: wrong}))
    refuse("B16", "text/plain", whole, headers={"Content-Type": "text/plain"})
    refuse("B17", "prefetch is an array", session.body(service, prefetch=[CANARY]))
    after = session.call(service, session.body(service), "full prefetch, after all that")
    fault = "" if after.status == before.status else "another answer than before"
    session.note("B18", service, "full prefetch, after all that", after, fault)


def check_unknown(session: Session, known: list[Service]) -> None:
    """Call a service that does not exist."""
    sent = "a service that does not exist"
    body = session.body(known[0])
    reply = session.send("POST", f"{DISCOVERY}/{CANARY}", body, sent=sent)
    session.note("B02", None, sent, reply, "" if reply.status == 404 else "404 is needed")


def check_errors(session: Session) -> None:
    """Look at every error that came."""
    for one in session.seen:
        if one.reply.status < 400 or one.sent == "HEAD":
            continue
        session.findings.note("T01", _outcome_fault(one), service=one.service, sent=one.sent, came=str(one.reply))
        for check, found, fault in (
            ("T02", CANARY.encode() in one.reply.body, "the error repeats what was sent"),
            ("T03", _TRACE.search(one.reply.body), "the error shows a stack trace"),
        ):
            session.findings.note(
                check, fault if found else "", service=one.service, sent=one.sent, came=str(one.reply)
            )


def _outcome_fault(one: Seen) -> str:
    try:
        value = one.reply.value()
    except ValueError:
        return "no OperationOutcome"
    issues = value.get("issue") if isinstance(value, dict) else None
    right = (
        isinstance(value, dict)
        and value.get("resourceType") == "OperationOutcome"
        and isinstance(issues, list)
        and all(isinstance(i, dict) and i.get("severity") and i.get("code") for i in issues)
        and issues
    )
    return "" if right else "no OperationOutcome"

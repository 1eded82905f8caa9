"""Faults of the line and of single answers."""

from __future__ import annotations

import fault_plays as plays
from fault_chart import Chart
from fault_kinds import (
    AS_NONE,
    SHORT,
    Fault,
    added,
    always,
    failed,
    first,
    gone,
    harmless,
    line,
    on,
    partly,
    status,
)
from fault_plays import outcome, refusal
from fault_runs import example

BOMB, DOUBLE_BOMB = plays.bomb(), plays.bomb(2)

LATE = "answers at the deadline with what it has"
LINE = (
    failed(4, "headers, then nothing", LATE, line(plays.stall_after_headers), "time-out", 1, gather_seconds=SHORT),
    failed(4, "half a body, then nothing", LATE, line(plays.stall_midway), "time-out", 1, gather_seconds=SHORT),
    failed(4, "a connection, then nothing", LATE, line(plays.silence), "time-out", 1, gather_seconds=SHORT),
    failed(5, "a body that drips", LATE, line(plays.drip_body), "time-out", 1, gather_seconds=SHORT),
    failed(5, "headers that drip", LATE, line(plays.drip_headers), "time-out", 1, gather_seconds=SHORT),
    failed(5, "100 Continue for ever", LATE, line(plays.continue_for_ever), "time-out", 1, gather_seconds=SHORT),
    failed(6, "a body shorter than its length", AS_NONE, line(plays.cut), "the answer broke off"),
    failed(
        6, "a body cut short, without a length", AS_NONE, line(plays.cut_without_length), "the answer was not FHIR JSON"
    ),
    failed(6, "a reset amid the body", AS_NONE, line(plays.reset_midway), "the answer broke off"),
    failed(6, "a reset before the first byte", "tries once more", line(plays.hang_up), "no connection", 4),
    failed(6, "another protocol", "tries once more", line(plays.no_http), "no connection", 4),
    failed(
        7,
        "chunks without end",
        "stops at the largest answer it takes",
        line(plays.endless_chunks),
        "the answer was too large",
    ),
    failed(7, "chunks that stop", AS_NONE, line(plays.chunks_that_stop), "the answer broke off"),
    failed(7, "chunks without a size", AS_NONE, line(plays.wrong_chunks), "the answer broke off"),
    failed(
        8,
        "200 MB of blanks in gzip",
        "stops at the largest answer it takes",
        lambda _c, _a: plays.packed(BOMB),
        "the answer was too large",
    ),
    failed(
        8,
        "gzip in gzip",
        "stops at the largest answer it takes",
        lambda _c, _a: plays.packed(DOUBLE_BOMB, "gzip, gzip"),
        "the answer was too large",
    ),
    failed(8, "no gzip, said to be", AS_NONE, line(plays.no_gzip), "the answer broke off"),
)

NOTHING = (
    "Nothing but the Patient could be read (conditions: HTTP 503; observations: HTTP 503; "
    "medicationStatements: HTTP 503; medicationRequests: HTTP 503; medicationAdministrations: HTTP 503; "
    "procedures: HTTP 503)."
)
ANSWERS = (
    failed(
        9,
        "a login page with status 200",
        AS_NONE,
        always(plays.LOGIN, 200, "text/html"),
        "the answer was not FHIR JSON",
    ),
    failed(
        10,
        "an OperationOutcome instead of a Bundle",
        "never takes it for an empty result",
        always(plays.OUTCOME),
        "the server reported an error",
    ),
    failed(
        10,
        "one that says all is well",
        "never takes it for an empty result",
        always(outcome("information")),
        "the server reported an error",
    ),
    failed(
        10,
        "another resource",
        "never takes it for an empty result",
        always({"resourceType": "Parameters"}),
        "the answer was not a search result",
    ),
    failed(
        10,
        "a Bundle whose entries are no list",
        "never takes it for an empty result",
        always({"resourceType": "Bundle", "entry": {}}),
        "the answer was not a search result",
    ),
    failed(10, "an empty body", "never takes it for an empty result", always(b""), "the answer was not FHIR JSON"),
    failed(10, "204, no content", "never takes it for an empty result", always(b"", 204), "HTTP 204"),
    partly(
        11,
        "an error among the results",
        "uses the results, concludes nothing from what is absent",
        added({"resource": outcome("error"), "search": {"mode": "outcome"}}),
        "the answer reports an error",
    ),
    harmless(
        12,
        "a warning among the results",
        "uses the results; the warning is not shown",
        added({"resource": outcome("warning"), "search": {"mode": "outcome"}}),
    ),
    failed(14, "401 for ever", "does not ask again: the call's token is not ours to renew", status(401), "HTTP 401"),
    failed(15, "403 on one type", "judges the rest", status(403), "HTTP 403"),
    gone(16, "404 on the Patient", "judges nothing", on(("Patient",), status(404)), "HTTP 404", asked={"Patient": 1}),
    gone(16, "410 on the Patient", "judges nothing", on(("Patient",), status(410)), "HTTP 410", asked={"Patient": 1}),
    gone(
        16,
        "another Patient than was asked for",
        "judges nothing",
        on(("Patient",), always({"resourceType": "Patient", "id": "somebody-else"})),
        "the server answered with another resource",
    ),
    Fault(
        17,
        "429 once, Retry-After: 1",
        "waits a second and asks again",
        on(("Condition",), first(status(429, retry_after=1))),
        asked={"Condition": 2},
    ),
    failed(17, "429, Retry-After: 3600", "does not wait", status(429, retry_after=3600), "HTTP 429"),
    failed(
        17,
        "429, Retry-After: a date",
        "does not wait",
        status(429, retry_after="Wed, 21 Oct 2026 07:28:00 GMT"),
        "HTTP 429",
    ),
    failed(17, "429, Retry-After: soon", "does not wait", status(429, retry_after="soon"), "HTTP 429"),
    failed(17, "429, Retry-After: -1", "does not wait", status(429, retry_after="-1"), "HTTP 429"),
    failed(17, "429 without Retry-After", "asks once more", status(429), "HTTP 429", 4),
    harmless(18, "500 once", "asks once more", first(status(500)), asked={"Observation": 4}),
    gone(
        19,
        "503 on everything",
        "asks each thing once more, 16 requests in all; no breaker is built",
        on((), status(503)),
        "HTTP 503",
        asked={
            "Patient": 2,
            "Condition": 2,
            "Observation": 4,
            "Procedure": 2,
            "MedicationStatement": 2,
            "MedicationRequest": 2,
            "MedicationAdministration": 2,
        },
    ),
    Fault(
        19,
        "503 on the problem list",
        "says that the trial was not checked",
        on(("Condition",), status(503)),
        "NCT07235319 was not checked: the problem list could not be read (HTTP 503)",
        "not read completely: Condition (HTTP 503)",
        unread=frozenset({"npc-primary"}),
        asked={"Condition": 2},
    ),
    Fault(
        19,
        "503 on everything but the Patient",
        "judges nothing",
        lambda asked: Chart(example()).script(asked) if asked.kind == "Patient" else refusal(503),
        NOTHING,
        f"not judged: {NOTHING}",
        412,
    ),
)

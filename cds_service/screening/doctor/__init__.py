"""The doctor: what a FHIR server can do for us, tried one thing at a time, and what to do where it cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, Final

from cds_service.gather.chart import PATIENT_ID
from cds_service.gather.client import NOT_FOUND, FhirClient
from cds_service.screening.doctor.chart import codes, in_time, unknown
from cds_service.screening.doctor.findings import Examination, Finding, Result, Unknown, timed, todo_for, told_of
from cds_service.screening.doctor.searches import ask, behaviour, search_all
from cds_service.screening.doctor.server import enter, knock
from cds_service.screening.patient import Rules

PATIENCE_SECONDS: Final = 60.0  # for each group of checks: the doctor measures how slow a server is
KNOCK_SECONDS: Final = 15.0  # before anything is known to be there


def examine(
    reach: Callable[[float], FhirClient],
    rules: Rules,
    *,
    patient_id: str | None,
    as_of: date,
    now: float,
    gather_seconds: float,
) -> Examination:
    """Try what we need of a server, one by one; what cannot be tried any more is left out.

    Args:
        reach: opens the server for so many seconds.
        rules: what is read, and what it is judged by.
        patient_id: of the patient to look at; None for the first that the server lists.
        as_of: the day of the judgement.
        now: seconds since 1970.
        gather_seconds: the deadline of a chart.
    """
    client = reach(KNOCK_SECONDS)
    missing: list[Unknown] = []

    def steps() -> Iterator[Finding]:
        door = knock(client, rules.plan)
        yield from door.findings
        if not door.open:
            return
        door = enter(reach(KNOCK_SECONDS), now)
        yield from door.findings
        if not door.open:
            return
        patient, chosen = _patient(reach(PATIENCE_SECONDS), patient_id)
        yield patient
        if chosen is None:
            return
        findings, harvests = search_all(reach(PATIENCE_SECONDS), rules.plan, chosen)
        yield from findings
        yield from behaviour(reach(PATIENCE_SECONDS), chosen, harvests)
        told, record = in_time(reach(gather_seconds), rules, chosen, gather_seconds)
        yield told
        if record is None:
            return
        yield from codes(reach(PATIENCE_SECONDS), rules.library, chosen, record)
        judged, found = unknown(rules, record, as_of)
        missing.extend(found)
        yield from judged

    findings = tuple(steps())
    return Examination(client.origin.base, findings, tuple(missing))


def _patient(client: FhirClient, patient_id: str | None) -> tuple[Finding, str | None]:
    """Read the Patient, or choose one."""
    if patient_id is not None:
        (body, read), took = timed(lambda: client.patient(patient_id))
        if body is None:
            todo = (
                "There is no such patient." if read.why in ("HTTP 404", "HTTP 410", NOT_FOUND) else todo_for(read.why)
            )
            return Finding("patient", Result.WRONG, read.why, todo, None, took), None
        return Finding("patient", Result.OK, "the one you named", "", 1, took), patient_id
    page, took = timed(lambda: ask(client, "Patient", ("_count", "1")))
    if page.matches is None:
        told, todo = told_of(page.answer) if page.answer.body is None else (page.told, "")
        return Finding("patient", Result.WRONG, told, todo or "Name a patient: --patient.", None, took), None
    chosen = _first_id(page.body)
    if chosen is None:
        return Finding("patient", Result.SKIPPED, "the server lists none", "Name one: --patient.", 0, took), None
    return Finding("patient", Result.OK, "the first that the server lists", "", 1, took), chosen


def _first_id(body: Any) -> str | None:
    resources = [one.get("resource") for one in body.get("entry", []) if isinstance(one, dict)]
    ids = [one.get("id") for one in resources if isinstance(one, dict) and one.get("resourceType") == "Patient"]
    return next((one for one in ids if isinstance(one, str) and PATIENT_ID.fullmatch(one)), None)

"""One chart, read as for a card: is it in time, do we understand its codes, and what would stay unknown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date

from cds_service.errors import GatherError
from cds_service.facts.chart import read_entries
from cds_service.facts.fact import Reason
from cds_service.facts.record import Record
from cds_service.facts.unmapped import Unmapped, find_unmapped
from cds_service.gather.assemble import DUPLICATES, Harvest, assemble
from cds_service.gather.chart import read_chart
from cds_service.gather.client import FhirClient
from cds_service.gather.subjects import PatientNames
from cds_service.logic.truth import State
from cds_service.screening.doctor.findings import Finding, Result, Unknown, timed
from cds_service.screening.doctor.searches import PAGE, ask
from cds_service.screening.patient import Rules
from cds_service.trials.model import Library


def in_time(client: FhirClient, rules: Rules, patient_id: str, seconds: float) -> tuple[Finding, Record | None]:
    """Read the whole chart, all searches at once, under the deadline of a hook.

    Args:
        client: opened for ``seconds``.
        rules: with the plan.
        patient_id: of the patient looked at.
        seconds: the deadline.
    """
    check = "chart as for a card"
    try:
        record, took = timed(lambda: read_chart({}, rules.plan, patient_id, client))
    except GatherError as error:
        return Finding(check, Result.WRONG, str(error), "A hook would be answered 412."), None
    unread = [kind for kind, read in record.reads.items() if not read.complete]
    count = sum(len(sources) for sources in record.resources.values())
    if unread:
        told = f"not complete: {', '.join(unread)}"
        todo = f"See the searches above; all together have {seconds:g} s (CDS_GATHER_SECONDS)."
        return Finding(check, Result.WRONG, told, todo, count, took), record
    return Finding(check, Result.OK, f"complete within the {seconds:g} s of a hook", "", count, took), record


def codes(client: FhirClient, library: Library, patient_id: str, record: Record) -> Iterator[Finding]:
    """Count what the value sets and the site file understand. Also of results that no rule asks for: one page of them.

    Args:
        client: of the server.
        library: value sets and site file.
        patient_id: of the patient looked at.
        record: the chart.
    """
    aside = {cause: count for cause, count in record.set_aside.items() if cause != DUPLICATES}
    if aside:
        told = ", ".join(f"{count} {cause}" for cause, count in aside.items())
        todo = "They are not used. Another patient's records in an answer make its type incomplete."
        yield Finding("records set aside", Result.LOOK, told, todo, sum(aside.values()))
    page = ask(client, "Observation", ("patient", f"Patient/{patient_id}"), ("_count", PAGE))
    if page.matches:
        entries = tuple(("", one.get("resource")) for one in page.body["entry"] if isinstance(one, dict))
        sample = assemble(record.patient, PatientNames(patient_id), [Harvest(entries, asked="Observation")])
        results = {**record.resources, "Observation": sample.resources.get("Observation", ())}
        record = Record(record.patient, results, record.reads, record.medications)
    site = library.site
    read = read_entries(site.localised(record) if site else record)
    seen = len(read.observations) + len(read.conditions) + len(read.treatments)
    every = _by_element(find_unmapped(read, library.value_sets, library.facts, site, every=True))
    strange = _by_element(find_unmapped(read, library.value_sets, library.facts, site))
    if not seen:
        yield Finding("codes", Result.SKIPPED, "no record with a code")
        return
    units = sum(count for element, count in strange.items() if element.startswith("unit of "))
    unmapped = {element: count for element, count in strange.items() if not element.startswith(("unit of ", "system"))}
    known = sum(every[element] for element in every if not element.startswith(("unit of ", "system")))
    other = known - sum(unmapped.values())
    if unmapped:
        told = "nothing maps: " + ", ".join(f"{count} {element}" for element, count in sorted(unmapped.items()))
        todo = "Write a site file for them (rules/README.md); cds-service sites unmapped lists them from a Bundle."
        yield Finding("codes", Result.LOOK, told, todo, seen)
    else:
        yield Finding("codes", Result.OK, f"all understood; {other} that no rule needs", "", seen)
    if units:
        todo = "Explain them in the site file (rules/README.md)."
        yield Finding("units", Result.LOOK, "some cannot be converted", todo, units)


def _by_element(found: Counter[Unmapped]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for one, count in found.items():
        counts[one.element] += count
    return counts


def unknown(rules: Rules, record: Record, as_of: date) -> tuple[list[Finding], list[Unknown]]:
    """Judge the chart and say what stays unknown and why, of trials that speak in charts. No verdict is told."""
    outcome = rules.judge(record, rules.library, as_of=as_of)
    findings: list[Finding] = []
    found: list[Unknown] = []
    for trial in (one for one in outcome.trials if one.trial.speaks):
        open_ones = [one for one in trial.criteria if one.state is State.UNKNOWN]
        unread = 0
        for one in open_ones:
            missing = tuple(dict.fromkeys((piece.fact, piece.reason.value) for piece in one.reasons))
            found.append(Unknown(trial.trial.id, one.criterion.id, one.criterion.short, missing))
            unread += any(piece.reason is Reason.NOT_FETCHED for piece in one.reasons)
        told = f"{len(open_ones)} of {len(trial.criteria)} criteria ({trial.gate}), {unread} of them for want of access"
        findings.append(
            Finding(
                f"unknown for {trial.trial.id}",
                Result.LOOK if unread else Result.OK,
                told,
                "See the searches above for what was not read." if unread else "",
                len(open_ones),
            )
        )
    return findings, found

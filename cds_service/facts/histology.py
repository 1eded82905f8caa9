"""The tumour's histology: the latest final record wins, and an unspecific one never replaces a specific one.

Most records stop at "squamous cell carcinoma" or a bare site code: that is unknown, never a guess. Behaviour /6
is a metastasis and is ignored. Source: the eligibility contract, section 6; clinical notes, section 3.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cds_service.facts.codes import ICD_O_3
from cds_service.facts.dates import ANY_TIME, When, latest
from cds_service.facts.definitions import FactDefinition
from cds_service.facts.diagnosis import disease_options
from cds_service.facts.elements import Coded
from cds_service.facts.fact import Evidence, Fact, Reason, yes_or_no
from cds_service.facts.labs import cited
from cds_service.facts.names import histology_side, names_no_histology
from cds_service.facts.need import Need
from cds_service.facts.phrase import say
from cds_service.logic.values import EITHER, NO

if TYPE_CHECKING:
    from cds_service.facts.chart import Chart


@dataclass(frozen=True)
class _Report:
    """One statement of the histology.

    Args:
        side: True for the type asked for, False for another; None when it does not tell.
        known: whether the code is in a histology value set at all.
        confirm: whether the code's meaning must be confirmed.
        by_text: whether only text names a type; one that it says is not there gives no side.
        from_site: whether it is a problem-list entry's own code.
        doubtful: whether it says "another type", and another active cancer may be what it is about.
    """

    evidence: Evidence
    when: When | None
    final: bool
    side: bool | None
    known: bool
    confirm: bool = False
    by_text: bool = False
    from_site: bool = False
    doubtful: bool = False


def histology(chart: Chart, definition: FactDefinition, need: Need) -> Fact:
    """Return whether the histology is one of the types asked for."""
    name = definition.name
    reports = list(_reports(chart, definition))
    doubtful = [one for one in reports if one.doubtful]
    reports = [one for one in reports if not one.doubtful]
    final = [one for one in reports if one.final]
    specific = [one for one in final if one.side is not None and not one.by_text]
    if specific:
        newest = [specific[at] for at in latest([_day(one.when) for one in specific])]
        evidence = tuple(one.evidence for one in newest)
        sides = {one.side for one in newest}
        if len(sides) > 1:
            return Fact.unknown(name, EITHER, Reason.CONFLICT, evidence=evidence)
        side = yes_or_no(sides.pop())
        assert side is not None  # noqa: S101 - only decided sides are specific
        if all(one.confirm for one in newest):
            return Fact.unknown(
                name, EITHER, Reason.CLINICIAN, lean=side, evidence=evidence, says=say("an old code to confirm")
            )
        return Fact.for_good(name, side, evidence=evidence, says=str(newest[0].evidence.value))
    pending = [one for one in reports if not one.final and one.side is not None]
    if pending:
        sides = {one.side for one in pending}
        lean = yes_or_no(sides.pop()) if len(sides) == 1 else None
        return Fact.unknown(name, EITHER, Reason.NOT_FINAL, lean=lean, evidence=tuple(one.evidence for one in pending))
    if doubtful:
        evidence = tuple(one.evidence for one in doubtful)
        says = say("a report that may be of another active cancer")
        return Fact.unknown(name, EITHER, Reason.CLINICIAN, lean=NO, evidence=evidence, says=says)
    named = [one for one in final if one.by_text]
    if named:
        sides = {one.side for one in named}
        lean = yes_or_no(sides.pop()) if len(sides) == 1 else None
        evidence = tuple(one.evidence for one in named)
        return Fact.unknown(name, EITHER, Reason.CLINICIAN, lean=lean, evidence=evidence, says=say("as text only"))
    return _nothing_specific(chart, name, final)


def _day(when: When | None) -> When:
    """Return a report's day: two reports of one day count together, whatever their times."""
    return When(when.first, when.last) if when else ANY_TIME


def _nothing_specific(chart: Chart, name: str, final: list[_Report]) -> Fact:
    observed = [one for one in final if not one.from_site]
    vague = [one for one in final if one.known]
    evidence = tuple(one.evidence for one in final)
    if observed and not [one for one in vague if not one.from_site]:
        return Fact.unknown(name, EITHER, Reason.UNMAPPED_CODE, evidence=evidence)
    if not chart.complete(["Observation", "Condition"]) and not [one for one in vague if not one.from_site]:
        return Fact.unknown(name, EITHER, Reason.NOT_FETCHED, evidence=evidence)
    if vague:
        return Fact.unknown(name, EITHER, Reason.NOT_SPECIFIC, evidence=evidence)
    return Fact.unknown(name, EITHER, Reason.NO_RECORD, evidence=evidence)


def _reports(chart: Chart, definition: FactDefinition) -> Iterator[_Report]:
    """Yield every statement: pathology Observations, and problem-list codes and their morphology extension."""
    frame, options = chart.disease, disease_options(chart)
    asked = chart.value_sets[options["histology_observation_value_set"]]
    for entry in chart.observed(asked):
        if not entry.has_value or _is_metastasis(entry.answer):
            continue
        if frame.is_about(entry, chart.conditions):
            evidence = cited(entry)
            report = _judge(chart, definition, entry.answer, evidence, entry.when, final=entry.usable)
            yield replace(
                report,
                doubtful=report.final and report.side is False and frame.may_be_anothers(entry, chart.conditions),
            )
    sites = [*options["site_value_sets"], *options["not_carcinoma_value_sets"]]
    for condition in chart.conditions:
        if condition.refuted or not any(condition.code.find(chart.value_sets[name]) for name in sites):
            continue
        day = condition.when.text if condition.when else None
        for code, own in ((condition.morphology, False), (condition.code, True)):
            if code.readable and not _is_metastasis(code):
                evidence = Evidence(condition.reference, code.label, None, day)
                final = condition.confirmed
                yield _judge(chart, definition, code, evidence, condition.when, final=final, from_site=own)


def _is_metastasis(code: Coded) -> bool:
    return any(c.system == ICD_O_3 and (c.code or "").endswith("/6") for c in code.codings)


def _judge(
    chart: Chart,
    definition: FactDefinition,
    code: Coded,
    evidence: Evidence,
    when: When | None,
    *,
    final: bool,
    from_site: bool = False,
) -> _Report:
    sets, options = chart.value_sets, definition.options
    yes = [c for name in options["asked_value_sets"] if (c := code.find(sets[name]))]
    no = any(code.find(sets[name]) for name in options["other_value_sets"])
    vague = from_site or any(code.find(sets[name]) for name in options["unspecific_value_sets"])
    if yes or no:
        side = None if yes and no else bool(yes)
        confirm = bool(yes) and all(c.attributes.get("confidence") == "confirm" for c in yes)
        return _Report(evidence, when, final, side, True, confirm, from_site=from_site)
    side = histology_side(code.label)
    by_text = side is not None or names_no_histology(code.label)
    return _Report(evidence, when, final, side, vague, by_text=by_text, from_site=from_site)

"""Distant metastasis at diagnosis, and of one organ: absent only when stated, never when merely unlisted.

Neck nodes (ICD-10 C77.0) are regional in nasopharyngeal carcinoma and no sign of spread. A metastasis first
recorded after diagnosis is not de novo. Source: the eligibility contract, section 6; clinical notes, 3.4 and 3.9.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from cds_service.facts.codes import SNOMED
from cds_service.facts.conditions import ConditionEntry
from cds_service.facts.dates import When
from cds_service.facts.definitions import FactDefinition
from cds_service.facts.diagnosis import disease_options
from cds_service.facts.elements import Coded
from cds_service.facts.fact import Fact, Reason
from cds_service.facts.labs import cited
from cds_service.facts.names import plain
from cds_service.facts.need import Need
from cds_service.facts.observations import ObservationEntry
from cds_service.facts.phrase import joined, say
from cds_service.facts.spread import (
    Spread,
    at_diagnosis,
    cited_condition,
    named_in_text,
    notes_of,
    spread,
    why_unlinked,
)
from cds_service.facts.staged import Axis
from cds_service.facts.staging import (
    TOLD,
    Baseline,
    Meaning,
    baseline,
    latest_groups,
    meaning,
    undatable,
    unread_or_absent,
    without_metastasis,
)
from cds_service.logic.truth import Truth
from cds_service.logic.values import EITHER, NO, YES, Choices

if TYPE_CHECKING:
    from cds_service.facts.chart import Chart


def _not_de_novo() -> str:
    return say("first recorded after diagnosis: not de novo")


def de_novo_metastasis(chart: Chart, definition: FactDefinition, need: Need) -> Fact:
    """Return whether the disease had spread to distant sites at diagnosis."""
    name, base = definition.name, baseline(chart)
    found = spread(chart, chart.value_sets[disease_options(chart)["distant_value_set"]])
    then = at_diagnosis(chart, found.ours, Truth.TRUE)
    later = at_diagnosis(chart, found.ours, Truth.FALSE)
    staged = tuple(one.evidence for one in base.m)
    evidence = staged + tuple(cited_condition(one) for one in (*then, *later))
    if base.recurrent:
        records = tuple(one.evidence for one in base.recurrent)
        return Fact.unknown(name, EITHER, Reason.CONFLICT, lean=NO, evidence=records, says=say("staged as recurrent"))
    if base.category == "conflict":
        return Fact.unknown(
            name, EITHER, Reason.CONFLICT, evidence=staged, says=say("M categories of the same time differ")
        )
    if base.category == "imprecise":
        return undatable(name, base, ())
    if base.category == "M1":
        return Fact.for_good(name, YES, evidence=evidence, says=base.m[0].value)
    if then and base.category == "M0":
        return Fact.unknown(
            name, EITHER, Reason.CONFLICT, evidence=evidence, says=say("M0 beside a distant metastasis")
        )
    if then and any(one.axis is Axis.METASTASIS and one.value[:2] == "M0" for one in base.imprecise):
        return undatable(name, base, then)
    if then:
        says = joined(one.code.label for one in then)
        return Fact.for_good(name, YES, evidence=evidence, notes=notes_of(then), says=says)
    if base.category == "M0" and (unclear := at_diagnosis(chart, found.ours, Truth.UNKNOWN)):
        return undatable(name, base, unclear)
    late = tuple(one.evidence for one in base.later) + tuple(cited_condition(one) for one in later)
    if base.category == "M0":
        if late and not chart.disease.treated:
            return Fact.unknown(name, EITHER, Reason.CONFLICT, lean=NO, evidence=staged + late, says=_not_de_novo())
        return without_metastasis(chart, name, staged, base.m[0].value)
    return _without_category(chart, name, base, found, late)


def _without_category(chart: Chart, name: str, base: Baseline, found: Spread, late: tuple[object, ...]) -> Fact:
    """Judge without an M category and without a metastasis at diagnosis."""
    options = disease_options(chart)
    groups = latest_groups(base)
    if groups and {meaning(one, options["stage_meaning"]) for one in groups} == {Meaning.M1}:
        evidence = tuple(one.evidence for one in groups)
        return Fact.unknown(
            name,
            EITHER,
            Reason.CLINICIAN,
            lean=YES,
            evidence=evidence,
            says=say("only stage {group}", group=groups[0].value),
        )
    if late:
        return Fact.unknown(name, EITHER, Reason.CONFLICT, lean=NO, evidence=late, says=_not_de_novo())
    unclear = at_diagnosis(chart, found.ours, Truth.UNKNOWN)
    undated_m = {one.metastatic for one in base.imprecise if one.axis is Axis.METASTASIS and one.value[:2] in TOLD}
    if unclear or undated_m:
        evidence = tuple(cited_condition(one) for one in unclear) + tuple(one.evidence for one in base.imprecise)
        says = say("it cannot be told whether this was at diagnosis")
        sides = undated_m | {True for _ in unclear}
        lean = Choices.of(sides.pop()) if len(sides) == 1 else None
        return Fact.unknown(name, EITHER, Reason.IMPRECISE_DATE, lean=lean, evidence=evidence, says=says)
    if found.disputed:
        evidence = tuple(cited_condition(one) for one in found.disputed)
        return Fact.unknown(name, EITHER, Reason.CONFLICT, evidence=evidence, says=say("confirmed and refuted"))
    if found.unlinked:
        evidence = tuple(cited_condition(one) for one in found.unlinked)
        why = why_unlinked(chart)
        return Fact.unknown(name, EITHER, Reason.CLINICIAN, lean=YES, evidence=evidence, says=why)
    if found.unsure:
        evidence = tuple(cited_condition(one) for one in found.unsure)
        return Fact.unknown(name, EITHER, Reason.NOT_FINAL, lean=YES, evidence=evidence)
    regional = chart.value_sets[options["regional_value_set"]]
    vague = chart.value_sets[options["unspecific_metastasis_value_set"]]
    unspecific = [c for c in chart.conditions if c.confirmed and c.code.find(vague) and not c.code.find(regional)]
    # A preliminary group that would not say M1 says as little of metastasis as its final would.
    pending = [
        one
        for one in base.pending
        if one.axis is Axis.METASTASIS or meaning(one, options["stage_meaning"]) is Meaning.M1
    ]
    fact = unread_or_absent(chart, name, replace(base, pending=tuple(pending)))
    if unspecific and not pending and not base.named:
        return Fact.unknown(
            name, EITHER, Reason.NOT_SPECIFIC, evidence=tuple(cited_condition(one) for one in unspecific)
        )
    named = [c for c in chart.conditions if _names_distant(c.code) and not c.refuted]
    if named and fact.missing[0].reason in (Reason.NO_RECORD, Reason.UNMAPPED_CODE):
        return named_in_text(name, named)
    return fact


_DISTANT_WORDS: Final = re.compile(
    r"(?:骨|肺|肝|脑|远处|多发|胸膜|肾上腺)\S{0,6}转移|转移性(?:骨|肺|肝|脑)"
    r"|(?:bone|lung|liver|hepatic|brain|distant|osseous|pulmonary|adrenal) metasta"
    r"|metasta\w* (?:to|in|of) (?:the )?(?:bone|lung|liver|brain|spine)"
)
_LIVER_WORDS: Final = re.compile(
    r"肝\S{0,6}转移|转移性肝|(?:liver|hepatic) metasta|metasta\w* (?:to|in|of) (?:the )?liver"
)


def _by_text(code: Coded) -> bool:
    """Say whether an entry has no code at all, so that its text is all there is."""
    return not any(coding.code and coding.system for coding in code.codings)


def _names_distant(code: Coded) -> bool:
    return _by_text(code) and bool(_DISTANT_WORDS.search(plain(code.label)))


def organ_metastasis(chart: Chart, definition: FactDefinition, need: Need) -> Fact:
    """Return whether one organ is metastatic: present when confirmed, absent only when stated."""
    name = definition.name
    value_set = chart.value_sets[definition.options["value_set"]]
    found = spread(chart, value_set, one_site=True)
    findings = [entry for entry in chart.observations if entry.usable and _about_organ(entry, definition, chart)]
    present = [e for e in findings if _sides(e, definition, chart) is True]
    # What was absent long before this disease says nothing of its metastases.
    refuted = [one for one in found.refuted if not chart.disease.long_before(_written(one))]
    absent = [e for e in findings if _sides(e, definition, chart) is False and not chart.disease.long_before(e.when)]
    seen = tuple(cited_condition(one) for one in (*found.ours, *found.disputed)) + tuple(cited(one) for one in present)
    denied = tuple(cited_condition(one) for one in refuted) + tuple(cited(one) for one in absent)
    said_yes = [_written(one) for one in found.ours] + [one.when for one in present]
    said_no = [_written(one) for one in refuted] + [one.when for one in absent]
    last_word_is_no, last_word_is_yes = _ordered(said_yes, said_no), _ordered(said_no, said_yes)
    if found.disputed or (said_yes and said_no and not last_word_is_no and not last_word_is_yes):
        return Fact.unknown(name, EITHER, Reason.CONFLICT, evidence=seen + denied)
    if said_yes and not (said_no and last_word_is_no):
        return Fact.known(name, YES, evidence=seen, notes=notes_of(found.ours))
    if found.unlinked:
        evidence = tuple(cited_condition(one) for one in found.unlinked)
        return Fact.unknown(
            name,
            EITHER,
            Reason.CLINICIAN,
            lean=YES,
            evidence=evidence,
            says=why_unlinked(chart),
        )
    suspected = [_written(one) for one in found.unsure]
    if said_no and (not suspected or _ordered(suspected, said_no)):
        return Fact.known(name, NO, evidence=denied)
    if found.unsure:
        evidence = tuple(cited_condition(one) for one in found.unsure)
        return Fact.unknown(name, EITHER, Reason.NOT_FINAL, lean=YES, evidence=evidence)
    named = [
        c for c in chart.conditions if _by_text(c.code) and _LIVER_WORDS.search(plain(c.code.label)) and not c.refuted
    ]
    if named:
        return named_in_text(name, named)
    base = baseline(chart)
    distant = spread(chart, chart.value_sets[disease_options(chart)["distant_value_set"]])
    if base.category == "M0" and not base.later and not distant.ours and not distant.unlinked:
        return Fact.known(name, NO, evidence=tuple(one.evidence for one in base.m), says="M0")
    complete = chart.complete(["Condition", "Observation"])
    return Fact.unknown(name, EITHER, Reason.NO_RECORD if complete else Reason.NOT_FETCHED)


def _about_organ(entry: ObservationEntry, definition: FactDefinition, chart: Chart) -> bool:
    value_set = chart.value_sets[definition.options["value_set"]]
    return bool(entry.code.find(value_set) or entry.answer.find(value_set))


def _sides(entry: ObservationEntry, definition: FactDefinition, chart: Chart) -> bool | None:
    """Return what a finding says: the organ coded as the answer is present; coded as the question, by the answer."""
    if entry.answer.find(chart.value_sets[definition.options["value_set"]]):
        return True
    codes = {coding.code for coding in entry.answer.codings if coding.system == SNOMED}
    if codes & set(definition.options["absent_codes"]) or entry.answer.text == "false":
        return False
    return True if codes & set(definition.options["present_codes"]) or entry.answer.text == "true" else None


def _written(entry: ConditionEntry) -> When | None:
    """Return when a problem-list entry was written down: what it knew is what was known then."""
    return entry.recorded or entry.onset


def _ordered(earlier: Sequence[When | None], later: Sequence[When | None]) -> bool:
    """Say whether everything in the first list is certainly before something in the second."""
    return all(any(a and b and a.before(b) for b in later) for a in earlier)

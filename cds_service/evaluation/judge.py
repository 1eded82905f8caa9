"""The judgement: a record and a library of rules in, the outcome of every trial out. Pure: no clock, no I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Final

from cds_service.errors import RequestError
from cds_service.evaluation.attested import Attestation, in_force, settled
from cds_service.evaluation.criterion import judge_criterion
from cds_service.evaluation.frame import chart_of, stand_of
from cds_service.evaluation.index import Standing, TrialIndex
from cds_service.evaluation.outcome import (
    DECEASED,
    CriterionOutcome,
    Decisive,
    PatientOutcome,
    Status,
    TrialOutcome,
    Verdict,
)
from cds_service.facts.chart import Chart
from cds_service.facts.fact import Evidence, Missing, Reason
from cds_service.facts.labs import new_result_until
from cds_service.facts.need import Need
from cds_service.facts.person import Person
from cds_service.facts.phrase import in_language, say, words_of_rules
from cds_service.facts.record import Record
from cds_service.facts.unmapped import UNMAPPED, unmapped_results
from cds_service.languages import translator
from cds_service.logic.truth import State, Truth
from cds_service.trials.model import Ask, Library, Trial

# What is cheap to settle comes first.
COST: Final = ("access", "lab", "measurement", "question", "pathology", "imaging")


def judge(
    record: Record,
    library: Library,
    *,
    as_of: date,
    anchor: date | None = None,
    trials: Sequence[str] | None = None,
    attested: Sequence[Attestation] = (),
) -> PatientOutcome:
    """Judge one patient against trials.

    Args:
        record: everything read about the patient.
        library: the rules.
        as_of: the day; nothing dated later is used.
        anchor: planned first dose, where lab windows of a gate that allows it end; None for ``as_of``.
        trials: registry numbers; None for all.
        attested: what people attested of this patient; what does not hold on the day or at the gate has no effect.

    Raises:
        RequestError: the anchor is before ``as_of``, or a trial is not in the library (404).
    """
    # A trial that is not signed off yet stands after those that are.
    signed_first = sorted(library.trials, key=lambda name: not library.trials[name].speaks)
    wanted = signed_first if trials is None else list(trials)
    check_asked(library, wanted, as_of, anchor)
    return _outcome(record, chart_of(record, library, as_of), library, wanted, anchor, attested)


def judge_where_it_may_apply(
    record: Record, library: Library, index: TrialIndex, *, as_of: date, anchor: date | None = None
) -> tuple[PatientOutcome, tuple[Standing, ...]]:
    """Judge one patient of many: explain only the trials whose disease the patient may have.

    Args:
        record: everything read about the patient.
        library: the rules.
        index: the trials, made ready once.
        as_of: the day; nothing dated later is used.
        anchor: as :func:`judge` takes it.

    Returns:
        What :func:`judge` says of the trials whose trigger does not fail, and where the patient stands in the others;
        both in the index's order.

    Raises:
        RequestError: the anchor is before ``as_of``.
    """
    check_asked(library, (), as_of, anchor)
    chart = chart_of(record, library, as_of)
    standings = index.standings(chart, anchor)
    wanted = [one.trial for one in standings if one.trigger is not Verdict.FAIL]
    others = tuple(one for one in standings if one.trigger is Verdict.FAIL)
    return _outcome(record, chart, library, wanted, anchor), others


def check_asked(library: Library, wanted: Iterable[str], as_of: date, anchor: date | None) -> None:
    """Refuse what cannot be asked.

    Raises:
        RequestError: the anchor is before ``as_of``, or a trial is not in the library (404).
    """
    if anchor is not None and anchor < as_of:
        raise RequestError("anchor must not be before as_of", field="anchor")
    if any(name not in library.trials for name in wanted):
        known = ", ".join(library.trials)
        raise RequestError(f"no such trial; known trials: {known}", field="trial", status=404)


def _outcome(
    record: Record,
    chart: Chart,
    library: Library,
    wanted: Sequence[str],
    anchor: date | None,
    attested: Sequence[Attestation] = (),
) -> PatientOutcome:
    unmapped = unmapped_results(chart.entries, library.value_sets)
    return PatientOutcome(
        patient=record.patient.reference,
        as_of=chart.moment.as_of,
        trials=tuple(judge_trial(library.trials[name], chart, library, anchor, attested) for name in wanted),
        set_aside={**record.set_aside, **({UNMAPPED: unmapped} if unmapped else {})},
        unread={kind: read.why for kind, read in chart.entries.reads.items() if not read.complete},
        site=library.site.label if library.site else "",
    )


def needed_codes(library: Library, trials: Collection[str] | None = None) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return, per resource type that is searched by code, the codes that trials can use.

    Only Observations are narrowed: every other type is read whole, since absence matters there.

    Args:
        library: the rules.
        trials: registry numbers; None for those that speak in charts.
    """
    names = {
        name
        for fact in sorted(_facts_needed(library, trials))
        if _is_observed((definition := library.facts[fact]).kind)
        for options in (definition.options, definition.options.get("karnofsky", {}))
        for key in (
            "value_set",
            "histology_observation_value_set",
            "m_type_value_set",
            "stage_type_value_sets",
        )
        if key in options
        for name in ([options[key]] if isinstance(options[key], str) else options[key])
    }
    codes = [
        (concept.system, concept.code)
        for name in sorted(names)
        for concept in library.value_sets[name].concepts
        if not concept.prefix
    ]
    searched = library.site.searched(codes) if library.site else codes
    return {"Observation": tuple(dict.fromkeys(searched))}


def _facts_needed(library: Library, trials: Collection[str] | None) -> set[str]:
    """Return every fact that these trials (None: the signed-off ones) read, and the facts that those are made of."""
    spoken = [one for name, one in library.trials.items() if (one.speaks if trials is None else name in trials)]
    needs = [need for trial in spoken for one in trial.criteria for need in one.needs.values()]
    needs += [need for trial in spoken for need in trial.gate_needs.values()]
    found: set[str] = set()
    waiting = [need.fact for need in needs]
    while waiting:
        fact = waiting.pop()
        if fact not in found:
            found.add(fact)
            parts = library.facts[fact].options.values()
            waiting += [part for part in parts if isinstance(part, str) and part in library.facts]
    return found


def _is_observed(kind: str) -> bool:
    return kind != "active_anticoagulant"


def judge_trial(
    trial: Trial, chart: Chart, library: Library, anchor: date | None, attested: Sequence[Attestation] = ()
) -> TrialOutcome:
    """Judge one trial on a chart that no gate was chosen for yet.

    Args:
        trial: of the library.
        chart: the record on the day.
        library: the rules.
        anchor: as :func:`judge` takes it; not before the day.
        attested: as :func:`judge` takes it.
    """
    stand = stand_of(trial, chart, library, anchor)
    gate, at = stand.gate, stand.chart
    chinese = translator("zh", library)
    judged: Iterable[CriterionOutcome] = (judge_criterion(criterion, at) for criterion in trial.at(gate.id))
    if attested:
        said = in_force(attested, trial.id, gate.id, chart.moment.as_of)
        judged = [settled(one, said.get(one.criterion.id)) for one in judged]
    outcomes = tuple(replace(one, message_zh=in_language(one.message, chinese)) for one in judged)
    confirm = [one for one in outcomes if one.for_a_person and not one.criterion.trigger]
    rest = [one for one in outcomes if one not in confirm]
    deceased = at.person.deceased
    blocked = (DECEASED,) if deceased is Truth.TRUE else ()
    # To be alive is one more sentence of the AND; unknown, it excludes nobody and makes nobody a candidate.
    alive = [State.UNKNOWN] if deceased is Truth.UNKNOWN else []
    status = Status.EXCLUDED if blocked else _status([*alive, *(one.state for one in rest)])
    # Those leaning fail come first: they are what the card names.
    confirm.sort(key=lambda one: one.leaning is not Verdict.FAIL)
    return TrialOutcome(
        trial=trial,
        gate=gate.id,
        status=status,
        blocked=blocked,
        to_confirm=tuple(one.criterion.id for one in confirm),
        criteria=outcomes,
        decisive=(*_death(at.person), *_decisive(rest, library, at)) if status is Status.NEEDS_DATA else (),
        until=min((one.until for one in outcomes if one.until and one.verdict is Verdict.PASS), default=None),
        look_again=_look_again(rest) if status is Status.NOT_NOW else None,
        gate_facts=stand.gate_facts,
    )


def _status(states: Iterable[State]) -> Status:
    state = State.all_of(states)
    if state is State.UNKNOWN:
        return Status.NEEDS_DATA
    if state > State.UNKNOWN:
        return Status.CANDIDATE
    return Status.EXCLUDED if state is State.FALSE_FOR_GOOD else Status.NOT_NOW


def _look_again(outcomes: Iterable[CriterionOutcome]) -> date | None:
    """Return the earliest day on which every failing criterion may have turned, if each names one."""
    failing = [one for one in outcomes if one.verdict is Verdict.FAIL]
    # What a person said may be said anew on any day: no day can be told.
    told = [() if one.attested else tuple(one.facts.values()) for one in failing]
    days = [max((fact.look_again for fact in facts if fact.look_again), default=None) for facts in told]
    known = [day for day in days if day is not None]
    return max(known) if known and len(known) == len(days) else None


def _death(person: Person) -> tuple[Decisive, ...]:
    """Return the question whether the patient has died, where part of a date leaves it open."""
    if person.deceased is not Truth.UNKNOWN:
        return ()
    died = (person.died,) if person.died else ()
    label = say("Whether the patient has died")
    return (Decisive(DECEASED, label, Reason.IMPRECISE_DATE, None, (), Ask("question"), died),)


def _decisive(outcomes: Iterable[CriterionOutcome], library: Library, chart: Chart) -> tuple[Decisive, ...]:
    """Return the missing facts of every criterion that keeps the status open, the cheapest to settle first."""
    found: dict[str, list[tuple[Missing, CriterionOutcome]]] = {}
    for one in outcomes:
        if one.state is State.UNKNOWN:
            for missing in one.reasons:
                found.setdefault(missing.fact, []).append((missing, one))
    decisive = [_one_decisive(name, cases, library, chart) for name, cases in found.items()]
    return tuple(sorted(decisive, key=lambda one: COST.index(one.ask.kind)))


def _one_decisive(
    name: str, cases: Sequence[tuple[Missing, CriterionOutcome]], library: Library, chart: Chart
) -> Decisive:
    definition = library.facts[name]
    reason = cases[0][0].reason
    leanings = {one.leaning for _, one in cases}
    needs = [need for _, one in cases for need in one.criterion.needs.values() if need.fact == name]
    # A fact that another one is made of (the weight of a clearance) is read as of the day.
    need = needs[0] if needs else Need(name, anchor="as_of")
    ask = Ask("access", definition.ask.system, definition.ask.code) if reason is Reason.NOT_FETCHED else definition.ask
    return Decisive(
        fact=name,
        label=words_of_rules(definition.label["en"]),
        reason=reason,
        leaning=leanings.pop() if len(leanings) == 1 else None,
        criteria=tuple(one.criterion.id for _, one in cases),
        ask=ask,
        evidence=_evidence_of(name, cases) or chart.fact(need).evidence,
        alternatives=_alternatives(name, [one for _, one in cases]),
        new_until=None if reason is Reason.NOT_FETCHED else new_result_until(chart, need, definition),
    )


def _alternatives(name: str, outcomes: Sequence[CriterionOutcome]) -> tuple[str, ...]:
    """Return the facts that could stand in for one in all of its criteria."""
    if not all(name in one.alternatives for one in outcomes):
        return ()
    first, *rest = outcomes
    return tuple(fact for fact in first.alternatives if fact != name and all(fact in o.alternatives for o in rest))


def _evidence_of(name: str, cases: Sequence[tuple[Missing, CriterionOutcome]]) -> tuple[Evidence, ...]:
    facts = (fact for _, one in cases for fact in one.facts.values() if fact.name == name)
    return tuple(dict.fromkeys(evidence for fact in facts for evidence in fact.evidence))

"""One criterion for one patient: its state on both horizons, its reasons, its leaning, its evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from cds_service.evaluation.explanation import explain
from cds_service.evaluation.outcome import CriterionOutcome, Verdict
from cds_service.facts.chart import Chart
from cds_service.facts.dates import When
from cds_service.facts.fact import Evidence, Fact, Missing, Reason
from cds_service.facts.phrase import words_of_rules
from cds_service.logic.completions import Decision, decide, settles
from cds_service.logic.truth import State, Truth
from cds_service.logic.values import Value
from cds_service.trials.model import Criterion, Kind


def judge_criterion(criterion: Criterion, chart: Chart) -> CriterionOutcome:
    """Judge one criterion; an exclusion that is true is a fail."""
    facts: Mapping[str, Fact] = {name: chart.fact(need) for name, need in criterion.needs.items()}
    decision = decide(criterion.logic, {name: fact.value for name, fact in facts.items()})
    state = as_required(criterion, decision.state)
    facts = _with_birthdays(criterion, facts, state, chart)
    reasons = reasons_of(criterion, facts, decision)
    leaning = _leaning(criterion, facts) if state is State.UNKNOWN else None
    alternatives = _alternatives(criterion, facts, decision, reasons)
    return CriterionOutcome(
        criterion=criterion,
        state=state,
        leaning=leaning,
        reasons=reasons,
        decisive=tuple(dict.fromkeys(missing.fact for missing in reasons)),
        facts=facts,
        evidence=_evidence(facts),
        tests={fact.name: _label(fact, chart) for fact in facts.values() if chart.definitions[fact.name].kind == "lab"},
        notes=tuple(dict.fromkeys(note for fact in facts.values() for note in fact.notes)),
        message=explain(criterion, state, reasons, leaning, facts, chart, alternatives),
        alternatives=alternatives,
    )


def _with_birthdays(criterion: Criterion, facts: Mapping[str, Fact], state: State, chart: Chart) -> Mapping[str, Fact]:
    """Keep the last day of an age where the next one turns the verdict, and look again at a fail on the day after."""
    found = dict(facts)
    for name, fact in facts.items():
        if chart.definitions[fact.name].kind != "age" or fact.until is None:
            continue
        birthday = fact.until + timedelta(days=1)
        ages = chart.person.ages(When.on(birthday))
        older = {one: Value.fixed(ages) if one == name and ages else facts[one].value for one in facts}
        then = as_required(criterion, decide(criterion.logic, older).state)
        lasts = state > State.UNKNOWN >= then
        turns = state < State.UNKNOWN <= then
        found[name] = replace(fact, until=fact.until if lasts else None, look_again=birthday if turns else None)
    return found


def _label(fact: Fact, chart: Chart) -> str:
    return words_of_rules(chart.definitions[fact.name].label["en"])


def as_required(criterion: Criterion, state: State) -> State:
    """Return the state of what the protocol requires: an exclusion that is true is a fail."""
    return state.negated if criterion.kind is Kind.EXCLUSION else state


def reasons_of(criterion: Criterion, facts: Mapping[str, Fact], decision: Decision) -> tuple[Missing, ...]:
    """Return why the criterion is unknown: the missing pieces of the facts that decide, in the rule's order."""
    if decision.state is not State.UNKNOWN:
        return ()
    disputed = criterion.logic.disagreements({name: fact.value for name, fact in facts.items()})
    conflicts = [Missing(facts[name].name, Reason.CONFLICT) for name in disputed]
    found = [missing for name, fact in facts.items() if name in decision.decisive for missing in fact.missing]
    one_per_fact: dict[str, Missing] = {}
    for missing in (*conflicts, *found):
        one_per_fact.setdefault(missing.fact, missing)
    return tuple(one_per_fact.values())


def _alternatives(
    criterion: Criterion, facts: Mapping[str, Fact], decision: Decision, reasons: Sequence[Missing]
) -> tuple[str, ...]:
    """Return the missing pieces any one of which, known alone, could make the criterion pass; none for fewer than two.

    A variable is known when all it lacks is known: a clearance that lacks creatinine and weight needs both.
    """
    wanted = Truth.FALSE if criterion.kind is Kind.EXCLUSION else Truth.TRUE
    lacks = {name: {missing.fact for missing in facts[name].missing} for name in decision.decisive}
    if len(reasons) < 2:
        return ()
    values = {name: fact.value for name, fact in facts.items()}
    able = tuple(
        piece.fact
        for piece in reasons
        if (known := [name for name, pieces in lacks.items() if pieces == {piece.fact}])
        and settles(criterion.logic, values, decision, known, wanted)
    )
    return able if len(able) > 1 else ()


def _leaning(criterion: Criterion, facts: Mapping[str, Fact]) -> Verdict | None:
    """Return what the evidence at hand would give."""
    state = as_required(criterion, decide(criterion.logic, {n: Value.fixed(f.lean) for n, f in facts.items()}).state)
    if state is State.UNKNOWN:
        return None
    return Verdict.PASS if state > State.UNKNOWN else Verdict.FAIL


def _evidence(facts: Mapping[str, Fact]) -> tuple[Evidence, ...]:
    """Return each record once, as the first fact that cites it has it."""
    first: dict[tuple[str, str], Evidence] = {}
    for fact in facts.values():
        for evidence in fact.evidence:
            first.setdefault((evidence.resource, str(evidence.value)), evidence)
    return tuple(first.values())

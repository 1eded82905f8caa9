"""What if: a trial's outcome with values that a person supposes. Nothing of it is ever stored.

A supposed value is judged as the record would be that brings it: a new final result of the day, a coded answer, the
patient's own data. Where no single record would say it (a problem list that was not read), the fact itself is
supposed; what only a person can settle is supposed as attested (docs/adr/0027).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Literal

from cds_service.errors import RequestError
from cds_service.evaluation.attested import NEVER, Attestation
from cds_service.evaluation.frame import chart_of, stand_of
from cds_service.evaluation.judge import judge, judge_trial
from cds_service.evaluation.outcome import DECEASED, Decisive, TrialOutcome, Verdict
from cds_service.evaluation.supposed import GRADES, Supposition, ends_in_yes_or_no, suppose, typed_in
from cds_service.facts.need import XULN, Need
from cds_service.facts.phrase import say, words_of_rules
from cds_service.facts.record import Record
from cds_service.trials.model import FactDefinition, Library, Trial

CONFIRM: Final = "confirm-"
"""What the name of a criterion to confirm begins with: no fact's name holds a hyphen."""


@dataclass(frozen=True)
class Supposable:
    """One thing that a person may suppose.

    Args:
        name: what a form field is called by: a fact's name, or :data:`CONFIRM` and a criterion's id.
        label: for people; a phrase.
        kind: how it is given: a number, one of the choices, or a verdict ("pass", "fail").
        unit: of the number, as recorded; "" for none.
        hint: how it may be written; a phrase, "" where nothing needs saying.
        choices: value and label of each; empty for a number.
        criteria: ids of the criteria it bears on.
    """

    name: str
    label: str
    kind: Literal["number", "choice", "verdict"]
    unit: str = ""
    hint: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    criteria: tuple[str, ...] = ()


def names(trial: Trial, library: Library) -> frozenset[str]:
    """Return every name that might be supposed of some patient for a trial: no word that a caller made up is one.

    Args:
        trial: of the rules.
        library: the rules; a fact that no criterion names may still be what another one lacks.
    """
    return frozenset({DECEASED, *library.facts, *(CONFIRM + one.id for one in trial.criteria)})


def supposable(outcome: TrialOutcome, library: Library) -> tuple[Supposable, ...]:
    """Return what may be supposed: each decisive fact, and each criterion that only a person can settle.

    Args:
        outcome: of the trial, on the record as it stands.
        library: the rules.
    """
    settled_by_people = [one for one in outcome.criteria if one.for_a_person]
    alone = {one.criterion.id for one in settled_by_people}
    facts = (one for one in outcome.decisive if not one.criteria or not alone.issuperset(one.criteria))
    verdicts = (
        Supposable(
            CONFIRM + one.criterion.id,
            words_of_rules(one.criterion.short),
            "verdict",
            choices=((Verdict.PASS.value, say("met")), (Verdict.FAIL.value, say("not met"))),
            criteria=(one.criterion.id,),
        )
        for one in settled_by_people
    )
    return (*(found for one in facts for found in _of_fact(one, outcome, library)), *verdicts)


def _of_fact(decisive: Decisive, outcome: TrialOutcome, library: Library) -> Iterator[Supposable]:
    """Yield how a decisive fact may be given; nothing where nothing that is typed could say it."""
    plain = Supposable(decisive.fact, decisive.label, "choice", criteria=decisive.criteria)
    yes_or_no = (("yes", say("yes")), ("no", say("no")))
    if decisive.fact == DECEASED:
        yield replace(plain, choices=yes_or_no)
        return
    definition = library.facts[decisive.fact]
    analyte = str(definition.options.get("analyte", ""))
    if definition.kind == "sex":
        yield replace(plain, choices=(("male", say("male")), ("female", say("female"))))
    elif definition.kind == "age":
        yield replace(plain, kind="number", hint=say("completed years"))
    elif analyte in GRADES:
        yield replace(plain, choices=tuple((str(grade), str(grade)) for grade in GRADES[analyte]))
    elif analyte and definition.type == "number":
        in_multiples = any(need.unit == XULN for need in _needs(decisive, outcome))
        hint = say("a number, its multiple of the upper limit as 1.2x, or both as 20/21") if in_multiples else ""
        yield replace(plain, kind="number", unit=typed_in(definition, decisive.evidence, library.value_sets), hint=hint)
    elif definition.type == "number":
        yield replace(plain, kind="number", unit=definition.unit)
    elif definition.kind == "treatment_seen":
        yield replace(plain, choices=yes_or_no[:1])
    elif ends_in_yes_or_no(definition):
        yield replace(plain, choices=_answers(definition) or yes_or_no)
    else:
        named = dict.fromkeys(code for code in _named(decisive, outcome) if code)
        if named:
            yield replace(plain, choices=tuple((code, code) for code in named))


def _answers(definition: FactDefinition) -> tuple[tuple[str, str], ...]:
    """Return what yes and no are called, where the record would not say yes or no."""
    if definition.kind in ("metastatic_stage", "de_novo_metastasis"):
        return (("yes", "M1"), ("no", "M0"))
    return ()


def _needs(decisive: Decisive, outcome: TrialOutcome) -> Iterator[Need]:
    for one in outcome.criteria:
        yield from (need for need in one.criterion.needs.values() if need.fact == decisive.fact)


def _named(decisive: Decisive, outcome: TrialOutcome) -> Iterator[str]:
    """Yield the codes that the criteria name for a fact."""
    for one in outcome.criteria:
        for name, need in one.criterion.needs.items():
            if need.fact == decisive.fact:
                yield from (code for code in one.criterion.logic.limits.get(name, ()) if isinstance(code, str))


def judge_if(
    record: Record,
    library: Library,
    trial: str,
    *,
    as_of: date,
    anchor: date | None = None,
    attested: Sequence[Attestation] = (),
    supposed: Mapping[str, str],
) -> TrialOutcome:
    """Judge a trial with supposed values.

    Args:
        record: everything read about the patient; it is not changed.
        library: the rules.
        trial: registry number.
        as_of: the day.
        anchor: as :func:`cds_service.evaluation.judge.judge` takes it.
        attested: what people attested.
        supposed: by the name of a :class:`Supposable`, as typed; a blank one is as if not there.

    Raises:
        RequestError: as :func:`~cds_service.evaluation.judge.judge`; or a value cannot be read, or its name is none
            that may be supposed: the field is named, never the value.
    """
    outcome = judge(record, library, as_of=as_of, anchor=anchor, trials=[trial], attested=attested).trials[0]
    wanted = {name: typed.strip() for name, typed in supposed.items() if typed.strip()}
    if not wanted:
        return outcome
    offered = {one.name: one for one in supposable(outcome, library)}
    if not offered.keys() >= wanted.keys():
        raise RequestError("what is supposed is not among what is missing or to confirm", field="supposed")
    chart = chart_of(record, library, as_of)
    stand = stand_of(library.trials[trial], chart, library, anchor)
    so_far, said = Supposition(record), []
    # In the order they are offered in, whatever the order of the form.
    for name, one in offered.items():
        if name not in wanted:
            continue
        if one.choices and wanted[name] not in dict(one.choices):
            raise RequestError("choose one of the answers that are offered", field=f"if-{name}")
        if one.kind == "verdict":
            verdict = Verdict(wanted[name])
            said.append(Attestation(trial, one.criteria[0], outcome.gate, verdict, "", as_of, NEVER))
        else:
            so_far = suppose(so_far, stand.chart, library, name, wanted[name], one.unit)
    chart = replace(chart_of(so_far.record, library, as_of), supposed=so_far.facts)
    return judge_trial(library.trials[trial], chart, library, anchor, [*attested, *said])

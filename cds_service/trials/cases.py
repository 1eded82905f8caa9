"""``tests.yaml``: patients in shorthand and what a trial must say of them; read here, run elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from cds_service.facts.definitions import FactDefinition
from cds_service.facts.fact import Reason
from cds_service.trials.case_model import Case, CaseFile
from cds_service.trials.complaints import Complaints, did_you_mean, quoted
from cds_service.trials.form import Part
from cds_service.trials.load import check_format
from cds_service.trials.model import Trial
from cds_service.trials.patient_words import check_patient, entry_names
from cds_service.trials.yaml_text import Document, read_document

CASE_FILE: Final = "tests.yaml"
# Source: the eligibility contract, section 1.
VERDICTS: Final = ("pass", "fail", "unknown")
STATUSES: Final = ("candidate", "needs-data", "not-now", "excluded")

TOP: Final = ("trial", "as_of", "patient", "cases")
TOP_OPTIONAL: Final = ("format", "cannot")
REQUIRED: Final = ("it", "expect")
OPTIONAL: Final = ("given", "without", "as_of", "anchor", "why", "leaning", "on_limit")
WHOLE: Final = ("status", "gate", "can_change", "to_confirm", "decisive")
"""Keys of ``expect`` that speak of the whole answer; every other key is a criterion's id."""


@dataclass(frozen=True)
class _Names:
    criteria: Collection[str]
    gates: Collection[str]
    facts: Mapping[str, FactDefinition]
    entries: Collection[str]


def load_cases(file: Path, trial: Trial, facts: Mapping[str, FactDefinition]) -> CaseFile:
    """Read the cases of a trial.

    Args:
        file: ``tests.yaml`` beside the rule file.
        trial: the trial they speak of.
        facts: every fact definition.

    Raises:
        RuleError: with every complaint.
    """
    complaints = Complaints()
    case_file = read_cases(read_document(file), trial, facts, complaints, file)
    complaints.raise_any()
    return case_file


def read_cases(
    document: Document, trial: Trial, facts: Mapping[str, FactDefinition], complaints: Complaints, file: Path
) -> CaseFile:
    """Check the document of a ``tests.yaml``; what is wrong is complained of and replaced by nothing."""
    top = Part.whole(document, complaints).fields(TOP, TOP_OPTIONAL)
    if top["trial"].text() not in ("", trial.id):
        top["trial"].complain(f"{quoted(top['trial'].text())} is not the trial beside this file, {trial.id}")
    check_format(top["format"])
    before = len(complaints)
    patient = _patient(top["patient"], facts)
    mistaken = len(complaints) > before  # then a case that leaves out the entry meant is not complained of as well
    names = _Names(
        criteria=[criterion.id for criterion in trial.criteria],
        gates=[gate.id for gate in trial.gates],
        facts=facts,
        entries=[*patient, *entry_names(facts)] if mistaken else patient,
    )
    first_seen: dict[str, int] = {}
    cases = tuple(_case(entry, names, first_seen) for entry in top["cases"].items())
    return CaseFile(
        trial=trial.id,
        as_of=top["as_of"].day() or date.min,
        patient=patient,
        cases=cases,
        cannot=_cannot(top["cannot"], names),
        path=file,
    )


def _case(entry: Part, names: _Names, first_seen: dict[str, int]) -> Case:
    fields = entry.fields(REQUIRED, OPTIONAL)
    it = fields["it"].text(most=200)
    if it in first_seen:
        fields["it"].complain(f"{quoted(it)} is the name of the case on line {first_seen[it]} too")
    first_seen.setdefault(it, entry.line)
    expect = fields["expect"]
    said = expect.entries()
    if isinstance(expect.data, dict) and not said:
        expect.complain("the case expects nothing")
    whole = {key: expect.inside(key) for key in WHOLE}
    given = _patient(fields["given"], names.facts)
    without = fields["without"].different(names.entries, "entry of the patient")
    for key in without:
        if key in given:
            fields["without"].complain(f"{quoted(key)} is given and left out at once")
    known = (*names.criteria, *WHOLE)
    verdicts = _by_criterion(expect, [key for key in said if key not in WHOLE], known, VERDICTS, "verdict")
    case = Case(
        it=it,
        given=given,
        without=without,
        as_of=fields["as_of"].day(),
        anchor=fields["anchor"].day(),
        verdicts=verdicts,
        status=whole["status"].choice(STATUSES, "status") or None,
        gate=whole["gate"].choice(names.gates, "gate") or None,
        can_change=_flags(whole["can_change"], names),
        to_confirm=_list(whole["to_confirm"], names.criteria, "criterion"),
        decisive=_list(whole["decisive"], names.facts, "fact"),
        why=_all_by_criterion(fields["why"], names, [reason.value for reason in Reason], "reason"),
        leaning=_leaning(fields["leaning"], names),
        on_limit=fields["on_limit"].flag(),
        line=entry.line,
    )
    _check_sense(fields, case)
    return case


def _patient(part: Part, facts: Mapping[str, FactDefinition]) -> dict[str, Any]:
    entries = part.entries()
    check_patient(entries, facts)
    return {key: entry.data for key, entry in entries.items()}


def _check_sense(fields: Mapping[str, Part], case: Case) -> None:
    """Complain of a case that contradicts itself."""
    for key, said in (("why", case.why), ("leaning", case.leaning)):
        for criterion in said:
            if case.verdicts.get(criterion, "unknown") != "unknown":
                fields[key].complain(
                    f"only an unknown has a {key}; {criterion!r} is expected to be known", at=(criterion,)
                )
    if case.on_limit and not case.verdicts:
        fields["on_limit"].complain("a case on a limit says the verdict of the criterion whose limit it is")


def _by_criterion(
    part: Part, keys: Collection[str], known: Collection[str], words: Collection[str], what: str
) -> dict[str, str]:
    found = {}
    for key in keys:
        value = part.inside(key)
        if key not in known:
            value.complain(f"unknown criterion {quoted(key)}", did_you_mean(key, known))
        found[key] = value.choice(words, what)
    return found


def _all_by_criterion(part: Part, names: _Names, words: Collection[str], what: str) -> dict[str, str]:
    return _by_criterion(part, list(part.entries()), names.criteria, words, what)


def _leaning(part: Part, names: _Names) -> dict[str, str | None]:
    """Read leanings; null says that there is none."""
    entries = part.entries()
    none: dict[str, str | None] = {key: None for key, value in entries.items() if value.data is None}
    said = [key for key in entries if key not in none]
    for key in none:
        if key not in names.criteria:
            part.complain(f"unknown criterion {quoted(key)}", did_you_mean(key, names.criteria), at=(key,))
    return none | _by_criterion(part, said, names.criteria, VERDICTS[:2], "leaning")


def _flags(part: Part, names: _Names) -> dict[str, bool]:
    for key, value in part.entries().items():
        if key not in names.criteria:
            value.complain(f"unknown criterion {quoted(key)}", did_you_mean(key, names.criteria))
    return {key: value.flag() for key, value in part.entries().items()}


def _list(part: Part, known: Collection[str], what: str) -> tuple[str, ...] | None:
    """Read a list that may be empty: "nothing" is something to expect."""
    if not part.present:
        return None
    return () if part.data == [] else part.different(known, what)


def _cannot(part: Part, names: _Names) -> dict[str, Mapping[str, str]]:
    """Read, by criterion, the verdicts it cannot have and why."""
    for key, value in part.entries().items():
        if key not in names.criteria:
            value.complain(f"unknown criterion {quoted(key)}", did_you_mean(key, names.criteria))
        for verdict in value.entries():
            if verdict not in VERDICTS:
                value.complain(f"unknown verdict {quoted(verdict)}", did_you_mean(verdict, VERDICTS), at=(verdict,))
    return {key: value.texts() for key, value in part.entries().items()}


__all__ = ["CASE_FILE", "Case", "CaseFile", "load_cases", "read_cases"]

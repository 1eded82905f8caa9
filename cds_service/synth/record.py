"""One patient: facts drawn, the truth told, the record written, some of it lost."""

from __future__ import annotations

from dataclasses import dataclass

from cds_service.synth.drawn import draw_person
from cds_service.synth.fragments import Line, Pen
from cds_service.synth.names import name_element
from cds_service.synth.person import AS_OF, TRIAL, Person
from cds_service.synth.spoilt import Spoilt, draw_spoilt, intact
from cds_service.synth.stream import Stream
from cds_service.synth.truth import Truth, judge
from cds_service.synth.written_disease import (
    write_lesions_and_responses,
    write_liver,
    write_pathology,
    write_performance,
    write_problems,
    write_staging,
)
from cds_service.synth.written_drugs import write_anticoagulant, write_no_treatment, write_treatments
from cds_service.synth.written_labs import write_labs


@dataclass(frozen=True, slots=True)
class MadeUp:
    """One made-up patient.

    Args:
        person: the full facts.
        truth: the contract's answer to them.
        spoilt: what was left out or spoilt of the record.
        sexed: the analytes whose ranges are written for one sex.
        lines: the resources, the Patient first.
    """

    person: Person
    truth: Truth
    spoilt: Spoilt
    sexed: frozenset[str]
    lines: list[Line]

    def keeps(self, criterion: str) -> bool:
        """Say whether everything that a criterion rests on was left in."""
        return intact(self.spoilt, criterion, self.sexed)

    def truth_line(self) -> str:
        """Return the line of the truth file."""
        truth, rows = self.truth, []
        for name, one in truth.criteria.items():
            changes = "true" if one.can_change else "false"
            whole = "true" if self.keeps(name) else "false"
            rows.append(f'"{name}":{{"verdict":"{one.verdict}","can_change":{changes},"intact":{whole}}}')
        left_out = ",".join(f'"{fact}":"{how}"' for fact, how in self.spoilt.items())
        return (
            f'{{"patient":"Patient/{self.person.id}","as_of":"{AS_OF}","trial":"{TRIAL}","gate":"{truth.gate}",'
            f'"status":"{truth.status}","story":"{self.person.story}","spoilt":{{{left_out}}},'
            f'"criteria":{{{",".join(rows)}}}}}'
        )


def make_up(seed: int, number: int, missing: float, *, named: bool = False) -> MadeUp:
    """Make one patient; the same for a seed and a number, whatever else is made.

    Args:
        seed: of the population.
        number: of the patient, from 1.
        missing: the probability that a fact is left out or spoilt.
        named: whether the Patient has names; nothing else depends on it.
    """
    person = draw_person(seed, number)
    spoilt = draw_spoilt(seed, number, person, missing)
    rng = Stream(f"{seed}/{number}/record")
    pen = Pen(person.id)
    other_cancer = write_problems(rng, pen, person, spoilt)
    stated = any('"refuted"' in text for _kind, text in pen.lines)
    write_pathology(rng, pen, person, spoilt)
    write_staging(rng, pen, person, spoilt)
    write_liver(rng, pen, person, spoilt, stated=stated or "problem-list" in spoilt)
    write_performance(rng, pen, person, spoilt)
    write_lesions_and_responses(rng, pen, person, spoilt)
    write_treatments(rng, pen, person, spoilt, other_cancer)
    write_anticoagulant(rng, pen, person, spoilt)
    write_no_treatment(rng, pen, person)
    sexed = write_labs(rng, pen, person, spoilt)
    name = name_element(seed, number, person.sex) if named else ""
    lines = [("Patient", _patient(rng, person, spoilt, name)), *pen.lines]
    return MadeUp(person, judge(person), spoilt, sexed, lines)


def _patient(rng: Stream, person: Person, spoilt: Spoilt, name: str) -> str:
    birth = f',"birthDate":"{person.birth}"'
    match spoilt.get("birth"):
        case "removed":
            birth = ""
        case "year-only":
            birth = f',"birthDate":"{person.birth.year:04d}"'
    sex = "" if "sex" in spoilt else f',"gender":"{person.sex}"'
    dead = ""
    if person.dead:
        dead = ',"deceasedBoolean":true' if rng.random() < 0.5 else ',"deceasedDateTime":"2026-02-20"'
    return f'{{"resourceType":"Patient","id":"{person.id}"{name}{sex}{birth}{dead}}}'

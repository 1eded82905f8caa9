"""Laboratory results as hospitals hold them: history, superseded values, and noise that never counts."""

from __future__ import annotations

from datetime import timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Final

from cds_service.synth.analytes import ANALYTES, Analyte, Unit
from cds_service.synth.codes import LOCAL
from cds_service.synth.drawn_labs import other_side, unit_of
from cds_service.synth.fragments import LABORATORY, NO_VALUE, Pen, ago, effective, loinc, observation, quantity_tail
from cds_service.synth.person import AS_OF, Lab, Person
from cds_service.synth.spoilt import Spoilt
from cds_service.synth.stream import Stream

_SEXED: Final = frozenset({"creatinine", "alt"})
# How the record that counts is spoilt; "removed" and "stale" are handled apart.
_ALONE: Final = frozenset({"preliminary", "no-value", "month-only", "comparator"})


def write_labs(rng: Stream, pen: Pen, person: Person, spoilt: Spoilt) -> frozenset[str]:
    """Write every result; return the analytes whose ranges are written for one sex."""
    sexed = set()
    for name, lab in person.labs.items():
        style = _Style(rng, name, lab, person, spoilt.get(name, ""))
        if style.sexed:
            sexed.add(name)
        _write(rng, pen, style)
    return frozenset(sexed)


class _Style:
    """How one hospital writes one analyte."""

    __slots__ = ("analyte", "code", "lab", "name", "range", "sexed", "spoilt", "tail", "unit")

    def __init__(self, rng: Stream, name: str, lab: Lab, person: Person, spoilt: str) -> None:
        self.name, self.lab, self.spoilt = name, lab, spoilt
        self.analyte: Analyte = ANALYTES[name]
        self.unit: Unit = unit_of(name, lab.unit)
        text = rng.choice(self.analyte.texts)
        number = rng.choice(self.unit.loinc)
        if spoilt == "local-code":
            self.code = loinc(self.analyte.local, text, system=LOCAL)
        else:
            self.code = loinc(number, text, self.analyte.local if rng.random() < 0.2 else "")
        spelling = rng.choice(self.unit.spellings)
        self.tail = quantity_tail(lab.unit, spelling, coded_unit=rng.random() < 0.85 or not spelling)
        self.sexed = name in _SEXED and lab.high is not None and rng.random() < 0.3
        self.range = self._range(lab.high, person) if lab.high is not None else ""

    def _range(self, high: Decimal, person: Person) -> str:
        one = f'{{"low":{{"value":{self.lab.low}{self.tail},"high":{{"value":{high}{self.tail}'
        if not self.sexed:
            return f',"referenceRange":[{one}}}]'
        lower = (high * Decimal("0.8")).quantize(high, ROUND_FLOOR)
        foreign = f'{{"low":{{"value":{self.lab.low}{self.tail},"high":{{"value":{lower}{self.tail}'
        other = "female" if person.sex == "male" else "male"
        return f',"referenceRange":[{one},{_for(person.sex)}}},{foreign},{_for(other)}}}]'

    def quantity(self, value: Decimal, comparator: str = "", *, unit: bool = True) -> str:
        """Return a valueQuantity."""
        compared = f',"comparator":"{comparator}"' if comparator else ""
        return f'"valueQuantity":{{"value":{value}{compared}{self.tail if unit else "}"}'


def _for(sex: str) -> str:
    return f'"appliesTo":[{{"coding":[{{"system":"http://hl7.org/fhir/administrative-gender","code":"{sex}"}}]}}]'


def _write(rng: Stream, pen: Pen, style: _Style) -> None:
    lab, spoilt = style.lab, style.spoilt
    # Drawn first and used or not, so that a loss changes less. Facts and the truth's verdicts are the same whatever is
    # lost; the records are not: a loss draws more or less, and what is written after it moves.
    older = [style.analyte.window + rng.randint(3, 45) + 60 * n for n in range(rng.choice((0, 1, 1, 2)))]
    superseded, noise, comparing = rng.random() < 0.25, rng.random(), rng.random() < 0.3
    if spoilt == "removed":
        return
    if spoilt == "stale" and not older:
        older = [style.analyte.window + rng.randint(1, 45)]
    for days in older:
        value = lab.value if rng.random() < 0.7 else other_side(rng, style.name, lab)
        _result(rng, pen, style, days, style.quantity(value))
    if spoilt == "stale":
        return
    if superseded and lab.days + 2 <= style.analyte.window and spoilt not in _ALONE:
        days = rng.randint(lab.days + 2, style.analyte.window)
        _result(rng, pen, style, days, style.quantity(other_side(rng, style.name, lab)))
    _the_one_that_counts(rng, pen, style, comparing=comparing)
    if noise < 0.12 and not spoilt:
        _noise(rng, pen, style, noise)


def _result(rng: Stream, pen: Pen, style: _Style, days: int, value: str, status: str = "final") -> None:
    observation(pen, style.code, effective(rng, ago(days)), value, status=status, extra=style.range + LABORATORY)


def _the_one_that_counts(rng: Stream, pen: Pen, style: _Style, *, comparing: bool) -> None:
    lab, spoilt = style.lab, style.spoilt
    value, status, extra, when = style.quantity(lab.value), "final", style.range, effective(rng, ago(lab.days))
    if style.name == "egfr" and comparing and lab.value > 90 and not spoilt:
        value = style.quantity(Decimal(90), ">")  # laboratories cut it off
    match spoilt:
        case "no-unit":
            value = style.quantity(lab.value, unit=False)
        case "no-range":
            extra = ""
        case "preliminary":
            status = "preliminary"
        case "no-value":
            value = NO_VALUE
        case "month-only":
            when = '"effectiveDateTime":"2026-02"'  # straddles the window of any day before 15 March
        case "comparator":
            value = _straddling(style)
        case _:
            if rng.random() < 0.05:
                status = rng.choice(("amended", "corrected"))
    observation(pen, style.code, when, value, status=status, extra=extra + LABORATORY)


def _straddling(style: _Style) -> str:
    """Return a comparison that says neither yes nor no."""
    analyte, lab = style.analyte, style.lab
    if analyte.least:
        at = analyte.units.index(style.unit)
        return style.quantity(Decimal(analyte.least[at]) / 2, ">")
    if analyte.times_uln and lab.high is not None:
        return style.quantity(lab.high * 20, "<")
    return style.quantity(lab.value / 2, ">=")


def _noise(rng: Stream, pen: Pen, style: _Style, which: float) -> None:
    """Write a record that never counts: withdrawn, not begun, dated later, not final, or somebody else's."""
    lab = style.lab
    value = style.quantity(other_side(rng, style.name, lab))
    newer = ago(max(lab.days - 1, 0))
    extra = style.range + LABORATORY
    if which < 0.02:
        observation(pen, style.code, effective(rng, newer), value, status="entered-in-error", extra=extra)
    elif which < 0.04:
        observation(pen, style.code, effective(rng, newer), value, status="cancelled", extra=extra)
    elif which < 0.06:
        later = AS_OF + timedelta(days=rng.randint(1, 20))
        observation(pen, style.code, effective(rng, later), value, extra=extra)
    elif which < 0.08:
        observation(pen, style.code, effective(rng, newer), value, status="preliminary", extra=extra)
    elif which < 0.10:
        relative = f'"subject":{{"reference":"Patient/{pen.id}-relative"}}'
        observation(pen, style.code, effective(rng, newer), value, extra=extra, subject=relative)
    else:  # the same result sent twice
        _again(rng, pen, style)


def _again(rng: Stream, pen: Pen, style: _Style) -> None:
    _result(rng, pen, style, style.lab.days, style.quantity(style.lab.value))

"""What the contract answers for a patient whose full facts are known: a plain predicate, written by hand.

It is written from the tables of the eligibility contract and shares no code with the service, so that the two
cannot share a mistake. It sees a `Person`, never a FHIR resource: nothing is missing, stale or without a unit here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, Literal

from cds_service.synth.person import AS_OF, Lab, Person

Verdict = Literal["pass", "fail", "unknown"]

# The five states of section 2, in their order; the AND over a gate is the least of them.
_ORDER: Final = (("fail", False), ("fail", True), ("unknown", True), ("pass", True), ("pass", False))
_STATUS: Final = ("excluded", "not-now", "needs-data", "candidate", "candidate")

# To the unit that the protocol's limits are written in. mmol/L of hemoglobin: clinical notes, section 3.9.
FACTORS: Final = {
    "g/L": Decimal(1),
    "g/dL": Decimal(10),
    "mmol/L": Decimal("16.114"),
    "10*9/L": Decimal(1),
    "10*3/uL": Decimal(1),
    "/uL": Decimal("0.001"),
}
_UMOL_PER_MG_DL: Final = 88.4  # creatinine; clinical notes, section 3.9


@dataclass(frozen=True, slots=True)
class Answer:
    """The contract's answer for one criterion.

    Args:
        verdict: pass, fail or unknown.
        can_change: whether later data or time can change it.
        clinician: an unknown whose only reason is ``clinician``.
    """

    verdict: Verdict
    can_change: bool = True
    clinician: bool = False


PASS: Final = Answer("pass")
PASS_FOR_GOOD: Final = Answer("pass", can_change=False)
FAIL: Final = Answer("fail")
FAIL_FOR_GOOD: Final = Answer("fail", can_change=False)
UNKNOWN: Final = Answer("unknown")
ASK: Final = Answer("unknown", clinician=True)


@dataclass(frozen=True, slots=True)
class Truth:
    """The contract's answer for one patient.

    Args:
        gate: screening or randomisation.
        status: candidate, needs-data, not-now or excluded.
        criteria: in the protocol's order.
    """

    gate: str
    status: str
    criteria: dict[str, Answer]


def judge(person: Person) -> Truth:
    """Answer every criterion of the patient's gate, and the status; sections 4 and 6 of the contract."""
    seen = _seen(person)
    gate = "randomisation" if _both(seen) or (seen and "other" not in seen) else "screening"
    criteria = {
        "npc-primary": _npc_primary(person, gate),
        "age": _age(person),
        "histology": _histology(person),
        "metastasis": _metastasis(person),
        "ecog": _ecog(person),
        "stage": _stage(person),
        "no-prior-treatment": _no_prior_treatment(person, seen),
        "life-expectancy": ASK,
        "measurable-lesion": _measurable_lesion(person),
    }
    if gate == "randomisation":
        criteria["response"] = _response(person, seen)
    labs = person.labs
    criteria |= {
        "hemoglobin": _at_least(labs.get("hemoglobin"), Decimal(90)),
        "neutrophils": _at_least(labs.get("neutrophils"), Decimal("1.5")),
        "platelets": _at_least(labs.get("platelets"), Decimal(100)),
        "renal": _renal(person),
        "bilirubin": _of(times_uln(labs.get("bilirubin"), Decimal("1.5"))),
        "transaminases": _transaminases(person),
        "inr-pt": _coagulation(person, "inr", "pt"),
        "aptt": _coagulation(person, "aptt"),
    }
    return Truth(gate, _status(person, criteria), criteria)


def _status(person: Person, criteria: dict[str, Answer]) -> str:
    if person.dead:
        return "excluded"
    # Section 4: what only a clinician can say stays out of the AND, the trigger never does.
    counted = [one for name, one in criteria.items() if name == "npc-primary" or not one.clinician]
    return _STATUS[min(_ORDER.index((one.verdict, one.can_change)) for one in counted)]


def _of(held: bool | None) -> Answer:
    return UNKNOWN if held is None else PASS if held else FAIL


# Onset, treatment, gate.


def counting(person: Person) -> list[tuple[date, str, str]]:
    """Return day, kind and form of each treatment that counts, oldest first."""
    from_day = date.min if person.onset is None else person.onset - timedelta(days=1)
    return sorted(
        (one.day, one.kind, one.form)
        for one in person.treatments
        if one.given == "given" and one.kind != "unclear" and not one.for_other and one.day >= from_day
    )


def first_treatment(person: Person) -> date | None:
    """Return the day of the first treatment that counts."""
    return next((day for day, _kind, _form in counting(person)), None)


def _seen(person: Person) -> set[str]:
    return {kind for _day, kind, _form in counting(person)}


def _both(seen: set[str]) -> bool:
    return {"chemotherapy", "pd1"} <= seen


def _no_prior_treatment(person: Person, seen: set[str]) -> Answer:
    if "other" not in seen:
        return ASK  # no absent record ever makes it fail, and none ever makes it pass
    return FAIL_FOR_GOOD if person.onset is not None else UNKNOWN


def cycles(days: Iterable[date]) -> list[date]:
    """Return the first day of each cycle: at least 18 days after the start of the cycle before."""
    starts: list[date] = []
    for day in sorted(days):
        if not starts or (day - starts[-1]).days >= 18:
            starts.append(day)
    return starts


def _response(person: Person, seen: set[str]) -> Answer:
    doses = [(day, form) for day, kind, form in counting(person) if kind == "chemotherapy"]
    if any(form != "administration" for _day, form in doses):
        return ASK  # statements and requests: not countable
    begun = cycles(day for day, _form in doses)
    if person.onset is None and not 4 <= len(begun) <= 6:
        return UNKNOWN  # without an onset every treatment counts, and what would be a fail is unknown
    if len(begun) < 4:
        return FAIL
    if len(begun) > 6:
        return FAIL_FOR_GOOD
    if "pd1" not in seen:
        by_name = any(one.kind == "pd1" and one.given == "named" for one in person.treatments)
        return ASK if by_name else UNKNOWN
    after = [answer for day, answer in person.responses if begun[3] < day <= AS_OF]
    if not after or after[-1] == "trend":
        return UNKNOWN
    return PASS if after[-1] in ("CR", "PR") else FAIL


# The disease.


def _npc_primary(person: Person, gate: str) -> Answer:
    if person.primary == "npc" or (person.primary == "npc-remission" and gate == "randomisation"):
        return PASS_FOR_GOOD
    return ASK if person.primary == "npc-remission" else FAIL


def _histology(person: Person) -> Answer:
    if person.primary == "lymphoma":
        return FAIL_FOR_GOOD
    if person.histology == "nonkeratinizing":
        return PASS_FOR_GOOD
    return FAIL_FOR_GOOD if person.histology == "keratinizing" else UNKNOWN


def _without_spread(person: Person) -> Answer:
    return FAIL if first_treatment(person) is None else FAIL_FOR_GOOD


def _spread_at_diagnosis(person: Person) -> bool:
    if person.spread is None or person.onset is None:
        return False
    first = first_treatment(person)
    return abs((person.spread - person.onset).days) <= 90 and (first is None or person.spread <= first)


def _metastasis(person: Person) -> Answer:
    if person.onset is None:
        return UNKNOWN
    if person.m is not None and person.m.startswith("M1"):
        return PASS_FOR_GOOD
    if person.m == "M0":
        if not person.sites:
            return _without_spread(person)
        if _spread_at_diagnosis(person) or first_treatment(person) is None:
            return UNKNOWN  # conflict
        return FAIL_FOR_GOOD
    if person.sites:
        return PASS_FOR_GOOD if _spread_at_diagnosis(person) else UNKNOWN
    return ASK if group_means(person.edition, person.group) == "M1" else UNKNOWN


def group_means(edition: str | None, group: str | None) -> str | None:
    """Return the M category that a stage group implies in its own edition; None when it tells nothing."""
    if group is None or edition is None:
        return None
    if not group.startswith("IV"):
        return "M0"
    table = {
        "9": {"IV": "M1", "IVA": "M1", "IVB": "M1"},
        "8": {"IVA": "M0", "IVB": "M1"},
        "7": {"IVA": "M0", "IVB": "M0", "IVC": "M1"},
    }
    return table[edition].get(group)


def _stage(person: Person) -> Answer:
    means = group_means(person.edition, person.group)
    at_diagnosis = _spread_at_diagnosis(person)
    m = person.m[:2] if person.m else None
    if m is not None:
        if (means is not None and means != m) or (m == "M0" and at_diagnosis):
            return UNKNOWN  # conflict
        return PASS_FOR_GOOD if m == "M1" else _without_spread(person)
    if means is None:
        return ASK if at_diagnosis else UNKNOWN
    if means == "M0":
        return UNKNOWN if at_diagnosis else _without_spread(person)
    return PASS_FOR_GOOD


def _measurable_lesion(person: Person) -> Answer:
    first = first_treatment(person)
    before = [size for size, day in person.lesions if first is None or day <= first]
    return PASS if before and max(before) >= 15 else ASK


# The person.


def age_on(birth: date, day: date) -> int:
    """Return completed years; someone born on 29 February has the birthday on 1 March."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def _age(person: Person) -> Answer:
    age = age_on(person.birth, AS_OF)
    return FAIL_FOR_GOOD if age > 70 else _of(age >= 18)


def _ecog(person: Person) -> Answer:
    if person.ecog is None:
        return ASK if person.karnofsky is not None else UNKNOWN
    return _of(person.ecog <= 1)


# Organ function.


def _at_least(lab: Lab | None, limit: Decimal) -> Answer:
    return UNKNOWN if lab is None else _of(lab.value * FACTORS[lab.unit] >= limit)


def times_uln(lab: Lab | None, limit: Decimal) -> bool | None:
    """Say whether a value is at most so many times the upper limit of its own reference range."""
    return None if lab is None or lab.high is None else lab.value <= limit * lab.high


def _transaminases(person: Person) -> Answer:
    sides = []
    for name in ("ast", "alt"):
        lab = person.labs.get(name)
        low, high = times_uln(lab, Decimal("2.5")), times_uln(lab, Decimal(5))
        if low is None or low or high is False:
            sides.append(low)
        else:
            sides.append({"present": True, "absent": False, None: None}[person.liver])
    return _of(False if False in sides else None if None in sides else True)


def _coagulation(person: Person, *tests: str) -> Answer:
    sides = {times_uln(person.labs[one], Decimal("1.5")) for one in tests if one in person.labs}
    if len(sides) != 1:
        return UNKNOWN  # none, or a conflict
    return PASS if sides == {True} else ASK if person.anticoagulated else FAIL


def creatinine_mg_dl(lab: Lab) -> float:
    """Return creatinine in the unit that both formulas are published in."""
    return float(lab.value) / (_UMOL_PER_MG_DL if lab.unit == "umol/L" else 1)


def cockcroft_gault(person: Person, creatinine: Lab, weight: Lab) -> float:
    """Estimate the clearance in mL/min; clinical notes, section 3.9."""
    age = age_on(person.birth, AS_OF - timedelta(days=creatinine.days))
    sex = 0.85 if person.sex == "female" else 1
    return (140 - age) * float(weight.value) * sex / (72 * creatinine_mg_dl(creatinine))


def ckd_epi_2021(person: Person, creatinine: Lab) -> float:
    """Estimate the filtration in mL/min per 1.73 m2; clinical notes, section 3.9."""
    age = age_on(person.birth, AS_OF - timedelta(days=creatinine.days))
    k, a, sex = (0.7, -0.241, 1.012) if person.sex == "female" else (0.9, -0.302, 1)
    ratio = creatinine_mg_dl(creatinine) / k
    return float(142 * min(ratio, 1) ** a * max(ratio, 1) ** -1.2 * 0.9938**age * sex)


def _renal(person: Person) -> Answer:
    creatinine, weight = person.labs.get("creatinine"), person.labs.get("weight")
    if creatinine is None or weight is None:
        return UNKNOWN
    if times_uln(creatinine, Decimal("1.5")):
        return PASS
    clearance, egfr = person.labs.get("clearance"), person.labs.get("egfr")
    one = float(clearance.value) if clearance else cockcroft_gault(person, creatinine, weight)
    other = float(egfr.value) if egfr else ckd_epi_2021(person, creatinine)
    if (one >= 60) != (other >= 60):
        return ASK
    return PASS if one >= 60 else FAIL

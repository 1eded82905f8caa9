"""The first trial written by hand, twice: what a programmer would write for one hospital and one day.

`candidate_by_hand` goes from the parsed body to verdicts. It knows only the codes, units and shapes that the
benchmark's own patients have, and checks nothing: no unit conversion, no status but final, no dates beyond the window,
no other patient's records, no reasons, evidence or cards. `by_hand` and `three_valued_by_hand` are the rule alone, over
facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

Row = Mapping[str, Any]
_UPPER = {"14682-9": 1.5, "14631-6": 1.5, "1920-8": 2.5, "1742-6": 2.5, "6301-6": 1.5, "14979-9": 1.5}


def candidate_by_hand(body: Mapping[str, Any], as_of: date) -> dict[str, str]:
    """Return the verdict of every criterion at screening."""
    labs: dict[str, tuple[str, Any, Any]] = {}
    problems: set[str] = set()
    answers: dict[str, str] = {}
    treated, largest = False, 0
    birth = ""
    for entry in body["entry"]:
        resource = entry["resource"]
        kind = resource["resourceType"]
        if kind == "Observation":
            if resource["status"] != "final":
                continue
            day = resource.get("effectiveDateTime", "")
            value = resource.get("valueQuantity")
            for coding in resource["code"]["coding"]:
                code = coding["code"]
                if value is not None:
                    if code not in labs or labs[code][0] < day:
                        ranges = resource.get("referenceRange")
                        high = ranges[0]["high"]["value"] if ranges else None
                        labs[code] = (day, value["value"], high)
                elif "valueInteger" in resource:
                    labs[code] = (day, resource["valueInteger"], None)
                elif "valueCodeableConcept" in resource:
                    answers[code] = resource["valueCodeableConcept"]["coding"][0]["code"]
                if code == "21889-1":
                    sizes = [
                        part["valueQuantity"]["value"] for part in resource["component"] if "valueQuantity" in part
                    ]
                    largest = max(largest, *sizes)
        elif kind == "Condition":
            problems.update(coding["code"] for coding in resource["code"]["coding"])
        elif kind == "Patient":
            birth = resource["birthDate"]
        elif kind in ("MedicationStatement", "MedicationRequest", "MedicationAdministration"):
            drug = resource["medicationCodeableConcept"]["coding"][0]["code"]
            treated = treated or drug.startswith(("L01", "L04"))
    first = (as_of - timedelta(days=14)).isoformat()

    def at_least(code: str, limit: float) -> str:
        found = labs.get(code)
        return "unknown" if found is None or found[0] < first else "pass" if found[1] >= limit else "fail"

    def at_most(code: str) -> str:
        found = labs.get(code)
        if found is None or found[0] < first or found[2] is None:
            return "unknown"
        return "pass" if found[1] <= _UPPER[code] * found[2] else "fail"

    def worst(*verdicts: str) -> str:
        return "fail" if "fail" in verdicts else "unknown" if "unknown" in verdicts else "pass"

    born = date.fromisoformat(birth)
    age = as_of.year - born.year - ((as_of.month, as_of.day) < (born.month, born.day))
    ecog = labs.get("89247-1")
    return {
        "npc-primary": "pass" if "449248000" in problems else "fail",
        "age": "pass" if 18 <= age <= 70 else "fail",
        "histology": "pass" if answers.get("59847-4") in ("8020/3", "8072/3", "8073/3") else "unknown",
        "metastasis": "pass" if problems & {"94222008", "94391008"} else "unknown",
        "ecog": "unknown" if ecog is None else "pass" if ecog[1] <= 1 else "fail",
        "stage": "pass" if answers.get("399387003") == "1229907005" else "unknown",
        "no-prior-treatment": "fail" if treated else "unknown",
        "life-expectancy": "unknown",
        "measurable-lesion": "pass" if largest >= 15 else "unknown",
        "hemoglobin": at_least("718-7", 90),
        "neutrophils": at_least("751-8", 1.5),
        "platelets": at_least("777-3", 100),
        "renal": at_most("14682-9"),
        "bilirubin": at_most("14631-6"),
        "transaminases": worst(at_most("1920-8"), at_most("1742-6")),
        "inr-pt": at_most("6301-6"),
        "aptt": at_most("14979-9"),
    }


def by_hand(row: Row) -> tuple[bool, ...]:
    """Return each criterion of the trial as true or false; every fact is there."""
    return (
        row["npc_primary"],
        18 <= row["age"] <= 70,
        row["histology"],
        row["metastasis"],
        row["ecog"] <= 1,
        row["stage"],
        not row["prior_treatment"],
        row["life_expectancy"],
        row["measurable_lesion"],
        row["response"],
        row["hemoglobin"] >= 90,
        row["neutrophils"] >= _D15,
        row["platelets"] >= 100,
        row["creatinine"] <= _D15 or row["filtration"] >= 60,
        row["bilirubin_total"] <= _D15,
        (row["ast"] <= _D25 or (row["liver_metastasis"] and row["ast"] <= 5))
        and (row["alt"] <= _D25 or (row["liver_metastasis"] and row["alt"] <= 5)),
        row["inr"] <= _D15 or row["anticoagulant"],
        row["aptt"] <= _D15 or row["anticoagulant"],
    )


_D15, _D25 = Decimal("1.5"), Decimal("2.5")


def three_valued_by_hand(row: Row) -> tuple[bool | None, ...]:
    """Return each criterion as true, false or None; a fact that is not there is None."""

    def most(name: str, limit: Decimal | int) -> bool | None:
        value = row[name]
        return None if value is None else value <= limit

    def least(name: str, limit: Decimal | int) -> bool | None:
        value = row[name]
        return None if value is None else value >= limit

    prior = row["prior_treatment"]
    age = row["age"]
    liver, thinned = row["liver_metastasis"], row["anticoagulant"]
    ast = _or(most("ast", _D25), _and(liver, most("ast", 5)))
    alt = _or(most("alt", _D25), _and(liver, most("alt", 5)))
    inr, pt = most("inr", _D15), most("pt", _D15)
    pair = inr if pt is None or pt is inr else pt if inr is None else None
    return (
        row["npc_primary"],
        None if age is None else 18 <= age <= 70,
        row["histology"],
        row["metastasis"],
        most("ecog", 1),
        row["stage"],
        None if prior is None else not prior,
        row["life_expectancy"],
        row["measurable_lesion"],
        row["response"],
        least("hemoglobin", 90),
        least("neutrophils", _D15),
        least("platelets", 100),
        _or(most("creatinine", _D15), least("filtration", 60)),
        most("bilirubin_total", _D15),
        _and(ast, alt),
        _or(pair, thinned),
        _or(most("aptt", _D15), thinned),
    )


def _or(one: bool | None, other: bool | None) -> bool | None:
    if one is True or other is True:
        return True
    return None if one is None or other is None else False


def _and(one: bool | None, other: bool | None) -> bool | None:
    if one is False or other is False:
        return False
    return None if one is None or other is None else True

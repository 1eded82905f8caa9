"""The disease as hospitals write it: problem list, pathology, staging in several shapes, performance, response."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from cds_service.synth import codes
from cds_service.synth.codes import Concept
from cds_service.synth.fragments import (
    NO_VALUE,
    Pen,
    ago,
    coded,
    concept_value,
    condition,
    effective,
    observation,
    on_day,
)
from cds_service.synth.person import AS_OF, Person
from cds_service.synth.spoilt import Spoilt
from cds_service.synth.stream import Stream

_MORPHOLOGY: Final = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-histology-morphology-behavior"


def write_problems(rng: Stream, pen: Pen, person: Person, spoilt: Spoilt) -> str:
    """Write the problem list; return the id of the cancer that is not of the nasopharynx, "" without one."""
    how = spoilt.get("problem-list", "")
    kept = pen.lines
    if how == "removed":  # written as ever and thrown away: nothing else of the patient may differ
        pen.lines = []
    other = _problems(rng, pen, person, spoilt)
    pen.lines = kept
    return "" if how == "removed" else other


def _problems(rng: Stream, pen: Pen, person: Person, spoilt: Spoilt) -> str:
    for concept in rng.sample(codes.ORDINARY, rng.choice((1, 1, 2, 3))):
        condition(
            pen, concept, f',"recordedDate":"{ago(rng.randint(30, 3000))}"', verification=rng.choice(("confirmed", ""))
        )
    if rng.random() < 0.03:
        condition(pen, codes.FAMILY_HISTORY, f',"recordedDate":"{ago(rng.randint(30, 900))}"')
    if person.onset is not None:
        provisional = spoilt.get("problem-list") == "provisional"
        _npc(rng, pen, person, person.onset, provisional=provisional, extra=_within(person, spoilt))
        _spread(rng, pen, person, spoilt)
        return ""
    return _other(rng, pen, person)


def _npc(rng: Stream, pen: Pen, person: Person, onset: date, *, provisional: bool, extra: str) -> None:
    named = person.histology == "nonkeratinizing" and rng.random() < 0.15
    concept = rng.choice(codes.NPC_NONKERATINIZING if named else codes.NPC)
    dates = f',"onsetDateTime":"{onset}"' if rng.random() < 0.6 else ""
    if not dates or rng.random() < 0.7:
        dates += f',"recordedDate":"{onset}"'
    verification = "provisional" if provisional else rng.choice(("confirmed", "confirmed", "confirmed", ""))
    clinical = "remission" if person.primary == "npc-remission" else "active"
    condition(pen, concept, dates, clinical=clinical, verification=verification, extra=extra)
    if rng.random() < 0.03 and not provisional:  # entered twice, and one withdrawn
        condition(pen, codes.NPC[0], f',"recordedDate":"{onset}"', verification="entered-in-error")


def _spread(rng: Stream, pen: Pen, person: Person, spoilt: Spoilt) -> None:
    if person.neck_nodes:
        condition(pen, codes.NECK_NODES, f',"recordedDate":"{person.staged}"')
    for site in person.sites:
        concept = rng.choice(codes.METASTASES[site])
        name = rng.choice(("onsetDateTime", "recordedDate"))
        dates = f',"{name}":"{person.spread}"'
        if site == "liver" and "liver" in spoilt:
            continue
        condition(pen, concept, dates)
        if rng.random() < 0.05:  # one metastasis listed twice is still one
            condition(pen, concept, dates)
    if person.liver == "absent" and person.m != "M0" and "liver" not in spoilt:
        concept = rng.choice(codes.METASTASES["liver"])
        if rng.random() < 0.6:
            condition(pen, concept, f',"recordedDate":"{person.staged}"', verification="refuted")


def _other(rng: Stream, pen: Pen, person: Person) -> str:
    dates = f',"onsetDateTime":"{ago(rng.randint(420, 1500))}"'
    if person.primary == "lymphoma":
        condition(pen, rng.choice(codes.LYMPHOMA), dates)
    if person.primary == "none" and rng.random() < 0.02:
        condition(pen, codes.NPC[0], f',"recordedDate":"{ago(200)}"', verification="refuted")
    if person.primary != "other-cancer":
        return ""
    cancer = condition(pen, rng.choice(codes.OTHER_CANCERS), dates)
    for site in person.sites:
        condition(pen, rng.choice(codes.METASTASES[site]), f',"recordedDate":"{person.spread}"')
    return cancer


def _in_condition(person: Person, what: str) -> bool:
    """Say whether a hospital keeps the group or the histology inside the Condition, as mCODE has it."""
    number = int(person.id[1:])
    return number % 11 == 3 if what == "group" else number % 13 == 4 and person.histology != "conflict"


def _within(person: Person, spoilt: Spoilt) -> str:
    extra = ""
    if person.group and person.edition and "group" not in spoilt and _in_condition(person, "group"):
        summary = coded(codes.GROUP_VALUES[person.group][0])
        extra += f',"stage":[{{"summary":{summary},"type":{coded(codes.EDITIONS[person.edition][0])}}}]'
    if person.histology and "histology" not in spoilt and _in_condition(person, "histology"):
        value = coded(codes.HISTOLOGY[person.histology][0])
        extra += f',"extension":[{{"url":"{_MORPHOLOGY}","valueCodeableConcept":{value}}}]'
    return extra


def write_pathology(rng: Stream, pen: Pen, person: Person, spoilt: Spoilt) -> None:
    """Write the histology reports."""
    if person.histology is None or person.onset is None:
        return
    kind, day = person.histology, person.onset + timedelta(days=rng.randint(1, 5))
    status = "preliminary" if spoilt.get("histology") == "preliminary" else "final"
    beside, metastasis = rng.random(), rng.random()
    kinds = ("nonkeratinizing", "keratinizing") if kind == "conflict" else (kind,)
    code = rng.choice(codes.HISTOLOGY_OF)
    if spoilt.get("histology") == "removed" or ("histology" not in spoilt and _in_condition(person, "histology")):
        return
    for one in kinds:
        _report(pen, code, rng.choice(codes.HISTOLOGY[one]), day, status)
    if status == "preliminary" or kind in ("conflict", "unspecified"):
        return
    other = rng.choice(codes.HISTOLOGY["keratinizing" if kind == "nonkeratinizing" else "nonkeratinizing"])
    next_day = day + timedelta(days=1)
    if beside < 0.06:  # replaced by the review
        _report(pen, code, other, person.onset, "final")
    elif beside < 0.12:  # a later report that tells less replaces nothing
        _report(pen, code, rng.choice(codes.HISTOLOGY["unspecified"]), next_day, "final")
    elif beside < 0.16:
        _report(pen, code, other, next_day, rng.choice(("entered-in-error", "cancelled", "preliminary")))
    if metastasis < 0.05:  # behaviour /6 tells of a metastasis
        _report(pen, code, codes.OF_A_METASTASIS, day + timedelta(days=3), "final")


def _report(pen: Pen, code: Concept, concept: Concept, day: date, status: str) -> None:
    observation(pen, coded(code), on_day(day), concept_value(concept), status=status)


def write_staging(rng: Stream, pen: Pen, person: Person, spoilt: Spoilt) -> None:
    """Write T, N, M and the group, in one of several shapes, and what imaging says of the liver."""
    if person.staged is None or person.edition is None:
        return
    shape, when = rng.randrange(3), on_day(person.staged)
    edition = rng.choice(codes.EDITIONS[person.edition])
    method = f',"method":{coded(edition)}'
    m, group, tn, restaged = rng.random(), rng.random(), rng.random() < 0.5, rng.random() < 0.3
    if person.m is not None and spoilt.get("m") != "removed":
        value = concept_value(codes.M_VALUES[person.m][int(m * 3)])
        observation(pen, coded(codes.M_OF[shape]), when, NO_VALUE if "m" in spoilt else value, extra=method)
    kept_inside = "group" not in spoilt and _in_condition(person, "group")
    if person.group is not None and spoilt.get("group") != "removed" and not kept_inside:
        value = concept_value(codes.GROUP_VALUES[person.group][int(group * 3)])
        observation(pen, coded(codes.GROUP_OF[shape]), when, value, extra="" if "group" in spoilt else method)
    after = person.staged + timedelta(days=100)
    # Where the first staging is lost, the second would pass for it: it is the same fact, and lost with it.
    unlisted = kept_inside and "problem-list" in spoilt
    grouped = person.group is not None and spoilt.get("group") != "removed" and not unlisted
    first = person.m is not None or grouped
    if person.treatments and after <= AS_OF and restaged and "m" not in spoilt and first:  # too late to count
        observation(pen, coded(codes.M_OF[shape]), on_day(after), concept_value(codes.M_VALUES["M0"][0]), extra=method)
    if tn:
        observation(pen, coded(codes.T_OF), when, concept_value(codes.T_VALUES[shape % 2]), extra=method)
        observation(pen, coded(codes.N_OF), when, concept_value(codes.N_VALUES[shape % 2]), extra=method)


def write_liver(rng: Stream, pen: Pen, person: Person, spoilt: Spoilt, *, stated: bool) -> None:
    """Write that imaging found no liver metastasis, where the problem list does not state it."""
    if person.liver != "absent" or person.m == "M0" or stated or "liver" in spoilt or person.staged is None:
        return
    finding = codes.METASTASES["liver"][2]
    observation(pen, coded(finding), on_day(person.staged), concept_value(rng.choice(codes.ABSENT)))


def write_performance(rng: Stream, pen: Pen, person: Person, spoilt: Spoilt) -> None:
    """Write ECOG or Karnofsky, with an older one that is superseded."""
    how = spoilt.get("performance", "")
    day = ago(person.performance_days if how != "stale" else rng.randint(29, 90))
    if how == "removed" or (person.ecog is None and person.karnofsky is None):
        return
    status = "preliminary" if how == "preliminary" else "final"
    if person.ecog is None:
        value = NO_VALUE if how == "no-value" else f'"valueInteger":{person.karnofsky}'
        observation(pen, coded(codes.KARNOFSKY_OF), effective(rng, day), value, status=status)
        return
    code = rng.choice(codes.ECOG_OF)
    value = NO_VALUE if how == "no-value" else _ecog(rng, person.ecog)
    observation(pen, coded(code), effective(rng, day), value, status=status)
    if not how and rng.random() < 0.3:
        observation(
            pen, coded(code), effective(rng, day - timedelta(days=rng.randint(3, 40))), _ecog(rng, rng.randrange(4))
        )


def _ecog(rng: Stream, grade: int) -> str:
    x = rng.random()
    if x < 0.5:
        return f'"valueInteger":{grade}'
    if x < 0.7:
        return concept_value((codes.LOINC, codes.ECOG_LOINC[grade], f"ECOG {grade}"))
    if x < 0.85:
        return concept_value((codes.SNOMED, codes.ECOG_SNOMED[grade], f"ECOG grade {grade}"))
    return f'"valueQuantity":{{"value":{grade},"unit":"{{score}}","system":"http://unitsofmeasure.org","code":"{{score}}"}}'


def write_lesions_and_responses(rng: Stream, pen: Pen, person: Person, spoilt: Spoilt) -> None:
    """Write tumour sizes and the assessments of response."""
    for size, day in () if "lesions" in spoilt else person.lesions:
        in_cm = rng.random() < 0.3
        value, unit = (f"{size / 10:.1f}", "cm") if in_cm else (str(size), "mm")
        quantity = (
            f'"valueQuantity":{{"value":{value},"unit":"{unit}","system":"http://unitsofmeasure.org","code":"{unit}"}}'
        )
        observation(pen, coded(rng.choice(codes.LESION_OF)), on_day(day), quantity)
    how = spoilt.get("responses")
    code = rng.choice(codes.RESPONSE_OF)
    for day, answer in () if how == "removed" else person.responses:
        value = concept_value(rng.choice(codes.RESPONSES[answer]))
        observation(pen, coded(code), on_day(day), value, status="preliminary" if how else "final")
    if person.responses and rng.random() < 0.1 and how is None:  # dated later: not yet known on the day
        later = AS_OF + timedelta(days=rng.randint(1, 20))
        observation(pen, coded(code), on_day(later), concept_value(codes.RESPONSES["PD"][0]))

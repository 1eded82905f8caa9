"""The words of a patient in shorthand: which entries there are, which words each has, and what may stand there.

``rules/README.md`` tells them to rule authors. :mod:`cds_service.screening.shorthand` turns them into FHIR.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final

from cds_service.facts.codes import ATC, ICD_10, ICD_O_3, LOINC, SNOMED
from cds_service.facts.definitions import FactDefinition
from cds_service.trials.complaints import did_you_mean, quoted
from cds_service.trials.form import Part

SYSTEMS: Final = {"icd10": ICD_10, "snomed": SNOMED, "icdo3": ICD_O_3, "loinc": LOINC, "atc": ATC}
# Drugs and procedures that cases name; any other is written by its code.
DRUGS: Final = {
    "cisplatin": "L01XA01",
    "gemcitabine": "L01BC05",
    "toripalimab": "L01FF13",
    "tislelizumab": "L01FF09",
    "durvalumab": "L01FF03",
    "cetuximab": "L01FE01",
    "methotrexate": "L01BA01",
    "warfarin": "B01AA03",
    "aspirin": "B01AC06",
    "dexamethasone": "H02AB02",
}
PROCEDURES: Final = {"radiotherapy": "1217123003", "nasopharyngectomy": "713188009", "biopsy": "86273004"}
SITES: Final = {"nasopharynx": "71836000", "neck": "45048000", "bone": "272673000"}
RESPONSES: Final = {"CR": "LA28366-5", "PR": "LA28369-9", "SD": "LA28371-5", "PD": "LA28370-7"}
TRENDS: Final = {"improved": "268910001"}
EDITIONS: Final = {"6": "444256004", "7": "443830009", "8": "897275008", "9": "1269566009"}
AXES: Final = {"t": "399504009", "n": "399534004", "m": "399387003", "group": "399537006"}

# Source: FHIR R4, value sets administrative-gender, condition-clinical, condition-ver-status and quantity-comparator.
SEXES: Final = ("male", "female", "other", "unknown")
CLINICAL: Final = ("active", "recurrence", "relapse", "inactive", "remission", "resolved", "none")
VERIFICATION: Final = (
    *("confirmed", "unconfirmed", "provisional", "differential", "refuted", "entered-in-error", "none"),
)
COMPARATORS: Final = ("<", "<=", ">=", ">")
# Source: FHIR R4, observation-status.
RESULT_STATUS: Final = (
    *("registered", "preliminary", "final", "amended", "corrected", "cancelled", "entered-in-error", "unknown"),
)
# Source: FHIR R4, the statuses of MedicationAdministration, MedicationStatement, MedicationRequest and Procedure.
TREATMENT_STATUS: Final = (
    *("draft", "intended", "preparation", "in-progress", "active", "on-hold", "completed", "stopped", "cancelled"),
    *("not-done", "not-taken", "entered-in-error", "unknown"),
)
WRITTEN_AS: Final = ("administration", "statement", "request")
# Source: FHIR R4, medicationrequest-intent.
INTENTS: Final = (
    *("proposal", "plan", "order", "original-order", "reflex-order", "filler-order", "instance-order", "option"),
)

_WHEN: Final = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})(?:T.+)?)?)?")
_NO_DAY: Final = "none"
_OLDEST: Final = 150
_WORST_GRADE: Final = 100

Check = Callable[[Part], object]
"""Reads one value and complains of what cannot stand there."""


@dataclass(frozen=True)
class Entry:
    """One entry of a patient.

    Args:
        words: what is said inside it, each with its check.
        required: words that are always said.
        one_of: of these, exactly one is said.
        only_with: words that say nothing without another.
        bare: what may stand in place of the mapping; nothing, if left out.
        many: a list of them: "must", "may", or "" for never.
    """

    words: Mapping[str, Check] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    only_with: Mapping[str, str] = field(default_factory=dict)
    bare: Check | None = None
    many: str = ""


def check_patient(entries: Mapping[str, Part], facts: Mapping[str, FactDefinition]) -> None:
    """Complain of every entry and word that shorthand does not have, and of values that it cannot use.

    Args:
        entries: by the name of the entry, what stands there.
        facts: every fact definition: those of results are entries too.
    """
    for name, part in entries.items():
        entry = entry_of(name, facts)
        if entry is not None:
            _check(entry, part)
        elif name in facts:
            part.complain(
                f"{name!r} is no entry of a patient: the chart does not state this fact, it follows from it",
                "write what it follows from, such as problems, staging or treatments",
            )
        else:
            part.complain(f"a patient has no entry {quoted(name)}", did_you_mean(name, entry_names(facts)))


def entry_of(name: str, facts: Mapping[str, FactDefinition]) -> Entry | None:
    """Return what an entry of this name holds: one of `ENTRIES`, or the results of a fact; None if there is none."""
    if name in ENTRIES:
        return ENTRIES[name]
    definition = facts.get(name)
    return _BY_KIND.get(definition.kind) if definition is not None else None


def entry_names(facts: Mapping[str, FactDefinition]) -> tuple[str, ...]:
    """Return the name of every entry that a patient may have."""
    return (*ENTRIES, *(name for name in facts if entry_of(name, facts) is not None))


def _check(entry: Entry, part: Part) -> None:
    if entry.many == "must" or (entry.many and isinstance(part.data, list)):
        for item in part.items(empty=True):
            _check_one(entry, item)
    else:
        _check_one(entry, part)


def _check_one(entry: Entry, part: Part) -> None:
    if entry.bare is not None and not (entry.words and isinstance(part.data, dict)):
        entry.bare(part)
        return
    before = len(part.complaints)
    optional = [word for word in entry.words if word not in entry.required]
    for word, value in part.fields(entry.required, optional).items():
        if value.present:
            entry.words[word](value)
    if len(part.complaints) > before or not isinstance(part.data, dict):
        return
    said = [word for word in entry.one_of if word in part.data]
    if entry.one_of and len(said) != 1:
        found = ", ".join(said) or "none"
        part.complain(f"expected exactly one of {', '.join(entry.one_of)}; found {found}")
    for word, other in entry.only_with.items():
        if word in part.data and other not in part.data:
            part.complain(f"{word!r} says nothing without {other!r}", at=(word,))


# What may stand at a word.


def _text(part: Part) -> None:
    part.label()


def _number(part: Part) -> None:
    if not isinstance(part.data, (int, Decimal)) or isinstance(part.data, bool):
        text = isinstance(part.data, str)
        part.expected("a number", "a result in words stands under text: {text: ...}" if text else "")


def _whole(most: int) -> Check:
    def check(part: Part) -> None:
        part.whole_number(0, most)

    return check


def _flag(part: Part) -> None:
    part.flag()


def _true(part: Part) -> None:
    if part.data is not True:
        part.expected("true, for a part of the chart that could not be read")


def _choice(known: Collection[str], what: str) -> Check:
    def check(part: Part) -> None:
        part.choice(known, what)

    return check


def _named(known: Mapping[str, str], what: str) -> Check:
    """Read a name that shorthand knows, or a code: codes have digits."""

    def check(part: Part) -> None:
        text = part.label()
        if text and text not in known and not any(map(str.isdigit, text)):
            part.complain(f"unknown {what} {quoted(text)}, and codes have digits", did_you_mean(text, known))

    return check


def _system(part: Part) -> None:
    text = part.text()
    if text and text not in SYSTEMS and ":" not in text:
        part.complain(f"unknown code system {quoted(text)}; others are written as a URI", did_you_mean(text, SYSTEMS))


def _written_day(part: Part) -> None:
    """Read a day, a month or a year as a chart may state it."""
    text = part.label() if part.data != "" else ""
    match = _WHEN.fullmatch(text)
    try:
        if match is not None:
            date(int(match[1]), int(match[2] or 1), int(match[3] or 1))
            return
    except ValueError:
        pass
    if text:
        part.expected("a day such as 2026-03-01, or a month, or a year")


def _day(part: Part) -> None:
    if isinstance(part.data, int) and not isinstance(part.data, bool):
        if abs(part.data) >= 100_000:
            part.expected("days from the day of judgement, such as -14")
    else:
        _written_day(part)


def _day_or_none(part: Part) -> None:
    if part.data != _NO_DAY:
        _day(part)


def _deceased(part: Part) -> None:
    if not isinstance(part.data, bool):
        _day(part)


def _list(part: Part) -> None:
    part.items(empty=True)


def _reason(part: Part) -> None:
    if isinstance(part.data, dict):
        _check_one(_CODED, part)
    else:
        part.label()


def _drugs(part: Part) -> None:
    for item in part.items():
        item.choice(DRUGS, "drug")


def _days(part: Part) -> None:
    for item in part.items():
        _day(item)


def _resource(part: Part) -> None:
    if isinstance(part.data, dict) and isinstance(part.data.get("resourceType"), str):
        return
    part.expected("a FHIR resource with its resourceType")


_CODED: Final = Entry({"code": _text, "text": _text, "system": _system}, one_of=("code", "text"))
_WHEN_SEEN: Final[Mapping[str, Check]] = {"date": _day_or_none, "period_end": _day, "issued": _day}
_STATUS: Final[Mapping[str, Check]] = {"status": _choice(RESULT_STATUS, "status")}

RESULT: Final = Entry(
    {
        "value": _number,
        "text": _text,
        "absent": _flag,
        "unit": _text,
        "comparator": _choice(COMPARATORS, "comparator"),
        **_WHEN_SEEN,
        **_STATUS,
        "high": _number,
        "high_unit": _text,
        "ranges": _list,
        "code": _text,
    },
    one_of=("value", "text", "absent"),
    only_with={"high_unit": "high", "comparator": "value"},
    bare=_number,
    many="may",
)
"""A laboratory result or measurement."""
FINDING: Final = Entry({"value": _text, **_WHEN_SEEN, **_STATUS}, one_of=("value",), bare=_text, many="may")
"""A test that is positive or negative."""
_GRADE: Final = Entry(
    {
        "value": _whole(_WORST_GRADE),
        "answer": _text,
        "text": _text,
        "absent": _flag,
        "system": _system,
        **_WHEN_SEEN,
        **_STATUS,
    },
    one_of=("value", "answer", "text", "absent"),
    only_with={"system": "answer"},
    bare=_whole(_WORST_GRADE),
    many="may",
)
_BY_KIND: Final = {"lab": RESULT, "qualitative_result": FINDING}

ENTRIES: Final[Mapping[str, Entry]] = {
    "age": Entry(bare=_whole(_OLDEST)),
    "birth": Entry(bare=_written_day),
    "sex": Entry(bare=_choice(SEXES, "sex")),
    "deceased": Entry(bare=_deceased),
    "ecog": _GRADE,
    "karnofsky": _GRADE,
    "problems": Entry(
        {
            **_CODED.words,
            "onset": _day,
            "recorded": _day,
            "abated": _day,
            "clinical": _choice(CLINICAL, "clinical status"),
            "verification": _choice(VERIFICATION, "verification status"),
            "id": _text,
            "primary": _text,
            "stage": _text,
            "edition": _choice(EDITIONS, "edition"),
        },
        one_of=_CODED.one_of,
        only_with={"edition": "stage", "system": "code"},
        many="must",
    ),
    "staging": Entry(
        {
            **dict.fromkeys(AXES, _text),
            "edition": _choice(EDITIONS, "edition"),
            "by": _choice(("text",), "word"),
            "date": _day_or_none,
            **_STATUS,
        },
        one_of=tuple(AXES),
        many="must",
    ),
    "histology": Entry(
        {**_CODED.words, "date": _day_or_none, **_STATUS},
        one_of=_CODED.one_of,
        only_with={"system": "code"},
        many="must",
    ),
    "lesions": Entry({"mm": _number, "date": _day_or_none}, one_of=("mm",), many="must"),
    "responses": Entry({"value": _text, **_WHEN_SEEN, **_STATUS}, one_of=("value",), many="must"),
    "treatments": Entry(
        {
            "drug": _choice(DRUGS, "drug"),
            "name": _text,
            "code": _text,
            "procedure": _named(PROCEDURES, "procedure"),
            "system": _system,
            "site": _named(SITES, "site"),
            "as": _choice(WRITTEN_AS, "word"),
            "intent": _choice(INTENTS, "intent"),
            "status": _choice(TREATMENT_STATUS, "status"),
            "date": _day,
            "start": _day,
            "end": _day,
            "reason": _reason,
        },
        one_of=("drug", "name", "code", "procedure"),
        only_with={"end": "start", "site": "procedure", "intent": "as"},
        many="must",
    ),
    "cycles": Entry({"drugs": _drugs, "starts": _days}, required=("drugs", "starts")),
    "unread": Entry(bare=_true),
    "fhir": Entry(bare=_resource, many="must"),
}
"""What any patient may have, by name; the facts of laboratory results and of tests come to these."""

"""What differs between two screenings of a patient for a trial, of what a person may have relied on.

Both are the contract's JSON of one trial, with what :func:`~cds_service.screening.worklist.intake.screening_of` adds:
``data``, the fingerprint of the chart, and ``patient``, its Patient resource. Time alone that changes no verdict is no
change: where chart and rules are the same, only verdicts and what follows from them are compared. Wording, the order
of evidence and the ids of resources never count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

from cds_service.facts.record import RESOURCE_TYPES

What = Literal["status", "gate", "blocked", "criterion"]


@dataclass(frozen=True)
class Value:
    """A value behind a verdict. Words of the record: whoever shows them escapes them.

    Args:
        value: as recorded: a number or text; "" for none.
        unit: as recorded.
        date: as recorded.
        note: what was made of it.
    """

    value: str = ""
    unit: str = ""
    date: str = ""
    note: str = ""


@dataclass(frozen=True)
class Told:
    """One side of a change.

    Args:
        verdict: of the criterion; of the trial: status, gate, or what blocks; "" where there was none.
        reasons: of an unknown: fact and reason, each.
        leaning: of an unknown; "" for none.
        can_change: whether a later record may turn it.
        values: behind it, the deciding one first.
        notes: beside it.
        attested: by whom, on and until which day; empty for not attested.
    """

    verdict: str = ""
    reasons: tuple[tuple[str, str], ...] = ()
    leaning: str = ""
    can_change: bool = True
    values: tuple[Value, ...] = ()
    notes: tuple[str, ...] = ()
    attested: Mapping[str, str] | None = None

    @property
    def reason(self) -> str:
        """Why it is unknown, the most telling reason; "" for none."""
        return self.reasons[0][1] if self.reasons else ""

    @property
    def value(self) -> str:
        """The deciding value and its unit; "" for none."""
        first = self.values[0] if self.values else Value()
        return " ".join(part for part in (first.value, first.unit) if part)

    @property
    def date(self) -> str:
        """The day of the deciding value; "" for none."""
        return self.values[0].date if self.values else ""


@dataclass(frozen=True)
class Change:
    """One difference.

    Args:
        what: of the trial (status, gate, blocked), or of a criterion.
        criterion: its id; "" for a difference of the trial.
        before: what a person relied on.
        after: what is known now.
    """

    what: What
    criterion: str
    before: Told
    after: Told


_NONE: Final = Told()
_DATING: Final = "Condition"  # the day from which staging, lesions and treatment count
_TYPES: Final = frozenset({"Patient", *RESOURCE_TYPES})


def differs(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Say whether anything differs that a person may have relied on.

    Args:
        before: the screening that a person saw.
        after: a newer one.
    """
    return bool(changes(before, after))


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Return what differs: the trial's status, gate and what blocks, then each criterion, in the newer one's order.

    Args:
        before: the screening that a person saw.
        after: a newer one.
    """
    found: list[Change] = []
    for what in _OF_TRIAL:
        old, new = _of_trial(before, what), _of_trial(after, what)
        if old != new:
            found.append(Change(what, "", Told(old), Told(new)))
    same = all(
        before.get(name) is not None and before.get(name) == after.get(name) for name in ("data", "rules_digest")
    )
    olds, news = _criteria(before), _criteria(after)
    for name in (*news, *(name for name in olds if name not in news)):
        was, now = olds.get(name, _NONE), news.get(name, _NONE)
        if _relied_on(was, verdict_alone=same) != _relied_on(now, verdict_alone=same):
            found.append(Change("criterion", name, was, now))
    return found


def stands(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Say whether a newer screening takes the place of the one that stands: a read that broke off is no news.

    One that read all that the standing one did always does. Another one does when it knows something of its own: a
    criterion that is decided, by no attestation, on what the standing one does not say. A gate is never chosen anew by
    it: treatments, or what dates the disease that they count from, may be among what was not read.

    Args:
        before: the screening that stands.
        after: the newer one.
    """
    lacking = set(after.get("unread") or ()) - set(before.get("unread") or ())
    if not lacking:
        return True
    if before.get("gate") != after.get("gate") or _DATING in lacking:
        return False
    olds = {str(one["id"]): one for one in before.get("criteria", ())}
    patients = tuple(str(one.get("patient") or "") for one in (before, after))
    return any(_knows(olds.get(str(one["id"]), {}), one, lacking, patients) for one in after.get("criteria", ()))


def _knows(before: Mapping[str, Any], after: Mapping[str, Any], lacking: set[str], patients: tuple[str, ...]) -> bool:
    """Say whether a criterion is decided on other values than before, for all that was not read."""
    if after["verdict"] == "unknown" or after.get("attested"):
        return False
    # What nothing on record was missing for, only a person's word, is decided by what was not read, such as treatment.
    if {one.get("reason") for one in before.get("reasons", ())} == {"clinician"}:
        return False
    then, now = (
        {_recorded(value, patient): _text(value.get("date")) for value in one.get("evidence", ())}
        for one, patient in zip((before, after), patients, strict=True)
    )
    partly = lacking | {""}
    newest, other = max(then.values(), default=""), after["verdict"] != before.get("verdict")
    # Where something it rested on was not read, an older value steps in for it: only a newer one is news then.
    shaken = any(value[0] in partly for value in then)
    for value, day in now.items():
        if value not in then and value[0] in partly and other and day > newest:
            return True
        if value not in then and value[0] not in partly and (day > newest or not shaken):
            return True
    return not shaken and any(value not in now for value in then)


def _recorded(evidence: Mapping[str, Any], patient: str) -> tuple[object, ...]:
    """Return a value as it was recorded, and the type of its resource; not what was made of it."""
    value = _value(evidence, patient)
    return _typed(evidence), _number(value.value), value.unit, value.date


def _typed(evidence: Mapping[str, Any]) -> str:
    """Return the type of the resource behind a value; "" where its name does not tell."""
    found = str(evidence.get("resource") or "").rsplit("/", 2)[-2:][0]
    return found if found in _TYPES else ""


_OF_TRIAL: Final[tuple[What, ...]] = ("status", "gate", "blocked")


def _of_trial(result: Mapping[str, Any], what: What) -> str:
    found = result.get(what)
    return ", ".join(sorted(map(str, found))) if isinstance(found, (list, tuple)) else str(found or "")


def _criteria(result: Mapping[str, Any]) -> dict[str, Told]:
    patient = str(result.get("patient") or "")
    return {str(one["id"]): _told(one, patient) for one in result.get("criteria", ())}


def _told(criterion: Mapping[str, Any], patient: str) -> Told:
    return Told(
        verdict=str(criterion["verdict"]),
        reasons=tuple((str(one["fact"]), str(one["reason"])) for one in criterion.get("reasons", ())),
        leaning=str(criterion.get("leaning") or ""),
        can_change=bool(criterion.get("can_change", True)),
        values=tuple(_value(one, patient) for one in criterion.get("evidence", ())),
        notes=tuple(map(str, criterion.get("notes", ()))),
        attested=criterion.get("attested") or None,
    )


def _value(evidence: Mapping[str, Any], patient: str) -> Value:
    # What is worked out of the Patient resource, such as an age, bears the day of the judgement.
    own = evidence.get("resource") == patient or (not patient and str(evidence.get("resource")).startswith("Patient/"))
    return Value(
        value=_text(evidence.get("value")),
        unit=_text(evidence.get("unit")),
        date="" if own else _text(evidence.get("date")),
        note=_text(evidence.get("note")),
    )


def _text(value: object) -> str:
    """Return text; a number as it was recorded, whatever type the store gave it back in."""
    return "" if value is None else str(value)


def _relied_on(told: Told, *, verdict_alone: bool) -> tuple[object, ...]:
    """Return what is compared of a criterion; the order of what is listed does not matter."""
    attested = tuple(sorted((told.attested or {}).items()))
    if verdict_alone:
        return told.verdict, attested
    return (
        told.verdict,
        attested,
        told.leaning,
        told.can_change,
        frozenset(told.reasons),
        _distinct(told.values),
        frozenset(told.notes),
    )


def _distinct(values: Sequence[Value]) -> frozenset[tuple[object, ...]]:
    return frozenset((_number(one.value), one.unit, one.date, one.note) for one in values)


def _number(text: str) -> object:
    """Return what two texts of one number share: 12.10 is 12.1."""
    try:
        number = Decimal(text)
    except ArithmeticError:
        return text
    return number if number.is_finite() else text

"""What the store reads of a result: what a list shows of it, and whether another one says the same on another day.

A result is the contract's JSON of one trial, with ``patient``, the reference of its Patient resource.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cds_service.evaluation.outcome import LEANS_AGAINST
from cds_service.store import exact_json

_OF_TRIAL: Final = ("blocked", "to_confirm", "valid_until")
_OF_CRITERION: Final = ("id", "verdict", "leaning", "notes")
_WORDED: Final = frozenset({"message", "message_zh"})


def brief_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a result that lists show: what blocks, fails, is to be confirmed or was doubted.

    And the last day on which all results behind it count.
    """
    asked = set(result.get("to_confirm", ()))
    criteria = [
        {name: one[name] for name in _OF_CRITERION if one.get(name)}
        for one in result.get("criteria", ())
        if one.get("verdict") == "fail" or one.get("id") in asked or LEANS_AGAINST in one.get("notes", ())
    ]
    return {**{name: result[name] for name in _OF_TRIAL if result.get(name)}, "criteria": criteria}


def doubts(brief: Mapping[str, Any]) -> int:
    """Count what only a person can settle, or settled, and the record leans against."""
    asked = set(brief.get("to_confirm", ()))
    return sum(
        (one.get("id") in asked and one.get("leaning") == "fail") or LEANS_AGAINST in one.get("notes", ())
        for one in brief["criteria"]
    )


def says_the_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Say whether two results differ in nothing but the day that they were judged for.

    What follows from that day alone: our sentences (how many days ago), until when a new result would count, and the
    day that an age is told for. Everything else counts, also the last day on which the data still do.
    """
    return exact_json.dump(_dayless(one)) == exact_json.dump(_dayless(other))


def _dayless(result: Mapping[str, Any]) -> dict[str, Any]:
    patient = result.get("patient")
    return {
        **_sorted(result),
        "criteria": [_criterion(one, patient) for one in result.get("criteria", ())],
        "decisive": [_decisive(one, patient) for one in result.get("decisive", ())],
    }


def _criterion(one: Mapping[str, Any], patient: object) -> dict[str, Any]:
    return {**_sorted(one, without=_WORDED), "evidence": _recorded(one.get("evidence", ()), patient)}


def _decisive(one: Mapping[str, Any], patient: object) -> dict[str, Any]:
    last = one.get("last")
    return {**_sorted(one, without={"new_until"}), "last": _recorded([last] if last else (), patient)}


def _recorded(evidence: Sequence[Mapping[str, Any]], patient: object) -> list[dict[str, Any]]:
    """Return values behind a verdict; what is worked out of the Patient resource bears the day of the judgement."""
    return [
        _sorted(one, without={"date"} if patient is not None and one.get("resource") == patient else ())
        for one in evidence
    ]


def _sorted(told: Mapping[str, Any], without: Any = ()) -> dict[str, Any]:
    return {name: told[name] for name in sorted(told) if name not in without}

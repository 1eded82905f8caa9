"""A test case of a trial: a patient in shorthand, and what the trial must say of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Case:
    """One patient and what is expected.

    Args:
        it: what the case shows, continuing "it ...".
        given: shorthand entries that replace those of the base patient; plain data.
        without: entries of the base patient that are left out.
        as_of: the day of the judgement; None for the file's own.
        anchor: the planned first day; None when none is given.
        verdicts: by criterion: "pass", "fail" or "unknown".
        status: of the patient for the trial, or None when the case does not say.
        gate: the same for the gate.
        can_change: by criterion, whether its verdict can still change.
        to_confirm: ids of the criteria left to a person, or None when the case does not say.
        decisive: names of the decisive facts, or None when the case does not say.
        why: by criterion, its first reason for being unknown.
        leaning: by criterion: "pass", "fail" or None for no leaning.
        on_limit: whether the case stands exactly on a limit of the criteria it has a verdict for.
        line: where it stands in the file (1-based).
    """

    it: str
    given: Mapping[str, Any]
    without: tuple[str, ...]
    as_of: date | None
    anchor: date | None
    verdicts: Mapping[str, str]
    status: str | None
    gate: str | None
    can_change: Mapping[str, bool]
    to_confirm: tuple[str, ...] | None
    decisive: tuple[str, ...] | None
    why: Mapping[str, str]
    leaning: Mapping[str, str | None]
    on_limit: bool
    line: int


@dataclass(frozen=True)
class CaseFile:
    """The cases of one trial.

    Args:
        trial: its registry number.
        as_of: the day of the judgement, unless a case says another.
        patient: the base patient in shorthand, who passes everything; plain data.
        cases: in the file's order.
        cannot: by criterion, the verdicts that it cannot have, each with the reason.
        path: the file.
    """

    trial: str
    as_of: date
    patient: Mapping[str, Any]
    cases: tuple[Case, ...]
    cannot: Mapping[str, Mapping[str, str]]
    path: Path

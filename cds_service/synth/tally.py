"""A run counted against the truth: right, contradicting, unknown, and whether what was left in is judged exactly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cds_service.synth.person import TRIAL
from cds_service.synth.spoilt import NEEDS

CRITERIA: Final = tuple(NEEDS)
STATUSES: Final = ("candidate", "needs-data", "not-now", "excluded")
_FIRST: Final = 20

_VERDICTS: Final = ("pass", "fail", "unknown")
_GATES: Final = {"screening": tuple(one for one in CRITERIA if one != "response"), "randomisation": CRITERIA}
_ABSENT: Final = "."


@dataclass
class CriterionTally:
    """Counts of one criterion.

    Args:
        right: definite verdicts that are the truth's.
        contradicting: definite verdicts that are the opposite of the truth's.
        open: definite verdicts where the contract leaves the full facts open.
        unknown: not decided.
        undecided_truth: of those, how many the contract leaves open too.
        intact: patients of whom everything that it rests on was left in.
        exact: of those, how many got exactly the contract's verdict.
    """

    right: int = 0
    contradicting: int = 0
    open: int = 0
    unknown: int = 0
    undecided_truth: int = 0
    intact: int = 0
    exact: int = 0


@dataclass(frozen=True, slots=True)
class Known:
    """The truth of one patient, packed: a population must fit into memory.

    Args:
        gate: of the trial.
        status: at the gate.
        packed: one letter per criterion of `CRITERIA`.
    """

    gate: str
    status: str
    packed: str

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> Known:
        """Pack a line of the truth file."""
        criteria = line["criteria"]
        return cls(line["gate"], line["status"], "".join(_letter(criteria.get(name)) for name in CRITERIA))

    @property
    def whole(self) -> bool:
        """Whether nothing of the patient was left out."""
        return all(letter == _ABSENT or (ord(letter) - 65) & 1 for letter in self.packed)

    def criterion(self, at: int) -> tuple[str, bool, bool] | None:
        """Return verdict, can_change and intact; None for a criterion of the other gate."""
        letter = self.packed[at]
        if letter == _ABSENT:
            return None
        number = ord(letter) - 65
        return _VERDICTS[number >> 2], bool(number & 2), bool(number & 1)


def _letter(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return _ABSENT
    return chr(65 + 4 * _VERDICTS.index(one["verdict"]) + 2 * one["can_change"] + one["intact"])


@dataclass
class Tally:
    """A run against the truth.

    Args:
        criteria: by id.
        statuses: how often which true status got which.
        whole: patients of whom nothing was left out.
        whole_right: of those, how many have the true gate and status.
        faults: the first of what is wrong, as patient and what.
        wrong: how much is wrong in all.
    """

    criteria: dict[str, CriterionTally] = field(default_factory=lambda: {name: CriterionTally() for name in CRITERIA})
    statuses: Counter[tuple[str, str]] = field(default_factory=Counter)
    whole: int = 0
    whole_right: int = 0
    faults: list[tuple[str, str]] = field(default_factory=list)
    wrong: int = 0

    @property
    def patients(self) -> int:
        """How many were compared."""
        return self.statuses.total()

    def count(self, patient: str, known: Known, line: Mapping[str, Any]) -> None:
        """Compare a line of the results with the truth of its patient."""
        result = _of_trial(line.get("results", ()))
        brief = _of_trial(line.get("others", ()))
        found = result or brief
        if found is None or (result is not None and brief is not None):
            self._fault(patient, "not judged exactly once")
            return
        self.statuses[known.status, found.get("status", "")] += 1
        if known.whole:
            self.whole += 1
            if (found.get("gate"), found.get("status")) == (known.gate, known.status):
                self.whole_right += 1
            else:
                self._fault(patient, "status or gate differs, and nothing was left out")
        if result is not None:
            criteria = {one["id"]: one for one in result["criteria"]}
            follows = result.get("status") == _status_of(result)
        else:
            criteria = {"npc-primary": {"verdict": found.get("trigger"), "can_change": True}}
            # Only a trigger that fails makes a trial one of the others.
            follows = found.get("trigger") == "fail" and found.get("status") in ("excluded", "not-now")
        if not follows:
            self._fault(patient, "status does not follow from its own verdicts")
        gate = _GATES.get(found.get("gate", ""))
        if gate is None:
            self._fault(patient, "gate is none of the trial's")
        for name in criteria if result is None else gate or ():
            if criteria.get(name, {}).get("verdict") not in _VERDICTS:
                self._fault(patient, f"{name} is not there, or its verdict is none of three")
        self._criteria(patient, known, criteria, complete=result is not None)

    def _criteria(self, patient: str, known: Known, found: Mapping[str, Mapping[str, Any]], *, complete: bool) -> None:
        for at, name in enumerate(CRITERIA):
            truth, one = known.criterion(at), found.get(name)
            if truth is None or (one is None and not complete):
                continue
            verdict, can_change, intact = truth
            tally, given = self.criteria[name], one.get("verdict") if one else None
            if given == "unknown":
                tally.unknown += 1
                tally.undecided_truth += verdict == "unknown"
            elif given in ("pass", "fail"):
                if given == verdict:
                    tally.right += 1
                elif verdict == "unknown":
                    tally.open += 1
                else:
                    tally.contradicting += 1
                    self._fault(patient, f"{name} is {given}, in truth {verdict}")
            if intact:
                tally.intact += 1
                if one and (given, one.get("can_change")) == (verdict, can_change):
                    tally.exact += 1
                else:
                    self._fault(patient, f"{name} is not exactly the contract's verdict, and nothing was left out")

    def absent(self, patients: Iterable[str]) -> None:
        """Count patients that the run does not hold."""
        for patient in patients:
            self._fault(patient, "not in the results")

    def strange(self, patient: str) -> None:
        """Count a patient that the truth does not hold, or holds once and the run twice."""
        self._fault(patient, "in the results twice, or not in the truth")

    def _fault(self, patient: str, what: str) -> None:
        self.wrong += 1
        if len(self.faults) < _FIRST:
            self.faults.append((patient, what))


def _status_of(result: Mapping[str, Any]) -> str:
    """Return what a result's own verdicts give: the contract's rule of statuses, written a second time."""
    criteria = result["criteria"]
    fails = [one for one in criteria if one.get("verdict") == "fail"]
    if result.get("blocked") or any(one.get("can_change") is False for one in fails):
        return "excluded"
    if fails:
        return "not-now"
    asked = result.get("to_confirm", ())
    unknown = any(one.get("verdict") == "unknown" and one["id"] not in asked for one in criteria)
    return "needs-data" if unknown else "candidate"


def _of_trial(results: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return next((one for one in results if one.get("trial") == TRIAL), None)

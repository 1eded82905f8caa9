"""Many trials, one patient: where the patient stands in each, without asking each.

Trials of one disease that choose their gate alike see one chart. There, single comparisons of one fact become sorted
limits (``logic/thresholds.py``), and every other sentence is compiled into one function, once however many trials ask
it. What comes out is what :func:`~cds_service.evaluation.judge.judge` says of status, gate and trigger; a property
test holds the two equal. Explanations are left to ``judge``, for the trials that need one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from jsonlogic.core import Operator

from cds_service.evaluation.criterion import as_required, reasons_of
from cds_service.evaluation.frame import chosen_gate, disease_of, moment_at
from cds_service.evaluation.outcome import Status, Verdict, asks_a_person
from cds_service.facts.chart import Chart
from cds_service.facts.fact import Fact, Missing, Reason
from cds_service.facts.need import Need
from cds_service.logic.compiled import TURNED, Sentence, States, compile_sentences
from cds_service.logic.completions import decide
from cds_service.logic.operators import Compare, Not, Var, literal
from cds_service.logic.thresholds import OPPOSITE, Thresholds
from cds_service.logic.truth import State, Truth
from cds_service.trials.model import Criterion, Kind, Library, Trial


class Standing(NamedTuple):
    """Where a patient stands in one trial.

    Args:
        trial: registry number.
        gate: id of the protocol's moment.
        status: as ``judge`` says it.
        trigger: the AND of the trial's trigger criteria; pass when it has none at the gate.
    """

    trial: str
    gate: str
    status: Status
    trigger: Verdict


@dataclass
class _Masks:
    """Which trials, one bit each, have a criterion in a state; ``trigger_`` ones of their trigger criteria alone."""

    for_good: int = 0
    fails: int = 0
    unknown: int = 0
    trigger_fails: int = 0
    trigger_unknown: int = 0
    gates: list[tuple[str, int]] = field(default_factory=list)

    def add(self, state: State, mask: int, trigger: bool) -> None:
        """Count one criterion's state for the trials that ask it."""
        if state is State.UNKNOWN:
            self.unknown |= mask
            self.trigger_unknown |= mask if trigger else 0
        elif state < State.UNKNOWN:
            if state is State.FALSE:
                self.fails |= mask
            else:
                self.for_good |= mask
            self.trigger_fails |= mask if trigger else 0


class Standings(Iterable[Standing]):
    """Where a patient stands in every trial of an index; worked out when it is looked at."""

    def __init__(self, trials: Sequence[str], masks: _Masks, deceased: Truth) -> None:
        """Keep the masks.

        Args:
            trials: registry numbers; the position is the bit.
            masks: see :class:`_Masks`.
            deceased: whether the patient has died.
        """
        self._trials, self._masks, self._deceased = trials, masks, deceased

    def __iter__(self) -> Iterator[Standing]:
        """Yield every standing; the masks are read as text, one sign a trial."""
        size, masks = len(self._trials), self._masks
        rows = (masks.for_good, masks.fails, masks.unknown, masks.trigger_fails, masks.trigger_unknown)
        signs = zip(*(f"{mask:0{size}b}"[::-1] for mask in rows), strict=True)
        gates = [""] * size
        for gate, mask in masks.gates:
            for at, sign in enumerate(f"{mask:b}"[::-1]):
                if sign == "1":
                    gates[at] = gate
        known: dict[tuple[str, ...], tuple[Status, Verdict]] = {}
        for at, (name, gate, row) in enumerate(zip(self._trials, gates, signs, strict=True)):
            if row not in known:
                known[row] = self._status(1 << at), self._trigger(1 << at)
            yield Standing(name, gate, *known[row])

    def _status(self, bit: int) -> Status:
        if self._deceased is Truth.TRUE or self._masks.for_good & bit:
            return Status.EXCLUDED
        if self._masks.fails & bit:
            return Status.NOT_NOW
        if self._masks.unknown & bit or self._deceased is Truth.UNKNOWN:
            return Status.NEEDS_DATA
        return Status.CANDIDATE

    def _trigger(self, bit: int) -> Verdict:
        if self._masks.trigger_fails & bit:
            return Verdict.FAIL
        return Verdict.UNKNOWN if self._masks.trigger_unknown & bit else Verdict.PASS


class TrialIndex:
    """Trials, made ready to be judged together."""

    def __init__(self, library: Library, trials: Sequence[str] | None = None) -> None:
        """Group the trials; done once when rules are loaded.

        Args:
            library: the rules.
            trials: registry numbers; None for all, in the library's order.
        """
        self._library = library
        self.trials = tuple(library.trials) if trials is None else tuple(trials)
        frames: dict[tuple[str, str, str], list[tuple[int, Trial]]] = {}
        for at, name in enumerate(self.trials):
            trial = library.trials[name]
            choice = (repr(trial.gate_choice.tree), repr(sorted(trial.gate_needs.items())))
            frames.setdefault((disease_of(trial, library), *choice), []).append((1 << at, trial))
        self._frames = [(disease, members) for (disease, *_), members in frames.items()]
        self._boards: dict[tuple[int, str, bool], _Board] = {}

    def standings(self, chart: Chart, anchor: date | None = None) -> Standings:
        """Say where a patient stands.

        Args:
            chart: the record on the day, before any gate was chosen.
            anchor: the planned first dose; None for the day.
        """
        masks = _Masks()
        for number, (disease, members) in enumerate(self._frames):
            about = chart.about(disease)
            first = members[0][1]
            chosen = chosen_gate(first, {name: about.fact(need) for name, need in first.gate_needs.items()})
            for anchored in (False, True):
                board = self._board(number, chosen, anchored)
                if board.gate is not None:
                    masks.gates.append((chosen, board.everyone))
                    board.fill(masks, about.at(moment_at(board.gate, chart.moment.as_of, anchor)))
        return Standings(self.trials, masks, chart.person.deceased)

    def _board(self, number: int, chosen: str, anchored: bool) -> _Board:
        """Return the trials of a frame at a gate; made when the first patient stands there."""
        key = (number, chosen, anchored)
        if key not in self._boards:
            members = self._frames[number][1]
            self._boards[key] = _Board(
                chosen, [(bit, t) for bit, t in members if t.gate(chosen).anchored_by_caller is anchored]
            )
        return self._boards[key]


@dataclass
class _Asked:
    """One sentence that is no single comparison, and who asks it."""

    criterion: Criterion
    sentence: Sentence
    exact: bool
    mask: int = 0


class _Board:
    """The criteria of trials that see one chart at one gate."""

    def __init__(self, gate: str, members: Sequence[tuple[int, Trial]]) -> None:
        self.everyone = 0
        self.gate = members[0][1].gate(gate) if members else None
        self._places: dict[Need, int] = {}
        limits: dict[tuple[int, str, bool], dict[Decimal, int]] = {}
        asked: dict[tuple[str, tuple[tuple[str, int], ...], Kind, bool], _Asked] = {}
        for bit, trial in members:
            self.everyone |= bit
            for criterion in trial.at(gate):
                places = {name: self._place(need) for name, need in criterion.needs.items()}
                single = _single(criterion)
                if single is not None:
                    name, sign, limit = single
                    found = limits.setdefault((places[name], sign, criterion.trigger), {})
                    found[limit] = found.get(limit, 0) | bit
                    continue
                key = (repr(criterion.logic.tree), tuple(places.items()), criterion.kind, criterion.trigger)
                sentence = Sentence(criterion.logic.tree, places)
                one = asked.setdefault(key, _Asked(criterion, sentence, criterion.logic.exact))
                one.mask |= bit
        self._thresholds = [(place, t, Thresholds(sign, found)) for (place, sign, t), found in limits.items()]
        self._asked = list(asked.values())
        self._states: States = compile_sentences([one.sentence for one in self._asked], len(self._places))

    def _place(self, need: Need) -> int:
        return self._places.setdefault(need, len(self._places))

    def fill(self, masks: _Masks, chart: Chart) -> None:
        """Judge everything once, and count it for the trials that ask it."""
        facts = [chart.fact(need) for need in self._places]
        values = [fact.value for fact in facts]
        for place, trigger, thresholds in self._thresholds:
            missed = thresholds.missed(values[place])
            masks.add(State.FALSE_FOR_GOOD, missed.for_good, trigger)
            masks.add(State.FALSE, missed.now, trigger)
            if missed.unknown and (trigger or not asks_a_person(_first_reasons(facts[place]))):
                masks.add(State.UNKNOWN, missed.unknown, trigger)
        for one, told in zip(self._asked, self._states(values), strict=True):
            state = as_required(one.criterion, told)
            if state > State.UNKNOWN:
                continue
            if state is State.UNKNOWN:
                state = _settled(one, facts)
            masks.add(state, one.mask, one.criterion.trigger)


def _single(criterion: Criterion) -> tuple[str, str, Decimal] | None:
    """Return a criterion that is one comparison of one fact with one number: the fact, the sign, the limit."""
    part, negated = criterion.logic.tree, criterion.kind is Kind.EXCLUSION
    while isinstance(part, Not) and isinstance(part.arguments[0], Operator):
        part, negated = part.arguments[0], not negated
    if not isinstance(part, Compare) or len(part.arguments) != 2:
        return None
    left, right = part.arguments
    sign = part.operator
    if isinstance(right, Var):
        left, right, sign = right, left, TURNED[sign]
    if not isinstance(left, Var) or isinstance(right, Operator):
        return None
    limit = literal(right)
    return (left.name, OPPOSITE[sign] if negated else sign, limit) if isinstance(limit, Decimal) else None


def _settled(one: _Asked, facts: Sequence[Fact]) -> State:
    """Return what counts of a sentence that came out unknown: true when it stays out of the conjunction."""
    criterion = one.criterion
    read = {name: facts[place] for name, place in one.sentence.places.items()}
    pieces = {missing.reason for fact in read.values() for missing in fact.missing}
    # Where each fact is asked once, the tables are exact: what is unknown stays so.
    if one.exact and (criterion.trigger or Reason.CLINICIAN not in pieces):
        return State.UNKNOWN
    decision = decide(criterion.logic, {name: fact.value for name, fact in read.items()})
    state = as_required(criterion, decision.state)
    if state is State.UNKNOWN and not criterion.trigger and asks_a_person(reasons_of(criterion, read, decision)):
        return State.TRUE
    return state


def _first_reasons(fact: Fact) -> list[Missing]:
    """Return the primary reason of each missing piece, as an explanation of this fact alone gives them."""
    first: dict[str, Missing] = {}
    for missing in fact.missing:
        first.setdefault(missing.fact, missing)
    return list(first.values())

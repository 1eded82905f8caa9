"""What is compared: reading and judging one patient, evaluating one trial, and many trials for one patient."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import Any, Final
from uuid import UUID

from bench.by_hand import by_hand, candidate_by_hand, three_valued_by_hand
from bench.many_trials import many_trials
from bench.paired import Pair
from bench.patients import AS_OF, body_of_size
from cds_service.evaluation.index import TrialIndex
from cds_service.evaluation.judge import judge
from cds_service.facts.chart import Chart, read_entries
from cds_service.facts.fact import Moment
from cds_service.gather.bundle import read_bundle
from cds_service.gather.json_text import read_json
from cds_service.logic.compiled import Sentence, compile_sentences
from cds_service.logic.truth import State
from cds_service.logic.values import ANY_NUMBER, EITHER, Choices, Numbers, Value
from cds_service.present.cards import make_cards
from cds_service.rules_folder import rules_folder
from cds_service.trials.library import load_library
from cds_service.trials.model import Library

TRIAL: Final = "NCT07235319"
SEED: Final = UUID(int=7)
MOST_BYTES: Final = 64 * 2**20


@cache
def rules() -> Library:
    """Return the rules of this checkout."""
    return load_library(rules_folder())


def patient(resources: int) -> Pair:
    """From the bytes of a request to verdicts, reasons and cards, against a parser and a predicate written by hand."""
    import orjson

    body, library = body_of_size(resources), rules()

    def ours() -> Any:
        record = read_bundle(read_json(body, max_bytes=MOST_BYTES))
        outcome = judge(record, library, as_of=AS_OF, trials=[TRIAL])
        return outcome, make_cards(outcome, seed=SEED)

    def check() -> None:
        outcome, cards = ours()
        found = {one.criterion.id: one.verdict.value for one in outcome.trials[0].criteria}
        assert found == candidate_by_hand(orjson.loads(body), AS_OF)
        assert len(cards) == 1

    parsed = read_json(body, max_bytes=MOST_BYTES)
    record = read_bundle(parsed)
    sides = {
        "orjson and by hand": lambda: candidate_by_hand(orjson.loads(body), AS_OF),
        "ours": ours,
        "of it: strict JSON": lambda: read_json(body, max_bytes=MOST_BYTES),
        "of it: whose record": lambda: read_bundle(parsed),
        "of it: entries": lambda: read_entries(record),
    }
    note = f"body bytes to verdicts, reasons and cards; {resources} resources, {len(body) / 1000:.0f} kB, 1 trial"
    return Pair(f"patient-{resources}", "orjson and by hand", sides, check, note)


def evaluation(rows: int = 500, missing: float = 0.0) -> Pair:
    """One trial's criteria over facts: by hand, compiled, the tree, and datalogic-py."""
    trial = rules().trials[TRIAL]
    names = list(dict.fromkeys(name for one in trial.criteria for name in one.needs))
    places = {name: at for at, name in enumerate(names)}
    logics = [one.logic for one in trial.criteria]
    states = compile_sentences([Sentence(one.tree, places) for one in logics], len(names))
    plain = list(_rows(rows, missing))
    as_values = [{name: _value(row[name], name) for name in names} for row in plain]
    in_rows = [[values[name] for name in names] for values in as_values]

    def compiled() -> list[tuple[State, ...]]:
        return [states(row) for row in in_rows]

    def tree() -> list[tuple[State, ...]]:
        return [tuple(one.state(values) for one in logics) for values in as_values]

    hand: Any = three_valued_by_hand if missing else by_hand

    def check() -> None:
        assert compiled() == tree()
        now = [tuple({-1: False, 0: None, 1: True}[max(-1, min(1, s))] for s in found) for found in compiled()]
        assert now == [three_valued_by_hand(row) for row in plain]
        if not missing:
            assert now == [by_hand(row) for row in plain]
            assert now == [tuple(bool(answer) for answer in found) for found in theirs()]

    sides: dict[str, Any] = {"by hand": lambda: [hand(row) for row in plain], "compiled": compiled, "the tree": tree}
    theirs = None
    if not missing:
        theirs = _datalogic(plain)
        sides["by hand, three-valued"] = lambda: [three_valued_by_hand(row) for row in plain]
        sides["datalogic-py"] = theirs
    share = f"{missing:.0%} of the facts missing" if missing else "no fact missing"
    note = f"{len(logics)} criteria over {len(names)} facts, {share}; by hand is "
    note += "three-valued" if missing else "two-valued, as datalogic-py is"
    return Pair(f"evaluation{'-missing' if missing else ''}", "by hand", sides, check, note, work=rows)


def facts_of_patients(count: int, missing: float) -> list[dict[str, Value]]:
    """Return the facts of so many patients as the facts' layer gives them, by variable of the trial's criteria."""
    return [{name: _value(plain, name) for name, plain in row.items()} for row in _rows(count, missing)]


def _rows(count: int, missing: float) -> Iterator[dict[str, Any]]:
    draw = random.Random(5)
    trial = rules().trials[TRIAL]
    facts = {name: need.fact for one in trial.criteria for name, need in one.needs.items()}
    limits = {name: found for one in trial.criteria for name, found in one.logic.limits.items()}
    for _ in range(count):
        row: dict[str, Any] = {}
        for name, fact in facts.items():
            if rules().facts[fact].type == "boolean":
                row[name] = draw.random() < 0.5
            else:
                middle = max(limits[name])
                row[name] = Decimal(str(round(float(middle) * draw.uniform(0.3, 1.7), 2)))
        # Two tests that contradict each other are a case of our own (`agree`), which no two-valued rule has.
        row["pt"] = row["inr"]
        yield {name: None if draw.random() < missing else value for name, value in row.items()}


def _value(plain: Any, name: str) -> Value:
    """Return a plain fact as the facts' layer gives it: anything may come later."""
    if isinstance(plain, bool):
        return Value(Choices.of(plain), EITHER)
    if plain is not None:
        return Value(Numbers.of(plain), ANY_NUMBER)
    trial = rules().trials[TRIAL]
    fact = next(one.needs[name].fact for one in trial.criteria if name in one.needs)
    return Value.fixed(EITHER if rules().facts[fact].type == "boolean" else ANY_NUMBER)


def _datalogic(plain: list[dict[str, Any]]) -> Any:
    """Return datalogic-py on the same rule: compiled once, as one array, over plain numbers."""
    from datalogic_py import Engine

    def told(part: Any) -> Any:
        if isinstance(part, dict):
            ((name, inner),) = part.items()
            # It has no `agree`; where the pair does not contradict itself, either test tells.
            return {"or" if name == "agree" else name: told(inner)}
        return [told(one) for one in part] if isinstance(part, list) else part

    from bench.plain_logic import logic_of

    rule = Engine().compile(json.dumps([told(logic_of(one.logic.tree)) for one in rules().trials[TRIAL].criteria]))
    rows = [{name: value if isinstance(value, bool) else float(value) for name, value in row.items()} for row in plain]
    return lambda: [rule.evaluate(row) for row in rows]


def trials(count: int, resources: int = 60) -> Pair:
    """Many trials for one patient, from the record to every trial's status."""
    record = read_bundle(read_json(body_of_size(resources), max_bytes=MOST_BYTES))
    one, many = many_trials(rules(), 1), many_trials(rules(), count)
    single, index = TrialIndex(one), TrialIndex(many)
    start = Moment(AS_OF, AS_OF, "")

    def standings(library: Library, made: TrialIndex) -> Any:
        chart = Chart(read_entries(record), library.facts, library.value_sets, start)
        return list(made.standings(chart))

    def check() -> None:
        outcome = judge(record, many, as_of=AS_OF, trials=list(many.trials))
        found = [(one.trial, one.gate, one.status) for one in standings(many, index)]
        assert found == [(one.trial.id, one.gate, one.status) for one in outcome.trials]
        assert standings(one, single)[0] == standings(many, index)[0]

    charts = {
        size: Chart(read_entries(record), library.facts, library.value_sets, start)
        for size, library in ((1, one), (count, many))
    }
    sides = {
        "1 trial": lambda: standings(one, single),
        f"{count} trials": lambda: standings(many, index),
        "1 trial, facts at hand": lambda: list(single.standings(charts[1])),
        f"{count} trials, facts at hand": lambda: list(index.standings(charts[count])),
    }
    note = f"record to every status; {resources} resources, 25 criteria a trial, a fifth of them no single comparison"
    return Pair(f"trials-{count}", "1 trial", sides, check, note)

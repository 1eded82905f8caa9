"""JSON-Logic at its edges: what is refused, and the states that two sentences give together."""

from decimal import Decimal
from typing import Any

import pytest

from cds_service.logic.expression import MAX_DEPTH, MAX_DIGITS, MAX_NODES, MAX_TEXT, LogicError, compile_logic
from cds_service.logic.truth import State
from cds_service.logic.values import Interval, Numbers, Value

TYPES = {"n": "number", "m": "number", "b": "boolean", "c": "boolean", "s": "string"}


def test_the_limits_are_what_the_documents_say() -> None:
    assert (MAX_DEPTH, MAX_NODES, MAX_TEXT, MAX_DIGITS) == (32, 2_000, 4_096, 40)


def nodes(count: int) -> dict[str, Any]:
    """Return logic of exactly so many nodes: the operator, its arguments, the variable, its name, the list."""
    return {"in": [{"var": "n"}, list(range(count - 5))]}


def test_two_thousand_nodes_and_no_more() -> None:
    compile_logic(nodes(MAX_NODES), TYPES)
    with pytest.raises(LogicError, match="more than 2000 nodes"):
        compile_logic(nodes(MAX_NODES + 1), TYPES)


@pytest.mark.parametrize(
    ("text", "fits"),
    [("x" * MAX_TEXT, True), ("x" * (MAX_TEXT + 1), False)],
)
def test_a_long_text(text: str, fits: bool) -> None:
    if fits:
        compile_logic({"==": [{"var": "s"}, text]}, TYPES)
    else:
        with pytest.raises(LogicError, match="longer than 4096"):
            compile_logic({"==": [{"var": "s"}, text]}, TYPES)


@pytest.mark.parametrize(
    ("logic", "words"),
    [
        ({">": [{"var": "n"}]}, ""),
        ({"==": [{"var": "n"}, 1, 2]}, ""),
        ({"!=": [{"var": "n"}, 1, 2]}, ""),
        ({"==": [{"var": "n"}]}, ""),
        ({"==": [{"var": "n"}, "1"]}, "compares"),
        ({"==": [{"var": "n"}, True]}, "compares"),
        ({"!": [{"var": "b"}, {"var": "c"}]}, ""),
        ({"!": [{"var": "n"}]}, ""),
        ({"and": [{"var": "b"}, {"var": "n"}]}, "a sentence"),
        ({"or": [{"var": "n"}, {"var": "b"}]}, "a sentence"),
        ({"agree": [{"var": "b"}]}, ""),
        ({"if": [{"var": "b"}, {"var": "c"}]}, "needs an else"),
        ({"if": [{"var": "n"}, {"var": "b"}, {"var": "c"}]}, "a sentence"),
        ({"if": [{"var": "b"}, {"var": "b"}, {"var": "n"}, {"var": "b"}, {"var": "c"}]}, "a sentence"),
        ({"if": [{"var": "b"}, {"var": "n"}, {"var": "c"}]}, "one type"),
        ({"in": [{"var": "s"}, []]}, "a list of literals"),
        ({"in": [{"var": "s"}, "abc"]}, "a list of literals"),
        ({"in": [{"var": "s"}, ["a", ["b"]]]}, "a list of literals"),
        ({"in": [{"var": "s"}, [{"var": "s"}]]}, "a list of literals"),
        ({"in": [{"var": "s"}, ["a"], ["b"]]}, "a list of literals"),
        ({"in": [{"var": "s"}]}, "a list of literals"),
        ({"in": [{"var": "s"}, ["a", 1]]}, "in the list of"),
        ({"<": [{"var": "s"}, 1]}, ""),
        ({"<": [{"var": "n"}, Decimal("NaN")]}, "cannot stand in logic"),
        ({"<": [{"var": "n"}, float("inf")]}, "cannot stand in logic"),
        ({"<": [{"var": "n"}, None]}, "cannot stand in logic"),
        ({"<": [{"var": "n"}, 10**40]}, "cannot stand in logic"),
        ({"var": "n"}, "must be a sentence"),
        ({"var": "x"}, ""),
        ({}, "exactly one key"),
        ({"and": [{"var": "b"}, {"var": "c"}], "or": []}, "exactly one key"),
        ({"+": [1, 2]}, "unknown operator"),
        ([], "an object with one operator"),
        (True, "an object with one operator"),
    ],
)
def test_what_is_refused(logic: Any, words: str) -> None:
    with pytest.raises(LogicError) as refused:
        compile_logic(logic, TYPES)
    assert words in refused.value.message


@pytest.mark.parametrize(
    "logic",
    [
        {"if": [{"var": "b"}, {"var": "b"}, {"var": "c"}, {"var": "b"}, {"var": "c"}]},
        {"in": [{"var": "s"}, ["a"]]},
        {"in": [{"var": "n"}, [1, Decimal("2.5")]]},
        {"<=": [1, {"var": "n"}, 2]},
        {"<": [{"var": "n"}, 10**39]},
    ],
)
def test_what_is_taken(logic: Any) -> None:
    compile_logic(logic, TYPES)


NUMBER = {
    # A number below 10 now, and later either anything or still below 10; the same above it.
    State.TRUE_FOR_GOOD: Value(Numbers.of(Decimal(5)), Numbers.of(Decimal(5))),
    State.TRUE: Value(Numbers.of(Decimal(5)), Numbers((Interval(),))),
    State.UNKNOWN: Value(Numbers((Interval(),)), Numbers((Interval(),))),
    State.FALSE: Value(Numbers.of(Decimal(50)), Numbers((Interval(),))),
    State.FALSE_FOR_GOOD: Value(Numbers.of(Decimal(50)), Numbers.of(Decimal(50))),
}


@pytest.mark.parametrize("left", list(State))
@pytest.mark.parametrize("right", list(State))
def test_agree_is_the_common_side_as_firm_as_the_weaker(left: State, right: State) -> None:
    rule = compile_logic({"agree": [{"<": [{"var": "n"}, 10]}, {"<": [{"var": "m"}, 10]}]}, TYPES)
    found = rule.state({"n": NUMBER[left], "m": NUMBER[right]})
    decided = [one for one in (left, right) if one is not State.UNKNOWN]
    if not decided or len({one > State.UNKNOWN for one in decided}) > 1:
        assert found is State.UNKNOWN
    else:
        assert found is min(decided, key=lambda one: abs(one - State.UNKNOWN))

"""Compiled rules say what the operator tree says, on random rules over sets of possible values."""

from decimal import Decimal

import pytest
from drawn_logic import TYPES, all_values, rules
from hypothesis import given
from hypothesis import strategies as st

from cds_service.logic.compiled import Sentence, compile_sentences, side_of
from cds_service.logic.completions import decide
from cds_service.logic.expression import LogicError, compile_logic
from cds_service.logic.operators import BudgetExceededError
from cds_service.logic.truth import State, Truth
from cds_service.logic.values import ANY_CHOICE, ANY_NUMBER, Choices, Interval, Numbers, Value

PLACES = {name: at for at, name in enumerate(sorted(TYPES))}


def with_agree(drawn):
    """Rules in which some parts stand in for each other."""
    return st.recursive(
        drawn,
        lambda inner: st.one_of(
            st.builds(lambda parts: {"agree": parts}, st.lists(inner, min_size=2, max_size=3)),
            st.builds(lambda parts: {"or": parts}, st.lists(inner, min_size=1, max_size=2)),
            st.builds(lambda part: {"!": [part]}, inner),
            st.builds(lambda a, b, c: {"if": [a, b, c]}, inner, inner, inner),
        ),
        max_leaves=3,
    )


def by_tree(rule, values):
    return compile_logic(rule, TYPES).state(values)


def row_of(values):
    return [values[name] for name in sorted(TYPES)]


def compiled(*rules):
    return compile_sentences([Sentence(compile_logic(rule, TYPES).tree, PLACES) for rule in rules], len(PLACES))


# A literal alone may be drawn, too; it is no rule.
SENTENCES = with_agree(rules(free=True)).filter(lambda rule: isinstance(rule, dict))


@given(st.lists(SENTENCES, min_size=1, max_size=4), all_values())
def test_the_compiled_function_is_the_tree(drawn, values):
    """One function for all the rules, which share what they ask alike."""
    try:
        expected = tuple(by_tree(rule, values) for rule in drawn)
    except BudgetExceededError:
        return
    found = compiled(*drawn)(row_of(values))
    assert found == expected
    assert all(isinstance(state, State) for state in found)


@given(with_agree(rules()), all_values())
def test_an_exact_rule_needs_no_completions(drawn, values):
    try:
        rule = compile_logic(drawn, TYPES)
    except LogicError:
        return  # it reads no fact, say
    if rule.exact:
        assert rule.fast_state(values) is decide(rule, values).state


def test_between_two_limits_is_not_exact():
    """Of 80 or 200 neither is between 90 and 180, which no single comparison can tell."""
    rule = compile_logic({"<=": [90, {"var": "a"}, 180]}, {"a": "number"})
    either = {"a": Value.fixed(Numbers.of(Decimal(80), Decimal(200)))}
    assert not rule.exact
    assert rule.fast_state(either).now is Truth.UNKNOWN
    assert decide(rule, either).state.now is Truth.FALSE


KNOWN = Value(Numbers.of(Decimal(1)), ANY_NUMBER)


@pytest.mark.parametrize("sign", ["<", "<=", ">", ">="])
@pytest.mark.parametrize("limit", ["0", "1", "1.5", "60"])
@pytest.mark.parametrize(
    "possible",
    [
        ANY_NUMBER,
        Numbers.of(Decimal(1)),
        Numbers.of(Decimal(0), Decimal(60)),
        Numbers((Interval(high=Decimal(1), high_open=True),)),
        Numbers((Interval(high=Decimal(1)),)),
        Numbers((Interval(low=Decimal(1), low_open=True),)),
        Numbers((Interval(low=Decimal(1)),)),
        Numbers((Interval(Decimal(0), Decimal(1), high_open=True), Interval(Decimal(1), Decimal(60), low_open=True))),
    ],
    ids=str,
)
def test_every_edge_of_an_interval(sign, limit, possible):
    logic = {sign: [{"var": "n1"}, Decimal(limit)]}
    for value in (Value(possible, ANY_NUMBER), Value.fixed(possible)):
        expected = compile_logic(logic, TYPES).state({"n1": value})
        assert compile_sentences([Sentence(compile_logic(logic, TYPES).tree, {"n1": 0})], 1)([value]) == (expected,)
    assert (
        side_of(possible, sign, Decimal(limit))
        == {"true": 1, "false": -1, "unknown": 0}[
            compile_logic(logic, TYPES).state({"n1": Value.fixed(possible)}).now.value
        ]
    )


def test_no_word_of_a_rule_is_compiled():
    """A fact's name and a code that would be Python stay data."""
    name, code = "x') or exit(", '"); raise SystemExit  # '
    rule = compile_logic({"==": [{"var": name}, code]}, {name: "string"})
    states = compile_sentences([Sentence(rule.tree, {name: 0})], 1)
    assert states([Value(Choices.of(code), ANY_CHOICE)]) == (State.TRUE,)
    assert states([Value(Choices.of("other"), ANY_CHOICE)]) == (State.FALSE,)
    names = [*states.__code__.co_names, *states.__code__.co_varnames, *map(str, states.__code__.co_consts)]
    assert not any("exit" in one.lower() for one in names)


def test_a_row_may_be_longer_than_the_rules_need():
    rule = compile_logic({"<=": [{"var": "n1"}, 1]}, TYPES)
    assert compile_sentences([Sentence(rule.tree, {"n1": 1})], 3)([KNOWN, KNOWN, KNOWN]) == (State.TRUE,)
    assert compile_sentences([], 0)([]) == ()


def test_the_same_number_written_twice_is_one_limit_and_a_code_is_no_number():
    one = {"<=": [{"var": "n1"}, Decimal("1.0")]}
    other = {"in": [{"var": "s1"}, ["1.0", "a"]]}
    row = [KNOWN] * len(TYPES)
    row[PLACES["s1"]] = Value(Choices.of("1.0"), ANY_CHOICE)
    assert compiled(one, {"<=": [{"var": "n1"}, Decimal(1)]}, other)(row) == (State.TRUE, State.TRUE, State.TRUE)

"""The laws of the logic: the algebra of the five states, and rules against brute force over possible worlds."""

import operator
from dataclasses import replace
from decimal import Decimal
from functools import reduce
from itertools import product

import pytest
from drawn_logic import (
    TYPES,
    all_values,
    facts_of,
    members,
    rules,
    sets_of,
    two_valued,
    worlds,
)
from hypothesis import assume, example, given, reject
from hypothesis import strategies as st

from cds_service.logic.completions import MOST_UNKNOWN, decide, settles
from cds_service.logic.expression import MAX_DEPTH, MAX_NODES, MAX_TEXT, Expression, LogicError, compile_logic
from cds_service.logic.operators import OPERATOR_NAMES
from cds_service.logic.truth import State, Truth
from cds_service.logic.values import ANY_CHOICE, ANY_NUMBER, EITHER, Value

STATES = tuple(State)
states = st.sampled_from(STATES)
many_states = st.lists(states, min_size=1, max_size=6)
RANK = {Truth.FALSE: 0, Truth.UNKNOWN: 1, Truth.TRUE: 2}
TRUTH = {rank: truth for truth, rank in RANK.items()}
OF = {True: Truth.TRUE, False: Truth.FALSE}


def both(left, right):
    return State.all_of([left, right])


def either(left, right):
    return State.any_of([left, right])


# The algebra. Every pair and triple is tried: there are five states.


@pytest.mark.parametrize("a", STATES)
def test_laws_of_one_state(a):
    assert a.negated.negated is a
    assert both(a, a) is a
    assert either(a, a) is a
    assert both(a, State.TRUE_FOR_GOOD) is a
    assert either(a, State.FALSE_FOR_GOOD) is a
    assert State.of(a.now, a.later) is a
    assert a.later in (a.now, Truth.UNKNOWN)
    assert a.can_change is (a.later is Truth.UNKNOWN)


@pytest.mark.parametrize(("a", "b"), list(product(STATES, STATES)))
def test_laws_of_two_states(a, b):
    assert both(a, b).negated is either(a.negated, b.negated)
    assert either(a, b).negated is both(a.negated, b.negated)
    assert both(a, b) is both(b, a) is min(a, b)
    assert either(a, b) is either(b, a) is max(a, b)
    assert both(a, either(a, b)) is a
    assert either(a, both(a, b)) is a
    assert (a < b) is (b.negated < a.negated)


@pytest.mark.parametrize(("a", "b", "c"), list(product(STATES, STATES, STATES)))
def test_laws_of_three_states(a, b, c):
    assert both(a, both(b, c)) is both(both(a, b), c)
    assert either(a, either(b, c)) is either(either(a, b), c)
    assert both(a, either(b, c)) is either(both(a, b), both(a, c))
    assert either(a, both(b, c)) is both(either(a, b), either(a, c))


@pytest.mark.parametrize(("a", "b"), list(product(STATES, STATES)))
def test_the_five_states_are_strong_kleene_on_each_horizon(a, b):
    def kleene(choose, horizon):
        return TRUTH[choose(RANK[horizon(a)], RANK[horizon(b)])]

    for choose, joined in ((min, both(a, b)), (max, either(a, b))):
        for horizon in (operator.attrgetter("now"), operator.attrgetter("later")):
            assert horizon(joined) is kleene(choose, horizon)
    assert a.negated.now is TRUTH[2 - RANK[a.now]]
    assert a.negated.later is TRUTH[2 - RANK[a.later]]


@given(many_states, st.randoms())
def test_the_order_and_the_number_of_sentences_do_not_matter(found, random):
    shuffled = [*found, *random.choices(found, k=2)]
    random.shuffle(shuffled)
    assert State.all_of(shuffled) is State.all_of(found)
    assert State.any_of(shuffled) is State.any_of(found)
    assert State.all_of(found).negated is State.any_of([one.negated for one in found])


@pytest.mark.parametrize("value", [*STATES, *Truth])
def test_a_truth_is_no_condition(value):
    with pytest.raises(TypeError, match="valued"):
        bool(value)
    with pytest.raises(TypeError, match="valued"):
        _ = not value
    with pytest.raises(TypeError, match="valued"):
        _ = value and 1


# Rules against every possible world.


def horizon(values, name):
    return {one: getattr(value, name) for one, value in values.items()}


def answers(rule, possible):
    """What a rule says in every possible world; None when there are too many worlds."""
    found = worlds({name: possible[name] for name in facts_of(rule)})
    return None if found is None else {OF[two_valued(rule, world)] for world in found}


def compiled(rule):
    """Compile a rule; one that the guards refuse is none of these laws' business."""
    try:
        return compile_logic(rule, TYPES)
    except LogicError:
        reject()


sentences = rules().filter(lambda rule: isinstance(rule, dict))
free_sentences = rules(free=True).filter(lambda rule: isinstance(rule, dict))


@given(free_sentences, all_values())
def test_what_a_rule_decides_holds_in_every_world(rule, values):
    state = compiled(rule).state(values)
    for name in ("now", "later"):
        said = getattr(state, name)
        if said is not Truth.UNKNOWN:
            found = answers(rule, horizon(values, name))
            assume(found is not None)
            assert found == {said}


@given(sentences, all_values())
def test_decide_is_exact(rule, values):
    found = answers(rule, horizon(values, "now"))
    assume(found is not None)
    decision = decide(compiled(rule), values)
    exact = found.pop() if len(found) == 1 else Truth.UNKNOWN
    assert decision.state.now is exact
    if decision.state.later is not Truth.UNKNOWN:
        assert answers(rule, horizon(values, "later")) in (None, {decision.state.later})


@given(sentences, all_values())
def test_what_kleene_decides_stays_as_it_is(rule, values):
    state = compiled(rule).state(values)
    if state is not State.UNKNOWN:
        assert decide(compiled(rule), values).state is state


@given(sentences, all_values())
def test_the_decisive_facts_are_those_that_flip_some_world(rule, values):
    possible = {name: values[name].now for name in facts_of(rule)}
    found = worlds(possible)
    assume(found is not None)
    decision = decide(compiled(rule), values)
    said = {tuple(world.items()): two_valued(rule, world) for world in found}
    if len(set(said.values())) == 1:
        assert decision.decisive == ()
        return
    flipping = set()
    for name in possible:
        rest = {}
        for world, answer in said.items():
            rest.setdefault(tuple(item for item in world if item[0] != name), set()).add(answer)
        if any(len(seen) > 1 for seen in rest.values()):
            flipping.add(name)
    assert decision.decisive == tuple(sorted(flipping))


@given(sentences, all_values(), st.sets(st.sampled_from(sorted(TYPES))), st.booleans())
@example({"or": [{"var": "b1"}, {"var": "b2"}]}, dict.fromkeys(("b1", "b2"), Value.fixed(EITHER)), {"b1"}, True)
@example({"and": [{"var": "b1"}, {"var": "b2"}]}, dict.fromkeys(("b1", "b2"), Value.fixed(EITHER)), {"b1"}, True)
def test_what_is_known_alone_settles_an_answer_just_when_it_does_in_every_world_of_the_rest(
    rule, values, known, answer
):
    known &= facts_of(rule)
    possible = {name: values[name].now for name in facts_of(rule)}
    found = worlds(possible)
    assume(found is not None)
    by_choice = {}
    for world in found:
        chosen = tuple((name, world[name]) for name in sorted(known))
        by_choice.setdefault(chosen, set()).add(two_valued(rule, world))
    decision = decide(compiled(rule), values)
    exact = {answer} in by_choice.values()
    assert settles(compiled(rule), values, decision, known, Truth.of(answer)) is exact
    # Without the completions at hand, each choice is tried by itself.
    assert settles(compiled(rule), values, replace(decision, worlds={}), known, Truth.of(answer)) is exact


# The contract, section 2: "A comparison is T if it holds for all members, F if for none, else U" and "no path
# leads from missing data to pass, and none to a fail for good": two facts of which nothing is known decide nothing.
@given(free_sentences, all_values())
@example({"==": [{"var": "s1"}, {"var": "s2"}]}, {"s1": Value.fixed(ANY_CHOICE), "s2": Value.fixed(ANY_CHOICE)})
@example({"<": [{"var": "n1"}, {"var": "n2"}]}, {"n1": Value.fixed(ANY_NUMBER), "n2": Value.fixed(ANY_NUMBER)})
@example(
    {">=": [{"if": [{"var": "b1"}, {"var": "n1"}, 0]}, 60]},
    {"b1": Value.fixed(EITHER), "n1": Value.fixed(ANY_NUMBER)},
)
def test_decide_is_sound_for_facts_compared_with_facts(rule, values):
    found = answers(rule, horizon(values, "now"))
    assume(found is not None)
    said = decide(compiled(rule), values).state.now
    assert said is Truth.UNKNOWN or found == {said}


@st.composite
def wide_sentences(draw, atom):
    """A formula over up to 14 atoms, each of which may stand twice."""
    size = draw(st.integers(1, 7) | st.integers(1, 7) | st.integers(1, 14))
    parts = [atom(f"p{at}") for at in range(size)]
    parts += draw(st.lists(st.sampled_from(parts), max_size=4))
    parts = [{"!": [part]} if draw(st.booleans()) else part for part in draw(st.permutations(parts))]
    while len(parts) > 1:
        count = draw(st.integers(2, min(4, len(parts))))
        parts = [*parts[count:], {draw(st.sampled_from(["and", "or"])): parts[:count]}]
    return size, parts[0] if isinstance(parts[0], dict) else {"!": parts}


def truth_table(rule, atoms, every):
    """A rule's answers in all worlds, one bit each."""
    ((name, parts),) = rule.items()
    if name not in ("and", "or", "!"):
        (fact,) = facts_of(rule)
        return atoms[fact]
    found = [truth_table(part, atoms, every) for part in parts]
    return every ^ found[0] if name == "!" else reduce(operator.and_ if name == "and" else operator.or_, found)


def check_wide(drawn, kind, unknown):
    size, rule = drawn
    names = [f"p{at}" for at in range(size)]
    decision = decide(compile_logic(rule, dict.fromkeys(names, kind)), dict.fromkeys(names, Value.fixed(unknown)))
    if size > MOST_UNKNOWN:
        # Too many worlds: Kleene's answer stands, and every unknown fact is decisive.
        assert decision.state is State.UNKNOWN
        assert decision.decisive == tuple(sorted(names))
        return
    count = 1 << size
    every = (1 << count) - 1
    # World w gives the atom at position n the bit n of w.
    atoms = {name: sum(1 << world for world in range(count) if world >> at & 1) for at, name in enumerate(names)}
    table = truth_table(rule, atoms, every)
    if table in (0, every):
        assert decision.state is (State.TRUE_FOR_GOOD if table else State.FALSE_FOR_GOOD)
        return
    flips = {name for at, name in enumerate(names) if (table >> (1 << at) ^ table) & every & ~atoms[name]}
    assert (decision.state, decision.decisive) == (State.UNKNOWN, tuple(sorted(flips)))


@given(wide_sentences(lambda name: {"var": name}))
def test_decide_is_exact_for_up_to_twelve_unknown_sentences(drawn):
    check_wide(drawn, "boolean", EITHER)


# The contract, section 2: "When a criterion comes out U and has at most 12 unknown atoms, try all completions (one
# value per atom)". An atom that is a threshold has two answers, whatever the pieces its limit cuts the numbers into.
@given(wide_sentences(lambda name: {">=": [{"var": name}, 1]}))
@example((8, {"or": [*({">=": [{"var": f"p{at}"}, 1]} for at in range(8)), {"!": [{">=": [{"var": "p0"}, 1]}]}]}))
def test_decide_is_exact_for_up_to_twelve_unknown_thresholds(drawn):
    check_wide(drawn, "number", ANY_NUMBER)


# Learning. `agree` is left out on purpose: a second opinion that differs makes unknown what the first decided.


@st.composite
def narrowed(draw):
    """Values, one fact, and the same with that fact known better."""
    values = draw(all_values())
    name = draw(st.sampled_from(sorted(TYPES)))
    value = values[name]
    pick = st.sampled_from(members(value.now))
    less = Value.scalar(draw(pick)).now
    more = draw(st.booleans()) and less.union(Value.scalar(draw(pick)).now)
    now = more or less
    later = draw(st.sampled_from([now, value.later]))
    return values, {**values, name: Value(now, later)}


@given(free_sentences, narrowed())
def test_learning_never_overturns(rule, pair):
    before, after = pair
    expression = compiled(rule)
    old, new = expression.state(before), expression.state(after)
    if old.now is not Truth.UNKNOWN:
        assert new.now is old.now
    if old.later is not Truth.UNKNOWN:
        assert new.later is old.later


@given(sentences, narrowed())
def test_learning_never_overturns_what_was_decided_by_completion(rule, pair):
    before, after = pair
    assume(all(answers(rule, horizon(values, "now")) is not None for values in pair))
    old, new = decide(compiled(rule), before).state, decide(compiled(rule), after).state
    if old.now is not Truth.UNKNOWN:
        assert new.now is old.now
    # Read backwards: forgetting never decides.
    if new.now is Truth.UNKNOWN:
        assert old.now is Truth.UNKNOWN


@given(free_sentences, all_values(), st.data())
def test_forgetting_what_can_change_only_moves_later_towards_unknown(rule, values, data):
    name = data.draw(st.sampled_from(sorted(TYPES)))
    value = values[name]
    wider = Value(value.now, value.later.union(data.draw(sets_of(TYPES[name]))))
    expression = compiled(rule)
    old, new = expression.state(values), expression.state({**values, name: wider})
    assert new.now is old.now
    assert new.later in (old.later, Truth.UNKNOWN)


@given(sentences, all_values())
def test_a_rule_and_its_negation_mirror_each_other(rule, values):
    straight, turned = decide(compiled(rule), values), decide(compiled({"!": [rule]}), values)
    assert turned.state is straight.state.negated
    assert turned.decisive == straight.decisive


# What rule authors may write. Anything at all comes back as an expression or as a LogicError.

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.text(max_size=5),
    st.sampled_from([*TYPES, *OPERATOR_NAMES]),
)
names = st.one_of(st.sampled_from(OPERATOR_NAMES), st.text(max_size=4), st.sampled_from([*TYPES, "+", "missing"]))
any_json = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(names, inner, max_size=2),
        st.builds(lambda name, parts: {name: parts}, st.sampled_from(OPERATOR_NAMES), st.lists(inner, max_size=4)),
        st.builds(lambda name: {"var": name}, st.sampled_from(sorted(TYPES))),
    ),
    max_leaves=12,
)


@given(any_json, all_values())
@example({"<": [{"var": "n1"}, 10**400]}, {})
@example({"<": [{"var": "n1"}, Decimal("sNaN")]}, {})
def test_any_json_compiles_and_evaluates_or_is_refused(logic, values):
    try:
        expression = compile_logic(logic, TYPES)
    except LogicError:
        return
    assert isinstance(expression, Expression)
    assert expression.variables <= set(TYPES)
    if values:
        assert decide(expression, values).state in STATES


def nested(depth, wrap):
    logic = {"var": "b1"}
    for _ in range(depth):
        logic = wrap(logic)
    return logic


@given(
    st.one_of(
        st.integers(2 * MAX_DEPTH, 50_000).map(lambda depth: nested(depth, lambda inner: {"!": inner})),
        st.integers(2 * MAX_DEPTH, 50_000).map(lambda depth: nested(depth, lambda inner: {"and": [True, inner]})),
        st.integers(2 * MAX_DEPTH, 50_000).map(lambda depth: {"and": nested(depth, lambda inner: [inner])}),
        st.integers(MAX_NODES, 3 * MAX_NODES).map(lambda size: {"or": [{"var": "b1"}] * size}),
        st.integers(1, 20).map(lambda more: {"==": [{"var": "s1"}, "x" * (MAX_TEXT + more)]}),
        st.sampled_from([float("nan"), float("inf"), Decimal("NaN"), Decimal("-Infinity"), None]).map(
            lambda number: {"<": [{"var": "n1"}, number]}
        ),
        st.text().filter(lambda name: name not in OPERATOR_NAMES).map(lambda name: {name: [{"var": "b1"}]}),
        st.sampled_from([{}, {"and": [True], "or": [True]}, {"!": [{"and": [True], "or": [True]}]}]),
        st.sampled_from([[], None, True, 1, "b1", [{"var": "b1"}]]),
    )
)
def test_what_no_honest_rule_holds_is_refused(logic):
    with pytest.raises(LogicError):
        compile_logic(logic, TYPES)

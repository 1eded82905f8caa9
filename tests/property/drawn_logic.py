"""Random rules and values, and a two-valued evaluator that knows nothing of the code under test."""

import operator
from decimal import Decimal
from itertools import pairwise, product

from hypothesis import strategies as st

from cds_service.logic.values import ANY_CHOICE, ANY_NUMBER, Choices, Interval, Numbers, Value

LITERALS = (Decimal(0), Decimal(1), Decimal("1.5"), Decimal(60))
WORDS = ("a", "b", "c")
TYPES = {"n1": "number", "n2": "number", "b1": "boolean", "b2": "boolean", "s1": "string", "s2": "string"}
NAMES = {kind: sorted(n for n, t in TYPES.items() if t == kind) for kind in ("number", "boolean", "string")}
ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
MOST_WORLDS = 3_000


# Rules.


def _var(name):
    return {"var": name}


@st.composite
def _leaf(draw, free):
    """A sentence without and, or, !: a fact, or facts compared with literals (``free``: with each other, too)."""
    kind = draw(st.sampled_from(["sentence", "compare", "between", "equal", "in"]))
    if kind == "sentence":
        return draw(st.one_of(st.sampled_from(NAMES["boolean"]).map(_var), st.booleans()))
    if kind == "between":
        low, high = draw(_literal), draw(_literal)
        return {draw(st.sampled_from(["<", "<="])): [low, _var(draw(st.sampled_from(NAMES["number"]))), high]}
    if kind == "compare":
        pair = [draw(_value("number", free)), draw(_value("number", True) if free else _literal)]
        if draw(st.booleans()):
            pair.reverse()
        return {draw(st.sampled_from(sorted(ORDER))): pair}
    typed = draw(st.sampled_from(sorted(NAMES)))
    left = draw(_value(typed, free))
    literals = _OF[typed]
    if kind == "in":
        return {"in": [left, draw(st.lists(literals, min_size=1, max_size=3))]}
    right = draw(_value(typed, True) if free else literals)
    return {draw(st.sampled_from(["==", "!="])): [left, right]}


@st.composite
def _value(draw, kind, free):
    """A fact; when ``free``, also a literal or a choice between two."""
    fact = st.sampled_from(NAMES[kind]).map(_var)
    if not free:
        return draw(fact)
    plain = st.one_of(fact, fact, _OF[kind])
    if draw(st.integers(0, 3)):
        return draw(plain)
    condition = draw(st.sampled_from(NAMES["boolean"]).map(_var))
    return {"if": [condition, draw(plain), draw(plain)]}


_literal = st.sampled_from(LITERALS)
_OF = {"number": _literal, "boolean": st.booleans(), "string": st.sampled_from(WORDS)}


def rules(*, free=False):
    """Rules over six facts; unless ``free``, facts are compared with literals only, as the rule files do."""
    return st.recursive(
        _leaf(free),
        lambda inner: st.one_of(
            st.builds(lambda parts: {"and": parts}, st.lists(inner, min_size=1, max_size=3)),
            st.builds(lambda parts: {"or": parts}, st.lists(inner, min_size=1, max_size=3)),
            st.builds(lambda part: {"!": [part]}, inner),
            st.builds(lambda a, b, c: {"if": [a, b, c]}, inner, inner, inner),
        ),
        max_leaves=6,
    )


# Values.


@st.composite
def intervals(draw, ends=LITERALS):
    """A non-empty interval."""
    low, high = draw(st.sampled_from([None, *ends])), draw(st.sampled_from([None, *ends]))
    if low is not None and high is not None:
        low, high = min(low, high), max(low, high)
        if low == high:
            return Interval.point(low)
    return Interval(low, high, low is not None and draw(st.booleans()), high is not None and draw(st.booleans()))


def numbers():
    """Points, intervals, unions, and the whole line."""
    return st.one_of(
        st.just(ANY_NUMBER),
        st.sampled_from([*LITERALS, Decimal(7)]).map(Numbers.of),
        st.lists(intervals(), min_size=1, max_size=3).map(lambda found: Numbers(tuple(found))),
    )


def choices(kind):
    """Sets of codes or booleans; any code at all."""
    if kind == "boolean":
        return st.sampled_from([Choices.of(True), Choices.of(False), Choices.of(True, False)])
    some = st.sets(st.sampled_from([*WORDS, "other"]), min_size=1).map(lambda found: Choices(frozenset(found)))
    return st.one_of(st.just(ANY_CHOICE), some)


def sets_of(kind):
    return numbers() if kind == "number" else choices(kind)


@st.composite
def values(draw, kind):
    """What is known now, and a superset of it for later."""
    now = draw(sets_of(kind))
    return Value(now, draw(st.one_of(st.just(now), sets_of(kind).map(now.union))))


@st.composite
def all_values(draw):
    return {name: draw(values(kind)) for name, kind in TYPES.items()}


# Brute force.


def two_valued(rule, world):
    """Evaluate a rule where every fact is one scalar."""
    if not isinstance(rule, dict):
        return rule
    ((name, arguments),) = rule.items()
    if name == "var":
        return world[arguments]
    if name == "in":
        return two_valued(arguments[0], world) in arguments[1]
    found = [two_valued(part, world) for part in arguments]
    if name in ORDER:
        return all(ORDER[name](left, right) for left, right in pairwise(found))
    if name == "if":
        return found[1] if found[0] else found[2]
    simple = {"and": all, "or": any, "!": lambda parts: not parts[0]}
    if name in simple:
        return simple[name](found)
    return (found[0] == found[1]) is (name == "==")


def facts_of(rule):
    """The facts a rule reads."""
    if isinstance(rule, list):
        return set().union(*map(facts_of, rule)) if rule else set()
    if not isinstance(rule, dict):
        return set()
    return {rule["var"]} if "var" in rule else facts_of(next(iter(rule.values())))


def dense(ends):
    """Each end, three points in every gap between two, and some beyond both."""
    ends = sorted(set(ends))
    found = list(ends)
    for left, right in pairwise([ends[0] - 8, *ends, ends[-1] + 8]):
        found += [left + (right - left) * part / 4 for part in (1, 2, 3)]
    return sorted(set(found))


def members(possible, ends=LITERALS):
    """Members of a set, dense enough to see every answer of a rule whose literals are among the ends."""
    if isinstance(possible, Numbers):
        own = [e for i in possible.intervals for e in (i.low, i.high) if e is not None]
        return [x for x in dense([*ends, *own]) if any(i.holds(x) for i in possible.intervals)]
    return sorted([*WORDS, "other", "yet another"] if possible.options is None else possible.options, key=str)


def worlds(possible):
    """Every combination of members, or None when there are too many."""
    names = sorted(possible)
    each = [members(possible[name]) for name in names]
    size = 1
    for found in each:
        size *= len(found)
    return [dict(zip(names, world, strict=True)) for world in product(*each)] if size <= MOST_WORLDS else None

"""Laws of whole charts: records of any shape never stop an evaluation, and never pass what they do not say."""

import copy
from decimal import Decimal

from chart_laws import LAB_CRITERIA, lab_names, states
from drawn_charts import (
    GOOD,
    HIGHS,
    LAB_VALUES,
    anchors,
    as_json,
    bundle_of,
    days,
    library,
    parts,
    patients,
)
from hypothesis import example, given
from hypothesis import strategies as st

from cds_service.errors import RequestError

JUNK = [None, True, False, 0, -1, 10**38, Decimal("1E-30"), "", " ", "x", "2026-99-99", "2026", "９", "\x00"]
JUNK += [
    "0001-01-01T00:00:00+14:00",
    "Patient/shorthand",
    "Condition/npc",
    [],
    {},
    [None],
    [[]],
    {"x": {}},
    {"code": 5},
]
junk = st.one_of(
    st.sampled_from(JUNK),
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["coding", "value", "a"]), inner),
        max_leaves=4,
    ),
)


def places(value, path=()):
    """Every place in a JSON value but its root."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def put(value, path, new):
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = new


def effective(day):
    """A Bundle with one hemoglobin, dated so."""
    return bundle_of({"hemoglobin": {"value": 121, "date": day}})


@st.composite
def garbled(draw):
    """A Bundle of which one to three elements were replaced by something else, or removed."""
    bundle = bundle_of(draw(patients()))
    for _ in range(draw(st.integers(1, 3))):
        where = list(places(bundle))
        path = where[draw(st.integers(0, len(where) - 1))] if where else None
        if path:
            put(bundle, path, copy.deepcopy(draw(junk)))  # an element put into itself would never end
    return bundle


@given(garbled(), anchors)
@example(effective("0001-01-01T00:00:00+14:00"), None)
@example(effective("9999-12-31T23:59:59-14:00"), None)
def test_garbage_never_stops_an_evaluation(bundle, anchor):
    try:
        found = as_json(bundle, anchor=anchor)
    except RequestError:
        return
    assert len(found["criteria"]) in (17, 18)


# "12" is not among them: a clean number in a string is read (section 6, Text).
WRONG = [True, False, [], {}, "x", "1,2", [5], {"value": 5}]


@st.composite
def spoilt(draw):
    """A patient with one result of each test, and the same with part of one result's value of a wrong type."""
    name = draw(lab_names)
    plain = {"date": draw(days(-15, -3, 0))}
    plain |= {"value": draw(st.sampled_from(LAB_VALUES[name]).map(Decimal))}
    plain |= draw(st.sampled_from([{}, {"comparator": "<"}, {"comparator": ">="}]))
    plain |= {"high": Decimal(HIGHS[name])} if name in HIGHS else {}
    bundle = bundle_of({**GOOD, name: [plain]})
    broken = copy.deepcopy(bundle)
    analyte = library().facts[name].options["value_set"]
    codes = {concept.code for concept in library().value_sets[analyte].concepts}
    for entry in broken["entry"]:
        resource = entry["resource"]
        if resource["resourceType"] == "Observation" and resource["code"]["coding"][0]["code"] in codes:
            part = draw(st.sampled_from(["valueQuantity", *sorted(resource["valueQuantity"].keys() & PARTS)]))
            wrong = draw(st.sampled_from(WRONG if part == "comparator" else [None, "", *WRONG]))
            if part == "valueQuantity":
                resource[part] = wrong
            else:
                resource["valueQuantity"][part] = wrong
    return LAB_CRITERIA[name], bundle, broken


# The unit's three elements are left out: one of them unread, the others may still say it. An empty or null comparator
# is one that is not there.
PARTS = {"value", "comparator"}


def hemoglobin(comparator):
    """A Bundle with one hemoglobin, with this comparator."""
    return bundle_of({"hemoglobin": {"value": 121, "comparator": comparator}})


# The contract, section 3: a result whose code and date can be read and whose value cannot is `no-value`; a comparator
# of a wrong type must not turn "< 121" into 121.
@given(spoilt())
@example(("hemoglobin", hemoglobin("<"), hemoglobin([])))
def test_a_spoilt_value_never_passes_its_criterion(drawn):
    criterion, bundle, broken = drawn
    was, now = states(as_json(bundle))[criterion], states(as_json(broken))[criterion]
    assert not (was <= 0 < now)
    assert now > -2


@given(patients(), anchors, st.sampled_from(sorted(parts(False))))
def test_a_patient_with_nothing_of_a_kind_never_passes_for_it(patient, anchor, key):
    """Missing data never leads to a pass: without any record of a test, its criterion is unknown."""
    found = states(as_json(bundle_of({k: v for k, v in patient.items() if k != key}), anchor=anchor))
    alone = {"hemoglobin", "neutrophils", "platelets", "bilirubin_total", "aptt", "ast", "alt"}
    if key in alone:
        # ALT above five times its limit fails whatever AST is; warfarin changes nothing about a missing aPTT.
        assert found[LAB_CRITERIA[key]] <= 0
    if key == "responses" and "response" in found:
        assert found["response"] <= 0
    if key == "cycles" and "treatments" not in patient:
        assert "response" not in found

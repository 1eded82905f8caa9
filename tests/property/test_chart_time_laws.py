"""Laws of whole charts: what time and learning may do, and what is missing never decides."""

from datetime import timedelta

from chart_laws import LAB_CRITERIA, states
from drawn_charts import (
    AS_OF,
    GOOD,
    INDUCED,
    LAB_VALUES,
    At,
    anchors,
    as_json,
    bundle_of,
    histology,
    lesions,
    patients,
    responses,
    result,
    treatments,
    with_entries,
)
from hypothesis import given
from hypothesis import strategies as st


@st.composite
def later_data(draw):
    """Records dated after the day of judgement that neither correct nor contradict an earlier one.

    Left out: histology and refuted or provisional entries of the disease (they contradict), staging (a later one
    replaces an earlier one before treatment), another cancer (it makes a metastasis doubtful).
    """
    when = st.integers(1, 7)
    dated = {"onset": when, "recorded": when}
    spread = st.fixed_dictionaries({"code": st.sampled_from(["C79.5", "C78.7", "C77.0"]), **dated})
    illness = st.fixed_dictionaries({"code": st.sampled_from(["I10", "E11.9", "D68.9"]), **dated})
    names = draw(st.sets(st.sampled_from(sorted(LAB_VALUES)), max_size=4))
    return {
        **{name: [draw(result(name, exact=True, when=when))] for name in sorted(names)},
        "problems": draw(st.lists(spread | illness, max_size=2)),
        "treatments": [one for one in draw(treatments(exact=True, when=when)) if isinstance(one.get("date"), int)],
        "responses": [{**one, "date": draw(when)} for one in draw(responses(exact=True))],
        "lesions": [{"mm": 20, "date": draw(when)}] if draw(st.booleans()) else [],
        "ecog": [{"value": draw(st.integers(0, 4)), "date": draw(when)}],
    }


def joined(before, after):
    """One patient with the records of both."""
    return {
        **before,
        **{
            key: [*(before.get(key, []) if isinstance(before.get(key, []), list) else [before[key]]), *more]
            for key, more in after.items()
        },
    }


def of_today(patient):
    """The patient without records of the disease that are dated after the day: once seen, they may contradict."""
    return {
        key: [item for item in value if not any(is_later(item.get(one)) for one in ("onset", "recorded", "date"))]
        if key in ("problems", "staging", "histology")
        else value
        for key, value in patient.items()
    }


def is_later(value):
    day = value.day if isinstance(value, At) else value
    return isinstance(day, int) and day > 0


def for_good(result):
    return {name: state for name, state in states(result).items() if abs(state) == 2}


# Dates are exact: "2026-03" may lie on either side of the day of judgement, and so may what rests on it.
@given(patients(exact=True).map(of_today), later_data())
def test_what_is_for_good_survives_later_data(patient, more):
    # The Bundle keeps dates relative to the first day; it is judged again a week later.
    before = as_json(bundle_of(patient))
    after = as_json(bundle_of(joined(patient, more)), AS_OF + timedelta(days=8))
    now = states(after)
    # The gate may move on, and with it the criterion that a patient has to meet.
    assert {name: now[name] for name in for_good(before) if name in now} == {
        name: state for name, state in for_good(before).items() if name in now
    }
    if before["status"] == "excluded" and before["gate"] == after["gate"] and not before["blocked"]:
        assert after["status"] == "excluded"


def without(bundle, resource_id):
    return {**bundle, "entry": [e for e in bundle["entry"] if e["resource"].get("id") != resource_id]}


def check_removal(before, after, *, but=()):
    """The removal law: never from unknown to pass, never from a fail that can change to one for good."""
    assert after["gate"] == before["gate"]
    was, now = states(before), states(after)
    for name in set(was) - set(but):
        assert not (was[name] == 0 and now[name] > 0), f"{name}: a record less made it pass"
        assert not (was[name] == -1 and now[name] == -2), f"{name}: a record less made it fail for good"


# One result for each test, so that the removed one superseded and contradicted nothing. Left out: clearance and eGFR
# beside creatinine, and PT beside INR, which contradict each other by design (section 6, renal and inr-pt).
@st.composite
def single_results(draw):
    names = draw(st.lists(st.sampled_from([*LAB_CRITERIA, "inr"]), min_size=1, unique=True))
    found = {name: [draw(result(name, exact=False))] for name in names}
    base = draw(st.sampled_from([GOOD, INDUCED]))
    kept = {key: value for key, value in base.items() if key not in LAB_VALUES or draw(st.booleans())}
    told = draw(st.sampled_from([{}, {"treatments": [{"drug": "warfarin", "as": "statement", "status": "active"}]}]))
    return {**{key: value for key, value in kept.items() if key != "pt"}, **told, **found}, draw(st.sampled_from(names))


@given(single_results(), anchors)
def test_removing_a_result_never_makes_a_pass(drawn, anchor):
    patient, name = drawn
    before = as_json(bundle_of(patient), anchor=anchor)
    after = as_json(bundle_of({key: value for key, value in patient.items() if key != name}), anchor=anchor)
    check_removal(before, after)


# The disease is dated by its Condition alone, which stays: no removed record dated another. There is one statement on
# spread, so none contradicts another, and none is provisional. Left out for that reason: several staging records, a
# metastasis beside an M category, refuted and unsure entries, and treatments (the first one dates the rest).
@st.composite
def single_statements(draw):
    npc = {"id": "npc", "code": draw(st.sampled_from(["C11.9", "423106003"])), "onset": -30}
    npc["system"] = "snomed" if npc["code"].isdigit() else "icd10"
    when = st.sampled_from([-30, -25, -20, -1, 0])
    m = st.builds(lambda m, day: {"m": m, "date": day}, st.sampled_from(["M0", "M1", "cM1b", "rM1", "ypM0"]), when)
    group = st.builds(
        lambda group, edition, day: {"group": group, "date": day, **edition},
        st.sampled_from(["4A", "4B", "4C", "4", "3"]),
        st.sampled_from([{}, {"edition": 8}, {"edition": 9}, {"edition": 7}]),
        when,
    )
    spread = st.builds(
        lambda code, day: {"id": "spread", "code": code, "onset": day},
        st.sampled_from(["C79.5", "C78.7", "C77.0", "C79.9"]),
        when,
    )
    patient = {**GOOD, "problems": [npc], "staging": [], "histology": [], "ast": draw(result("ast", exact=True))}
    if draw(st.booleans()):
        patient["staging"] = [draw(m | group)]
    else:
        patient["problems"] = [npc, draw(spread)]
    if draw(st.booleans()):
        patient["histology"] = [{**draw(histology(exact=True).filter(bool))[0], "status": "final", "date": draw(when)}]
    if draw(st.booleans()):
        patient["lesions"] = draw(lesions(exact=True))[:1]
    if draw(st.booleans()):
        patient["treatments"] = [{"drug": "cisplatin", "date": draw(st.sampled_from([-26, -5]))}]
    return patient


@given(single_statements(), st.data())
def test_removing_a_statement_never_makes_a_pass(patient, data):
    bundle = bundle_of(patient)
    told = ("Condition", "Observation")
    found = [
        e["resource"]["id"]
        for e in bundle["entry"]
        if e["resource"]["resourceType"] in told and e["resource"]["id"] != "npc"
    ]
    check_removal(as_json(bundle), as_json(without(bundle, data.draw(st.sampled_from(found)))))


@given(patients(empty=False), treatments(exact=False).filter(bool), st.data())
def test_no_absent_treatment_ever_makes_the_treatment_criterion_pass_or_fail(patient, given_drugs, data):
    bundle = bundle_of({**patient, "treatments": given_drugs})
    kinds = ("MedicationAdministration", "MedicationStatement", "MedicationRequest", "Procedure")
    found = [e["resource"]["id"] for e in bundle["entry"] if e["resource"]["resourceType"] in kinds]
    was = states(as_json(bundle))["no-prior-treatment"]
    now = states(as_json(without(bundle, data.draw(st.sampled_from(found)))))["no-prior-treatment"]
    assert now in (0, was)


ERROR = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}


@given(patients(), anchors, st.sampled_from(["error", "fatal", "next"]))
def test_an_incomplete_bundle_never_decides(patient, anchor, how):
    bundle = bundle_of(patient)
    if how == "next":
        incomplete = {**bundle, "link": [{"relation": "next", "url": "https://example.org/fhir?page=2"}]}
    else:
        incomplete = with_entries(bundle, {**ERROR, "issue": [{"severity": how, "code": "timeout"}]})
    before, after = as_json(bundle, anchor=anchor), as_json(incomplete, anchor=anchor)
    assert after["gate"] == before["gate"]
    was, now = states(before), states(after)
    assert {name for name in was if now[name] not in (0, was[name])} == set()
    for one in after["criteria"]:
        for missing in one["reasons"]:
            # The Patient itself was read: a birth date or sex that it does not state is no matter of completeness.
            if missing["fact"] not in ("age", "sex"):
                assert missing["reason"] not in ("no-record", "stale"), missing
        assert "assumed-absent" not in one["notes"]

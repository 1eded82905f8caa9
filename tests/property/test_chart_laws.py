"""Laws of whole charts: what must not matter, and what a result is made of."""

import copy
from datetime import date, timedelta
from decimal import Decimal

from chart_laws import SUBJECT, states
from drawn_charts import (
    AS_OF,
    HIGHS,
    LAB_VALUES,
    anchors,
    as_json,
    bundle_of,
    library,
    optional,
    patients,
    result,
    verdicts,
    with_entries,
)
from hypothesis import assume, given
from hypothesis import strategies as st

from cds_service.facts import units

# What must not matter.


@given(patients(), anchors, st.randoms())
def test_the_order_of_entries_does_not_matter(patient, anchor, random):
    bundle = bundle_of(patient)
    shuffled = {**bundle, "entry": random.sample(bundle["entry"], len(bundle["entry"]))}
    assert as_json(shuffled, anchor=anchor) == as_json(bundle, anchor=anchor)


def coded(system, code, text=""):
    return {"coding": [{"system": system, "code": code}], **({"text": text} if text else {})}


def observation(code, value, day, subject=SUBJECT, **more):
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": coded("http://loinc.org", code),
        "effectiveDateTime": day,
        "valueQuantity": {"value": value, "unit": more.pop("unit", "1")},
        "subject": subject,
        **more,
    }


NOISE = (
    observation("8480-6", 120, "2026-02-27", id="systolic", unit="mm[Hg]"),
    observation("2345-7", 99, "2026-02-27", id="glucose", unit="mg/dL"),
    {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": SUBJECT,
    },
    {
        "resourceType": "Procedure",
        "id": "appendectomy",
        "status": "completed",
        "code": coded("http://snomed.info/sct", "80146002", "Appendectomy"),
        "performedDateTime": "2026-02-11",
        "subject": SUBJECT,
    },
    {
        "resourceType": "MedicationStatement",
        "id": "metformin",
        "status": "active",
        "medicationCodeableConcept": coded("http://www.whocc.no/atc", "A10BA02"),
        "effectiveDateTime": "2026-01-11",
        "subject": SUBJECT,
    },
    observation("718-7", 1, "2026-02-28", {"reference": "Patient/another"}, id="not-ours", unit="g/dL"),
    {
        "resourceType": "Condition",
        "id": "not-our-cancer",
        "code": coded("http://hl7.org/fhir/sid/icd-10", "C50.9"),
        "subject": {"reference": "Patient/another"},
    },
    {
        "resourceType": "MedicationAdministration",
        "id": "not-our-drug",
        "status": "completed",
        "medicationCodeableConcept": coded("http://www.whocc.no/atc", "L01XA01"),
        "effectiveDateTime": "2026-02-20",
        "subject": {"reference": "Patient/another"},
    },
    {"resourceType": "OperationOutcome", "issue": [{"severity": "information", "code": "informational"}]},
    {**observation("718-7", 1, "2026-02-28", id="void", unit="g/dL"), "status": "entered-in-error"},
    observation("718-7", 1, "2026-03-02", id="tomorrow", unit="g/dL"),
)


@given(patients(), anchors, st.lists(st.sampled_from(NOISE), min_size=1, max_size=5))
def test_unused_records_change_nothing(patient, anchor, noise):
    bundle = bundle_of(patient)
    assert as_json(with_entries(bundle, *noise), anchor=anchor) == as_json(bundle, anchor=anchor)


# Only whole days can be moved by days, and ages keep their completed years: shorthand's birthday is a month before
# the day of judgement, and no sample is older. Partial dates and birthdays are calendar effects, left out here.
@given(patients(exact=True), st.integers(-4000, 4000))
def test_shifting_every_date_and_as_of_changes_nothing(patient, by):
    move = timedelta(days=by)
    here = as_json(bundle_of(patient))
    there = as_json(bundle_of(patient, AS_OF + move), AS_OF + move)
    assert verdicts(there) == verdicts(here)
    if patient.get("age") in (17, 70):
        return  # the next birthday turns a verdict, and years are not of one length
    for one, other in zip((here, *here["criteria"]), (there, *there["criteria"]), strict=True):
        for key in ("valid_until", "look_again"):
            if one.get(key) is not None:
                assert other[key] == (date.fromisoformat(one[key]) + move).isoformat()


@st.composite
def same_amount(draw):
    """A lab's name, and one result in its canonical unit and in another."""
    name = draw(st.sampled_from(sorted(LAB_VALUES)))
    definition = library().facts[name]
    analyte = definition.options["analyte"]
    known = units.ANALYTES[analyte]
    concepts = library().value_sets[definition.options["value_set"]].concepts
    # A LOINC code of the unit's property must exist: moles are not reported under a mass code.
    fitting = [
        unit
        for unit, one in known.units.items()
        if one.property is None or any(c.attributes.get("property") in (None, one.property) for c in concepts)
    ]
    unit = draw(st.sampled_from(fitting))
    factor = known.units[unit].factor
    there = Decimal(f"{Decimal(draw(st.sampled_from(LAB_VALUES[name]))) / factor:.5g}")
    plain = draw(optional(date=st.sampled_from([-15, -14, 0]), comparator=st.sampled_from(["<", ">="])))
    limit = {"high": Decimal(HIGHS[name]), "high_unit": known.canonical} if name in HIGHS else {}
    here = {"value": there * factor, "unit": known.canonical, **plain, **limit}
    return name, here, {"value": there, "unit": unit, **plain, **limit}


@given(patients(), same_amount())
def test_the_unit_does_not_matter(patient, amounts):
    name, here, there = amounts
    one, other = (as_json(bundle_of({**patient, name: [item]})) for item in (here, there))
    assert verdicts(one) == verdicts(other)


@st.composite
def a_resource(draw, patient):
    """A patient's Bundle and one resource of it that is not the Patient."""
    bundle = bundle_of(draw(patient))
    resources = [e["resource"] for e in bundle["entry"] if e["resource"].get("id")]
    return bundle, draw(st.sampled_from([r for r in resources if r["resourceType"] != "Patient"]))


@given(a_resource(patients(empty=False)), anchors)
def test_a_record_that_came_twice_is_one_record(drawn, anchor):
    bundle, resource = drawn
    assert as_json(with_entries(bundle, copy.deepcopy(resource)), anchor=anchor) == as_json(bundle, anchor=anchor)
    first = [{"resource": {**entry["resource"], "meta": {"versionId": "1"}}} for entry in bundle["entry"]]
    versions = {**bundle, "entry": first}
    newer = {**copy.deepcopy(resource), "meta": {"versionId": "2"}}
    assert as_json(with_entries(versions, newer), anchor=anchor) == as_json(bundle, anchor=anchor)


@given(a_resource(patients(empty=False)), anchors)
def test_a_record_under_a_second_id_changes_no_verdict(drawn, anchor):
    bundle, resource = drawn
    again = with_entries(bundle, {**copy.deepcopy(resource), "id": "again"})
    assert verdicts(as_json(again, anchor=anchor)) == verdicts(as_json(bundle, anchor=anchor))


@given(patients(empty=False), st.sampled_from(sorted(LAB_VALUES)), st.data())
def test_a_newer_identical_result_changes_no_verdict(patient, name, data):
    item = data.draw(result(name, exact=True, when=st.integers(-14, 0)))
    when = item.get("date", -3)
    assume(isinstance(when, int) and "issued" not in item)
    newer = {name: {**item, "date": data.draw(st.integers(when, 0))}}
    bundle, (_, more) = bundle_of({**patient, name: [item]}), bundle_of(newer)["entry"]
    # Under an id of its own: of two unusable results of one day the id says which is named, so no other's may change.
    two = with_entries(bundle, {**more["resource"], "id": "newer"})
    assert verdicts(as_json(two)) == verdicts(as_json(bundle))


# What a result is made of.

CLINICIAN = {"clinician"}


@given(patients(), anchors)
def test_the_status_is_the_and_of_what_is_not_to_confirm(patient, anchor):
    found = as_json(bundle_of(patient), anchor=anchor)
    triggers = {c.id for t in library().trials.values() for c in t.criteria if c.trigger}
    persons = {
        one["id"]
        for one in found["criteria"]
        if one["verdict"] == "unknown" and {m["reason"] for m in one["reasons"]} == CLINICIAN
    }
    assert set(found["to_confirm"]) == persons - triggers
    assert len(found["to_confirm"]) == len(set(found["to_confirm"]))
    least = min(state for name, state in states(found).items() if name not in found["to_confirm"])
    by_state = {-2: "excluded", -1: "not-now", 0: "needs-data", 1: "candidate", 2: "candidate"}
    assert found["status"] == ("excluded" if found["blocked"] else by_state[least])
    leaning = {one["id"]: one["leaning"] for one in found["criteria"]}
    order = [leaning[name] != "fail" for name in found["to_confirm"]]
    assert order == sorted(order)


@given(patients(), anchors)
def test_coverage_adds_up_and_every_unknown_has_its_reasons(patient, anchor):
    found = as_json(bundle_of(patient), anchor=anchor)
    unknown = [one for one in found["criteria"] if one["verdict"] == "unknown"]
    total = {"screening": 17, "randomisation": 18}[found["gate"]]
    assert found["coverage"] == {"decided": total - len(unknown), "total": total}
    assert len(found["criteria"]) == total
    for one in found["criteria"]:
        known = one["verdict"] != "unknown"
        assert known or one["can_change"]
        assert not (known and one["leaning"])
        assert bool(one["reasons"]) is not known
        facts = [missing["fact"] for missing in one["reasons"]]
        assert len(facts) == len(set(facts))
        assert one["message"]


@given(patients(), anchors)
def test_decisive_facts_are_missing_and_keep_the_status_open(patient, anchor):
    found = as_json(bundle_of(patient), anchor=anchor)
    assert bool(found["decisive"]) is (found["status"] == "needs-data")
    criteria = {one["id"]: one for one in found["criteria"]}
    for fact in found["decisive"]:
        assert fact["criteria"]
        for name in fact["criteria"]:
            assert criteria[name]["verdict"] == "unknown"
            assert name not in found["to_confirm"]
            assert fact["fact"] in [missing["fact"] for missing in criteria[name]["reasons"]]
        assert (fact["ask"]["kind"] == "access") is (fact["reason"] == "not-fetched")
    named = {name for fact in found["decisive"] for name in fact["criteria"]}
    if found["status"] == "needs-data":
        assert named == {n for n, one in criteria.items() if one["verdict"] == "unknown"} - set(found["to_confirm"])

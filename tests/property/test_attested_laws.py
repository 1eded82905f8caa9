"""Laws of what people add to a record: an attestation, and a supposed value."""

from datetime import timedelta
from decimal import Decimal

from drawn_charts import (
    AS_OF,
    HIGHS,
    LAB_VALUES,
    TRIAL,
    anchors,
    bundle_of,
    library,
    patients,
    result,
    verdicts,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cds_service.errors import RequestError
from cds_service.evaluation.attested import Attestation, digest_of
from cds_service.evaluation.judge import judge
from cds_service.evaluation.outcome import PatientOutcome, Status, Verdict
from cds_service.evaluation.seen import what_is_seen
from cds_service.evaluation.what_if import CONFIRM, judge_if, supposable
from cds_service.gather.bundle import read_bundle
from cds_service.gather.snapshot import pack, unpack
from cds_service.logic.truth import State

FEW = settings(max_examples=40)
CRITERIA = [one.id for one in library().trials[TRIAL].criteria]
GATES = [one.id for one in library().trials[TRIAL].gates]
DAYS_LEFT, ANY_GATE, THE_TRIAL = st.integers(0, 60), st.sampled_from(GATES), st.just(TRIAL)
verdict_said = st.sampled_from([Verdict.PASS, Verdict.FAIL])


def attestations(days=DAYS_LEFT, gates=ANY_GATE, trials=THE_TRIAL):
    one = st.builds(
        lambda trial, criterion, gate, verdict, said, days: Attestation(
            trial, criterion, gate, verdict, "Dr Li", AS_OF - timedelta(days=said), AS_OF + timedelta(days=days)
        ),
        trials,
        st.sampled_from(["no-prior-treatment", "life-expectancy", "measurable-lesion", *CRITERIA]),
        gates,
        verdict_said,
        st.integers(-3, 30),
        days,
    )
    return st.lists(one, min_size=1, max_size=8, unique_by=lambda a: (a.criterion, a.gate, a.on))


def outcome_of(record, anchor=None, attested=()):
    found = judge(record, library(), as_of=AS_OF, anchor=anchor, trials=[TRIAL], attested=attested)
    return found.trials[0], found.to_json()["results"][0]


@given(patients(), anchors, attestations())
@FEW
def test_an_attestation_settles_its_own_open_criterion_and_nothing_else(patient, anchor, attested):
    record = read_bundle(bundle_of(patient))
    (before, told), (after, said) = outcome_of(record, anchor), outcome_of(record, anchor, attested)
    assert after.gate == before.gate
    latest = {one.criterion: one for one in sorted(attested, key=lambda a: a.on) if one.gate == before.gate}
    for old, new, was, now in zip(before.criteria, after.criteria, told["criteria"], said["criteria"], strict=True):
        mine = latest.get(old.criterion.id)
        if mine is None or not old.for_a_person:
            assert now == was
            continue
        assert new.attested is mine
        assert new.state is (State.TRUE if mine.verdict is Verdict.PASS else State.FALSE)
        assert (now["verdict"], now["can_change"]) == (mine.verdict.value, True)
        assert (now["reasons"], now["leaning"]) == ([], None)
        assert now["attested"] == {"by": "Dr Li", "on": mine.on.isoformat(), "until": mine.until.isoformat()}
        assert now["valid_until"] <= mine.until.isoformat()
        assert "Dr Li" in now["message"]
        assert "Dr Li" in now["message_zh"]
        assert old.criterion.id not in said["to_confirm"]
    settled = [one for one in after.criteria if one.attested]
    assert after.decided == before.decided + len(settled)
    # A fail that a person said is never for good.
    assert (after.status is Status.EXCLUDED) == (before.status is Status.EXCLUDED)
    if after.status is not Status.EXCLUDED and any(one.verdict is Verdict.FAIL for one in settled):
        assert after.status is Status.NOT_NOW
        assert after.look_again is None
    if after.status is Status.CANDIDATE:
        days = [one.until for one in settled]
        assert all(after.until is not None and after.until <= day for day in days)


@given(patients(), anchors, attestations(st.integers(-30, -1)), st.data())
@FEW
def test_what_does_not_hold_is_as_if_never_said(patient, anchor, expired, data):
    record = read_bundle(bundle_of(patient))
    before, told = outcome_of(record, anchor)
    others = attestations(gates=st.sampled_from([gate for gate in GATES if gate != before.gate]))
    elsewhere = attestations(trials=st.sampled_from(["NCT00000000", "NCT04557020"]))
    for attested in (expired, data.draw(others), data.draw(elsewhere), []):
        assert outcome_of(record, anchor, attested)[1] == told


@given(attestations(), st.randoms())
@FEW
def test_a_digest_is_of_what_was_said_in_any_order(attested, random):
    assert digest_of(random.sample(attested, len(attested))) == digest_of(attested)
    assert digest_of(attested[1:]) != digest_of(attested)
    assert digest_of([]) == ""


# What if.


@st.composite
def without_a_lab(draw):
    """A patient whose result of one test is missing, or there and not usable; and the test."""
    name = draw(st.sampled_from([name for name in sorted(LAB_VALUES) if name not in ("creatinine_clearance", "egfr")]))
    patient = {**draw(patients(exact=True, empty=False))}
    old = draw(result(name, exact=True, when=st.sampled_from([-40, -15, -3])))
    change = draw(st.sampled_from([None, {"status": "preliminary"}, {"unit": "none"}, {"date": -40}]))
    patient.pop(name, None)
    if change is not None:
        patient[name] = [{**old, **change}]
    return patient, name


@given(without_a_lab(), anchors, st.data())
@FEW
def test_a_supposed_result_is_judged_as_a_new_final_one(drawn, anchor, data):
    patient, name = drawn
    bundle = bundle_of(patient)
    before, _ = outcome_of(read_bundle(bundle), anchor)
    offered = {one.name: one for one in supposable(before, library())}
    assume(name in offered)
    value = Decimal(data.draw(st.sampled_from(LAB_VALUES[name])))
    unit, typed, item = offered[name].unit, f"{value}", {"value": value, "unit": offered[name].unit}
    if name in HIGHS:
        typed, item = f"{value}/{HIGHS[name]}", {**item, "high": Decimal(HIGHS[name]), "high_unit": unit}
    # Made by the writer of rule cases, which shares nothing with what is tested; the last by name, so cited last, too.
    (new,) = (
        entry["resource"]
        for entry in bundle_of({name: item})["entry"]
        if entry["resource"]["resourceType"] == "Observation"
    )
    new = {**new, "id": "zz-the-last", "effectiveDateTime": f"{AS_OF}T23:59:59-12:00"}
    real = {**bundle, "entry": [*bundle["entry"], {"resource": new}]}
    record = read_bundle(bundle)
    packed = pack(record)
    supposed = refused_or_judged(record, {name: typed}, anchor)
    assume(not isinstance(supposed, RequestError))
    after = judge(read_bundle(real), library(), as_of=AS_OF, anchor=anchor, trials=[TRIAL])
    (verdicts_if, words_if, *days_if), (verdicts_then, words_then, *days_then) = shown(supposed), shown(after.trials[0])
    assert verdicts_if == verdicts_then
    for criterion, words in words_then.items():
        assert words_if[criterion] == words
    assert days_if == days_then
    assert pack(record) == packed


def refused_or_judged(record, supposed, anchor=None):
    try:
        return judge_if(record, library(), TRIAL, as_of=AS_OF, anchor=anchor, supposed=supposed)
    except RequestError as refused:
        return refused


def shown(outcome):
    """An outcome's verdicts, days and words; not the references, which a supposed record has of its own."""
    told = json_of(outcome)
    words = {one["id"]: (one["message"], one["valid_until"], one["notes"]) for one in told["criteria"]}
    return verdicts(told), words, told["valid_until"], told["look_again"]


def json_of(outcome):
    return PatientOutcome("", AS_OF, (outcome,), {}, {}).to_json()["results"][0]


@given(patients(), st.text(max_size=12) | st.from_regex(r"-?[0-9]{1,4}(\.[0-9])?( ?x)?", fullmatch=True), st.data())
@FEW
def test_whatever_is_typed_is_judged_or_refused(patient, typed, data):
    record = read_bundle(bundle_of(patient))
    before, told = outcome_of(record)
    offered = supposable(before, library())
    assume(offered)
    one = data.draw(st.sampled_from(offered))
    after = refused_or_judged(record, {one.name: typed})
    if isinstance(after, RequestError):
        assert after.field == f"if-{one.name}"
        assert len(typed.strip()) < 4 or typed.strip() not in str(after)
    elif not typed.strip():
        assert json_of(after) == told


@given(patients(), st.data())
@FEW
def test_what_is_offered_can_be_supposed(patient, data):
    record = read_bundle(bundle_of(patient))
    before, _ = outcome_of(record)
    for one in supposable(before, library()):
        for value, label in one.choices:
            assert label
            after = judge_if(record, library(), TRIAL, as_of=AS_OF, supposed={one.name: value})
            if one.kind == "verdict":
                (criterion,) = one.criteria
                assert one.name == CONFIRM + criterion
                assert after.of(criterion).verdict.value == value
                assert after.of(criterion).until == before.of(criterion).until, "a supposition does not lapse"


# What is seen.


@given(patients(), anchors)
@FEW
def test_a_point_that_counts_is_the_evidence_and_lies_on_its_side_of_the_limit(patient, anchor):
    record = read_bundle(bundle_of(patient))
    outcome, _ = outcome_of(record, anchor)
    seen = what_is_seen(record, library(), TRIAL, as_of=AS_OF, anchor=anchor)
    assert seen.timeline.gate == outcome.gate
    for series in seen.labs:
        used = [point for point in series.points if point.used]
        for point in used:
            assert any(
                point.resource == evidence.resource
                for name in series.criteria
                for evidence in outcome.of(name).evidence
            )
            assert point.status in ("final", "amended", "corrected")
            assert point.day is None or series.window[0] <= point.day <= series.window[1]
        (first, *_) = series.criteria
        criterion = outcome.of(first)
        # One fact and one limit: the point and the line say what the verdict says.
        if len(criterion.facts) == 1 and len(used) == 1 and used[0].value is not None and series.limits:
            if series.factor is not None and (series.upper is None or used[0].why_not):
                continue
            value, least, most = used[0].value, series.least, series.most
            fits = (least is None or value >= least) and (most is None or value <= most)
            assert criterion.verdict is (Verdict.PASS if fits else Verdict.FAIL)
    for name in ("hemoglobin", "neutrophils", "platelets", "bilirubin", "aptt"):
        criterion = outcome.of(name)
        if criterion.verdict is not Verdict.UNKNOWN:
            marked = {p.resource for s in seen.labs if name in s.criteria for p in s.points if p.used}
            assert marked == {e.resource for e in criterion.evidence if e.resource.startswith("Observation/")}


# What is kept.


@given(patients(), anchors)
@FEW
def test_a_kept_record_is_judged_as_the_record_was(patient, anchor):
    record = read_bundle(bundle_of(patient))
    packed = pack(record)
    again = unpack(packed.body)
    asked = {"as_of": AS_OF, "anchor": anchor}
    assert judge(again, library(), **asked).to_json() == judge(record, library(), **asked).to_json()
    assert pack(again) == packed


@given(patients(), st.randoms())
@FEW
def test_a_fingerprint_does_not_depend_on_the_order(patient, random):
    bundle = bundle_of(patient)
    shuffled = {**bundle, "entry": random.sample(bundle["entry"], len(bundle["entry"]))}
    record, other = read_bundle(bundle), read_bundle(shuffled)
    turned = {kind: found[::-1] for kind, found in other.resources.items()}
    assert pack(other).fingerprint == pack(record).fingerprint
    assert pack(type(other)(other.patient, turned, other.reads)).fingerprint == pack(record).fingerprint

"""What a person supposes is judged as the record that would bring it, and kept nowhere."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from attested_patients import DAY, TRIAL, judged, library, record_of, said

from cds_service.errors import RequestError
from cds_service.evaluation.outcome import Status, TrialOutcome, Verdict
from cds_service.evaluation.supposed import typed_in
from cds_service.evaluation.what_if import Supposable, judge_if, supposable
from cds_service.facts import units
from cds_service.facts.fact import Evidence
from cds_service.facts.record import Record
from cds_service.gather.snapshot import pack


def supposing(record: Record, as_of: date = DAY, **supposed: str) -> TrialOutcome:
    names = {name.replace("__", "-"): value for name, value in supposed.items()}
    return judge_if(record, library(), TRIAL, as_of=as_of, supposed=names)


def offered(record: Record) -> dict[str, Supposable]:
    return {one.name: one for one in supposable(judged(record), library())}


def test_what_is_missing_and_what_is_to_confirm_may_be_supposed() -> None:
    found = offered(record_of(hemoglobin=None, bilirubin_total={"value": 12}))
    assert list(found) == [
        *("hemoglobin", "bilirubin_total"),
        *("confirm-no-prior-treatment", "confirm-life-expectancy", "confirm-measurable-lesion"),
    ]
    assert (found["hemoglobin"].kind, found["hemoglobin"].unit, found["hemoglobin"].hint) == ("number", "g/L", "")
    assert found["bilirubin_total"].hint
    assert found["confirm-life-expectancy"].criteria == ("life-expectancy",)


@pytest.mark.parametrize(("typed", "status"), [("90", Status.CANDIDATE), ("89.9", Status.NOT_NOW)])
def test_a_result_on_either_side_of_its_limit(typed: str, status: Status) -> None:
    record = record_of(hemoglobin=None)
    before = pack(record)
    after = supposing(record, hemoglobin=typed)
    assert after.status is status
    assert after.of("hemoglobin").evidence[0].resource == "supposed:hemoglobin"
    assert pack(record) == before
    assert judged(record).status is Status.NEEDS_DATA


def test_a_result_is_typed_in_the_unit_of_the_last_one() -> None:
    stale = record_of(hemoglobin={"value": Decimal("12.1"), "unit": "g/dL", "date": -40})
    assert offered(stale)["hemoglobin"].unit == "g/dL"
    assert supposing(stale, hemoglobin="9.0").status is Status.CANDIDATE
    assert supposing(stale, hemoglobin="8.9").status is Status.NOT_NOW


@pytest.mark.parametrize(
    ("typed", "verdict"),
    [
        ("31.5", Verdict.PASS),
        ("31.6", Verdict.FAIL),
        ("1.5x", Verdict.PASS),
        ("1.5 × ULN", Verdict.PASS),
        ("１．５ｘ", Verdict.PASS),
        ("1.51x", Verdict.FAIL),
        ("31.6/22", Verdict.PASS),
        ("30 / 19", Verdict.FAIL),
    ],
)
def test_a_multiple_of_the_upper_limit_that_the_last_result_came_with(typed: str, verdict: Verdict) -> None:
    stale = record_of(bilirubin_total={"value": 12, "high": 21, "date": -19})
    assert supposing(stale, bilirubin_total=typed).of("bilirubin").verdict is verdict


def test_no_upper_limit_is_ever_made_up() -> None:
    bare = record_of(bilirubin_total={"value": 12})
    assert supposing(bare, bilirubin_total="12").of("bilirubin").verdict is Verdict.UNKNOWN
    assert supposing(bare, bilirubin_total="12/21").of("bilirubin").verdict is Verdict.PASS
    with pytest.raises(RequestError, match="no upper limit of normal is known") as refused:
        supposing(bare, bilirubin_total="1.2x")
    assert refused.value.field == "if-bilirubin_total"


@pytest.mark.parametrize(
    "typed", ["high", "1,2", "-5", "1e3", "99999", "NaN", "12 g/L", "0x10", "1/0/2", "７７７７７７"]
)
def test_what_cannot_be_read_is_refused_by_name(typed: str) -> None:
    with pytest.raises(RequestError) as refused:
        supposing(record_of(hemoglobin=None), hemoglobin=typed)
    assert refused.value.field == "if-hemoglobin"
    assert typed not in str(refused.value)


def test_only_what_is_offered_may_be_supposed() -> None:
    for name in ("platelets", "confirm-hemoglobin", "nonsense"):
        with pytest.raises(RequestError) as refused:
            judge_if(record_of(hemoglobin=None), library(), TRIAL, as_of=DAY, supposed={name: "1"})
        assert refused.value.field == "supposed"
        assert name not in str(refused.value)
    with pytest.raises(RequestError, match="choose one") as refused:
        supposing(record_of(ecog=None), ecog="7")
    assert refused.value.field == "if-ecog"


def test_a_blank_field_supposes_nothing() -> None:
    record = record_of(hemoglobin=None)
    assert supposing(record, hemoglobin="  ", nonsense="") == judged(record)


def test_several_at_once() -> None:
    record = record_of(hemoglobin=None, ecog=None, platelets={"value": 88, "status": "preliminary"})
    after = supposing(record, hemoglobin="121", ecog="1", platelets="100", confirm__life__expectancy="fail")
    assert [after.of(one).verdict.value for one in ("hemoglobin", "ecog", "platelets")] == ["pass"] * 3
    assert after.status is Status.NOT_NOW
    assert (
        after.of("life-expectancy").message == "Life expectancy ≥ 3 months: not met, as supposed (no record holds it)."
    )
    assert supposing(record, hemoglobin="121", ecog="1", platelets="100").status is Status.CANDIDATE


def test_a_scale_offers_its_grades() -> None:
    found = offered(record_of(ecog=None))["ecog"]
    assert [value for value, _ in found.choices] == ["0", "1", "2", "3", "4", "5"]
    assert supposing(record_of(ecog=None), ecog="1").status is Status.CANDIDATE
    assert supposing(record_of(ecog=None), ecog="2").status is Status.NOT_NOW


def test_any_of_the_alternatives_may_settle_the_kidneys() -> None:
    record = record_of(creatinine={"value": 120, "unit": "umol/L"})
    found = offered(record)
    assert {"creatinine", "body_weight"} <= set(found)
    assert supposing(record, creatinine="120/111").of("renal").verdict is Verdict.PASS
    assert supposing(record, creatinine="200/99").of("renal").verdict is Verdict.UNKNOWN
    assert supposing(record, body_weight="95").of("renal").verdict is Verdict.PASS
    both = supposing(record, creatinine="200/99", body_weight="50")
    assert both.of("renal").verdict is Verdict.FAIL


STAGED: dict[str, Any] = {"staging": None, "problems": [{"id": "npc", "code": "C11.9", "onset": -24}]}


@pytest.mark.parametrize(("typed", "state"), [("yes", ("pass", False)), ("no", ("fail", True))])
def test_an_m_category_settles_stage_and_metastasis_at_once(typed: str, state: tuple[str, bool]) -> None:
    record = record_of(**STAGED)
    assert {"stage", "metastasis"} <= set(offered(record))
    real = judged(record_of(**{**STAGED, "staging": [{"m": "cM1" if typed == "yes" else "cM0", "date": 0}]}))
    for name in ("stage", "metastasis"):
        after = supposing(record, **{name: typed})
        for criterion in ("stage", "metastasis"):
            found = after.of(criterion)
            assert (found.verdict.value, found.state.can_change) == state
            assert found.state is real.of(criterion).state
        assert after.status is real.status


def test_a_supposed_m_category_is_of_the_time_of_diagnosis() -> None:
    """One of today would be a restaging once treatment has begun."""
    cycles = {"drugs": ["gemcitabine", "toripalimab"], "starts": [-110, -89, -68, -47, -26]}
    problems = [{"id": "npc", "code": "C11.9", "onset": -150}]
    record = record_of(staging=None, problems=problems, cycles=cycles, responses=[{"value": "PR", "date": -5}])
    assert supposing(record, stage="yes").of("stage").verdict is Verdict.PASS


def test_a_response_and_a_drug() -> None:
    cycles = {"drugs": ["gemcitabine", "toripalimab"], "starts": [-110, -89, -68, -47, -26]}
    record = record_of(cycles=cycles, problems=[{**one, "onset": -150} for one in record_problems()])
    assert supposing(record, response="yes").of("response").verdict is Verdict.PASS
    stable = supposing(record, response="no").of("response")
    assert (stable.verdict, stable.state.can_change) == (Verdict.FAIL, True)


def record_problems() -> list[dict[str, Any]]:
    return [{"id": "npc", "code": "C11.9"}, {"code": "C79.5", "primary": "npc"}]


def test_histology_is_for_good() -> None:
    record = record_of(histology=None)
    assert supposing(record, histology="yes").status is Status.CANDIDATE
    assert supposing(record, histology="no").status is Status.EXCLUDED


def test_age_sex_and_death() -> None:
    unborn = record_of(age=None)
    assert supposing(unborn, age="70").status is Status.CANDIDATE
    assert supposing(unborn, age="71").status is Status.EXCLUDED
    assert supposing(unborn, age="17").status is Status.NOT_NOW
    for typed in ("70.5", "-1", "131", "old"):
        with pytest.raises(RequestError, match="whole number"):
            supposing(unborn, age=typed)
    assert supposing(unborn, date(2024, 2, 29), age="70").of("age").verdict is Verdict.PASS
    dying = record_of(deceased="2026-03")
    assert [value for value, _ in offered(dying)["deceased"].choices] == ["yes", "no"]
    assert supposing(dying, deceased="yes").status is Status.EXCLUDED
    assert supposing(dying, deceased="no").status is Status.CANDIDATE


def test_a_fact_that_no_single_record_says() -> None:
    """Liver metastasis: absent only when stated."""
    between = record_of(ast={"value": 150, "high": 40})
    assert [value for value, _ in offered(between)["liver_metastasis"].choices] == ["yes", "no"]
    assert supposing(between, liver_metastasis="yes").of("transaminases").verdict is Verdict.PASS
    no = supposing(between, liver_metastasis="no").of("transaminases")
    assert (no.verdict, no.state.can_change) == (Verdict.FAIL, True)


def test_what_was_attested_stays() -> None:
    record = record_of(hemoglobin=None)
    after = judge_if(
        record,
        library(),
        TRIAL,
        as_of=DAY,
        attested=[said("life-expectancy")],
        supposed={"hemoglobin": "121"},
    )
    assert after.of("life-expectancy").attested
    assert (after.status, after.to_confirm) == (Status.CANDIDATE, ("no-prior-treatment", "measurable-lesion"))


def test_every_measured_fact_can_be_typed_in_any_of_its_units() -> None:
    """Each offered unit has a code of its property, or the result would be refused as a slip of the unit."""
    for definition in library().facts.values():
        if definition.type != "number" or "analyte" not in definition.options:
            continue
        concepts = library().value_sets[definition.options["value_set"]].concepts
        for unit in units.ANALYTES[definition.options["analyte"]].units:
            offered_unit = typed_in(definition, [Evidence("Observation/1", Decimal(1), unit)], library().value_sets)
            wanted = units.unit_property(definition.options["analyte"], offered_unit)
            found = {one.attributes.get("property") for one in concepts}
            assert wanted is None or found & {None, wanted}, (definition.name, unit)

"""What the record shows around the verdicts: laboratory series, their limits, the treatments and cycles."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from attested_patients import DAY, TRIAL, judged, library, record_of

from cds_service.errors import RequestError
from cds_service.evaluation.judge import judge
from cds_service.evaluation.limits_in_force import regions
from cds_service.evaluation.outcome import Verdict
from cds_service.evaluation.seen import LabPoint, LabSeries, Seen, Treatment, what_is_seen
from cds_service.facts.fact import Fact, Reason
from cds_service.facts.need import Need
from cds_service.facts.phrase import in_language
from cds_service.facts.record import Record
from cds_service.gather.bundle import read_bundle
from cds_service.gather.json_text import read_json
from cds_service.languages import translator
from cds_service.logic.expression import compile_logic
from cds_service.logic.values import ANY_NUMBER
from cds_service.trials.model import Criterion, Kind

STORIES = sorted(Path(__file__).resolve().parents[2].glob("fhir_examples/patients/*/bundle.json"))


def seen(record: Record, trial: str = TRIAL) -> Seen:
    return what_is_seen(record, library(), trial, as_of=DAY)


def series(name: str, **changes: Any) -> LabSeries:
    return next(one for one in seen(record_of(**changes)).labs if one.fact == name)


def story(path: Path) -> Record:
    return read_bundle(read_json(path.read_bytes(), max_bytes=10**7))


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.parent.name)
def test_the_marked_points_are_the_evidence_of_each_story(path: Path) -> None:
    record = story(path)
    for trial in library().trials:
        outcome = judge(record, library(), as_of=DAY, trials=[trial]).trials[0]
        shown = seen(record, trial)
        assert shown.timeline.gate == outcome.gate
        for one in outcome.criteria:
            mine = [lab for lab in shown.labs if one.criterion.id in lab.criteria]
            marked = {point.resource for lab in mine for point in lab.points if point.used}
            cited = {evidence.resource for evidence in one.evidence}
            assert marked <= cited
            kinds = {library().facts[fact.name].kind for fact in one.facts.values()}
            if one.verdict is not Verdict.UNKNOWN and kinds <= {"lab", "graded_scale", "renal_filtration"}:
                assert marked == {name for name in cited if name.startswith("Observation/")}


def test_every_laboratory_fact_of_the_gate_has_its_series() -> None:
    names = [one.fact for one in seen(record_of()).labs]
    assert names == [
        *("ecog", "hemoglobin", "neutrophils", "platelets", "creatinine", "body_weight", "bilirubin_total"),
        *("ast", "alt", "inr", "pt", "aptt"),
    ]
    reported = record_of(creatinine_clearance={"value": 61}, egfr={"value": 59})
    assert {"creatinine_clearance", "egfr"} <= {one.fact for one in seen(reported).labs}


def test_a_series_holds_every_result_and_says_why_one_was_not_used() -> None:
    found = series(
        "hemoglobin",
        hemoglobin=[
            {"value": Decimal("9.9"), "unit": "g/dL", "date": -40},
            {"value": 88, "date": -3},
            {"value": 87, "date": -2, "status": "preliminary"},
            {"value": 86, "date": -20, "unit": "furlong"},
            {"value": 85, "date": "none"},
            {"value": 84, "date": "2026-01"},
            {"value": 83, "date": -25, "comparator": "<"},
            {"value": 82, "date": -26, "absent": True},
        ],
    )
    told = {point.recorded: point for point in found.points}
    assert found.points[0].recorded == "85 g/L", "what has no day stands first"
    assert [point.why_not for point in found.points if point.value == Decimal(88)] == [""]
    assert told["9.9 g/dL"].value == Decimal(99)
    assert told["87 g/L"].why_not == "not final"
    assert told["86 furlong"].why_not.startswith("the unit is missing")
    assert told["86 furlong"].value is None
    assert (told["85 g/L"].why_not, told["85 g/L"].day) == ("undated", None)
    assert (told["84 g/L"].why_not, told["84 g/L"].day_text) == ("not dated to the day", "2026-01")
    assert (told["< 83 g/L"].low, told["< 83 g/L"].high, told["< 83 g/L"].value) == (None, Decimal(83), None)
    assert told[""].why_not == "no value"
    assert found.window == (date(2026, 2, 15), DAY)
    chinese = translator("zh", library())
    assert all(in_language(point.why_not, chinese) != point.why_not for point in found.points if point.why_not)


def test_an_older_result_and_one_that_is_too_old_are_not_marked() -> None:
    two = series("hemoglobin", hemoglobin=[{"value": 121, "date": -9}, {"value": 95, "date": -2}])
    assert [point.used for point in two.points] == [False, True]
    stale = series("hemoglobin", hemoglobin=[{"value": 121, "date": -15}])
    assert [(point.used, point.why_not) for point in stale.points] == [(False, "")]


def test_limits_are_in_the_unit_of_the_series() -> None:
    assert limits(series("hemoglobin")) == (Decimal(90), None, None, None)
    assert limits(series("bilirubin_total")) == (None, Decimal("31.5"), Decimal(21), Decimal("1.5"))
    mg = series("creatinine", creatinine={"value": 1, "unit": "mg/dL", "high": Decimal("1.25")})
    assert mg.unit == "umol/L"
    assert mg.upper is not None
    assert abs(mg.upper - Decimal("110.5")) < Decimal("0.1")
    assert mg.most == mg.upper * Decimal("1.5")
    assert abs((mg.points[0].value or 0) - Decimal("88.4")) < Decimal("0.1")
    assert limits(series("body_weight")) == (None, None, None, None)
    bare = series("bilirubin_total", bilirubin_total={"value": 12})
    assert limits(bare) == (None, None, None, Decimal("1.5"))
    assert bare.points[0].why_not == "no usable reference range"


def limits(found: LabSeries) -> tuple[Decimal | None, ...]:
    return found.least, found.most, found.upper, found.factor


def test_the_limit_of_a_stale_result_is_that_of_its_own_range() -> None:
    stale = series("bilirubin_total", bilirubin_total={"value": 12, "high": 20, "date": -30})
    assert stale.most == Decimal(30)


LIVER = [{"id": "npc", "code": "C11.9", "onset": -24}, {"code": "C78.7", "onset": -20, "primary": "npc"}]


def test_a_conditional_limit() -> None:
    open_ones = series("ast").limits
    assert [(one.most, one.factor) for one in open_ones] == [(100, Decimal("2.5")), (200, 5)]
    assert [one.depends_on for one in open_ones] == [("Liver metastasis",)] * 2
    with_liver = series("ast", problems=LIVER)
    assert [(one.most, one.depends_on) for one in with_liver.limits] == [(200, ())]
    assert with_liver.most == 200
    # ALT far too high settles the criterion; AST keeps its limit.
    assert series("ast", problems=LIVER, alt={"value": 900, "high": 40}).most == 200


def test_the_regions_of_a_number() -> None:
    outcome = judged(record_of())
    age, renal = outcome.of("age"), outcome.of("renal")
    assert [(one.least, one.most) for one in regions(age.criterion, "age", age.facts)] == [(18, 70)]
    assert [(one.least, one.most) for one in regions(renal.criterion, "filtration", renal.facts)] == [(60, None)]
    assert regions(outcome.of("stage").criterion, "stage", outcome.of("stage").facts) == ()


def test_an_exclusion_leaves_the_other_side() -> None:
    logic = compile_logic({"or": [{"<": [{"var": "hb"}, 90]}, {">": [{"var": "hb"}, 200]}]}, {"hb": "number"})
    excluded = Criterion("hb", Kind.EXCLUSION, ("screening",), "", "", (), {"hb": Need("hemoglobin")}, logic)
    unknown = Fact.unknown("hemoglobin", ANY_NUMBER, Reason.NO_RECORD)
    assert [(one.least, one.most) for one in regions(excluded, "hb", {"hb": unknown})] == [(90, 200)]


def test_the_grades_of_ecog_are_numbers() -> None:
    found = series("ecog", ecog=[{"value": 1, "date": -40}, {"value": 0, "date": -2}])
    assert [(point.value, point.used) for point in found.points] == [(1, False), (0, True)]
    assert found.most == 1


def treatment(treatments: list[dict[str, Any]], **more: Any) -> list[Treatment]:
    problems = [{"id": "npc", "code": "C11.9", "onset": -150}]
    return list(seen(record_of(treatments=treatments, problems=problems, **more)).timeline.treatments)


def test_treatments_with_what_they_are_and_whether_they_count() -> None:
    found = treatment(
        [
            {"drug": "cisplatin", "date": -100},
            {"drug": "toripalimab", "as": "statement", "status": "active", "start": -90},
            {"drug": "cetuximab", "as": "request", "status": "active", "date": -5},
            {"drug": "gemcitabine", "as": "request", "status": "draft", "date": -4},
            {"name": "顺铂", "date": -3},
            {"procedure": "radiotherapy", "status": "completed", "start": -60, "end": -20, "site": "nasopharynx"},
            {"procedure": "nasopharyngectomy", "status": "not-done", "date": -70},
            {"procedure": "biopsy", "date": -140},
            {"drug": "dexamethasone", "date": -100},
            {"drug": "cisplatin"},
        ]
    )
    told = [(one.kind, one.given, one.counts, one.dose) for one in found]
    assert told == [
        ("chemotherapy", "given", False, True),
        ("chemotherapy", "given", True, True),
        ("PD-1 inhibitor", "given", True, False),
        ("surgery", "not", False, False),
        ("radiotherapy", "given", True, False),
        ("another anti-tumour drug", "perhaps", False, False),
        ("chemotherapy", "not", False, False),
        ("chemotherapy", "given", False, True),
    ]
    by_start = {one.start_text: one for one in found}
    assert by_start[""].doubt == "undated"
    assert by_start["2025-12-01"].end is None, "it goes on"
    assert by_start["2025-12-31"].end == date(2026, 2, 9)


def test_the_cycles_the_onset_and_the_gate() -> None:
    cycles = {"drugs": ["gemcitabine", "toripalimab"], "starts": [-110, -89, -68, -47, -26]}
    line = seen(record_of(cycles=cycles, problems=[{"id": "npc", "code": "C11.9", "onset": -150}])).timeline
    assert line.gate == "randomisation"
    assert [name for name, _ in line.gates] == ["screening", "randomisation"]
    assert (len(line.cycles), line.cycles[0], line.countable) == (5, date(2025, 11, 11), True)
    assert line.onset == date(2025, 10, 2)
    assert seen(record_of(problems=[{"id": "npc", "code": "C11.9", "onset": "2025-10"}])).timeline.onset is None


def test_nothing_after_the_day_is_shown() -> None:
    found = series("hemoglobin", hemoglobin=[{"value": 121, "date": -2}, {"value": 60, "date": 1}])
    assert [point.recorded for point in found.points] == ["121 g/L"]
    assert treatment([{"drug": "cisplatin", "date": 2}]) == []


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(RequestError):
        what_is_seen(record_of(), library(), "NCT00000000", as_of=DAY)
    with pytest.raises(RequestError):
        what_is_seen(record_of(), library(), TRIAL, as_of=DAY, anchor=date(2026, 2, 1))


def test_a_point_is_plain_data() -> None:
    (point,) = series("platelets").points
    assert isinstance(point, LabPoint)
    assert (point.status, point.used, point.resource) == ("final", True, point.resource)

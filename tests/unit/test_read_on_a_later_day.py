"""What lists, page, report, cards and exports say of results that lapsed, and of what people attested."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from attested_patients import record_of, whole
from entry_pages import PREFIX, TRIAL, Shown, judged_story, rules, story
from entry_pages import page_app as app_of

from cds_service.evaluation.attested import Attestation
from cds_service.evaluation.outcome import LEANS_AGAINST, PatientOutcome, Status, Verdict
from cds_service.present.cohort.read_back import patient_outcome
from cds_service.present.conflict import _Orders
from cds_service.present.detail import candidate_detail
from cds_service.present.pages.entry_view import EntryView, entry_view
from cds_service.present.report import write_report
from cds_service.present.speaker import Speaker, speaker
from cds_service.present.speaking import leaning_fail
from cds_service.present.summary import candidate_summary
from cds_service.present.worklist.export_bundle import write_fhir
from cds_service.present.worklist.export_table import Export, write_csv
from cds_service.present.worklist.rows import ListRow, row, to_confirm
from cds_service.screening.worklist.changes import changes
from cds_service.store.result import brief_of, doubts

DAY = date(2026, 3, 1)
LAST = date(2026, 3, 12)  # the first result of the example candidate that lapses


def spoken(language: str = "en") -> Speaker:
    return speaker(language, rules().library)


def judged(name: str, *attested: Attestation) -> PatientOutcome:
    record, as_of, anchor = story(name)
    return rules().judge(record, rules().library, as_of=as_of, anchor=anchor, trials=[TRIAL], attested=attested)


def said(criterion: str, until: date = DAY + timedelta(days=60), by: str = "Dr Li") -> Attestation:
    return Attestation(TRIAL, criterion, "screening", Verdict.PASS, by, DAY, until)


def view(name: str, today: date | None, *attested: Attestation, language: str = "en", **more: Any) -> EntryView:
    patient = judged(name, *attested)
    return entry_view(patient.trials[0], patient, None, spoken(language), today=today, **more)


def listed(patient: PatientOutcome, **more: Any) -> SimpleNamespace:
    outcome = patient.trials[0]
    lapses = outcome.until if outcome.status is Status.CANDIDATE else outcome.look_again
    latest = SimpleNamespace(
        as_of=patient.as_of,
        anchor=None,
        gate=outcome.gate,
        status=outcome.status.value,
        decided=outcome.decided,
        total=len(outcome.criteria),
        missing=tuple(one.fact for one in outcome.decisive),
        lapses=lapses,
        rules_digest=outcome.trial.digest,
        brief=brief_of(patient.to_json()["results"][0]),
    )
    person = SimpleNamespace(
        names=("Chen",), birth_date="1979-11-02", gender="female", reference="Patient/1", number="1"
    )
    fields = {
        "id": "a" * 32,
        "patient": "b" * 32,
        "person": person,
        "trial": TRIAL,
        "state": "new",
        "state_at": None,
        "state_by": "",
        "state_reason": "",
        "state_criterion": "",
        "assignee": "",
        "changed": False,
        "latest": SimpleNamespace(**{**vars(latest), **more}),
    }
    return SimpleNamespace(**fields)


def line(entry: Any, today: date) -> ListRow:
    return row(entry, rules().library, today)


# Lapsed results.


def test_a_candidate_of_another_day_is_said_to_have_been_one() -> None:
    assert judged_story("candidate").trials[0].until == LAST
    fresh, last, gone = (view("candidate", day).spoken for day in (DAY, LAST, LAST + timedelta(days=1)))
    assert fresh == last == view("candidate", None).spoken
    assert (fresh.status, fresh.mark, fresh.head) == ("candidate", "◆", "May be a candidate, for review")
    assert "results count until 12 Mar 2026" in fresh.rest
    assert (gone.status, gone.mark) == ("lapsed", "◈")
    assert (gone.word, gone.head) == ("candidate as of 1 Mar 2026", "Candidate as of 1 Mar 2026")
    assert gone.rest.startswith("results lapsed after 12 Mar 2026; ")
    assert "count until" not in gone.rest
    chinese = view("candidate", LAST + timedelta(days=1), language="zh").spoken
    assert chinese.head == "截至2026年3月1日为候选者"
    assert chinese.rest.startswith("结果在2026年3月12日后失效")


def test_a_row_of_the_matrix_says_which_results_lapsed() -> None:
    rows = {one.id: one for one in view("candidate", LAST + timedelta(days=1)).rows}
    lapsed = {name for name, one in rows.items() if one.lapsed}
    assert "hemoglobin" in lapsed
    assert "stage" not in lapsed
    assert not any(one.lapsed for one in view("candidate", LAST).rows)
    assert not any(one.lapsed for one in view("candidate", None).rows)


def test_the_list_says_lapsed_with_a_mark_and_a_word_of_its_own() -> None:
    entry = listed(judged_story("candidate"))
    fresh, gone = line(entry, LAST), line(entry, LAST + timedelta(days=1))
    assert (fresh.mark, fresh.status_words, fresh.day, fresh.lapsed) == (
        "◆",
        "candidate, for review",
        "until 12 Mar 2026",
        False,
    )
    assert (gone.mark, gone.status_words, gone.day, gone.lapsed) == (
        "◈",
        "candidate as of 1 Mar 2026",
        "lapsed after 12 Mar 2026",
        True,
    )


def test_a_day_to_look_again_that_has_come_is_told() -> None:
    entry = listed(judged_story("candidate"), status="not-now", lapses=LAST)
    assert line(entry, LAST - timedelta(days=1)).day == "again from 12 Mar 2026"
    assert line(entry, LAST).day == "again since 12 Mar 2026"
    patient = judged_story("candidate")
    outcome = replace(patient.trials[0], status=Status.NOT_NOW, look_again=LAST)
    before, after = (
        entry_view(outcome, patient, None, spoken(), today=day).spoken.rest for day in (DAY, LAST + timedelta(days=5))
    )
    assert "look again from 12 Mar 2026" in before
    assert "look again since 12 Mar 2026" in after


def test_exports_say_what_lapsed() -> None:
    def rows(today: date) -> list[dict[str, str]]:
        export = Export(TRIAL, "Li", datetime(2026, 3, 20, tzinfo=UTC), today, "check", True, str)
        file = io.BytesIO()
        write_csv(file, export, [listed(judged_story("candidate"))], rules().library, lambda text: text)
        return list(csv.DictReader(io.StringIO(file.getvalue().decode("utf-8-sig"))))

    (fresh,), (gone,) = rows(LAST), rows(LAST + timedelta(days=1))
    assert (fresh["Results lapsed"], fresh["Status"]) == ("", "candidate, for review")
    assert (gone["Results lapsed"], gone["Status"]) == ("yes", "candidate as of 1 Mar 2026")
    assert gone["Judged as of"] == "2026-03-01"
    assert gone["Results count until"] == "2026-03-12"
    export = Export(TRIAL, "Li", datetime(2026, 3, 20, tzinfo=UTC), LAST + timedelta(days=1), "check", True, str)
    file = io.BytesIO()
    write_fhir(file, export, [listed(judged_story("candidate"))], rules().library.trials[TRIAL])
    assert b"results lapsed after 2026-03-12" in file.getvalue()


def test_today_is_only_the_day_of_the_judgement() -> None:
    (row_,) = view("stale-bilirubin", DAY).missing
    assert row_.last == "12 µmol/L, 10 Feb 2026, 19 days ago"
    later = view("stale-bilirubin", DAY + timedelta(days=3))
    assert later.missing[0].last == "12 µmol/L, 10 Feb 2026"
    assert (view("stale-bilirubin", DAY).of_today, later.of_today) == (True, False)


def test_the_pages_name_the_day_instead_of_today(monkeypatch: pytest.MonkeyPatch) -> None:
    def text(path: str) -> str:
        return str(app_of("stale-bilirubin", Shown()).test_client().get(path).get_data(as_text=True))

    assert "One of today counts until" in text(PREFIX)
    assert "one of today counts until" in text(f"{PREFIX}/report")
    old = entry_view

    def later(*args: Any, **given: Any) -> EntryView:
        return old(*args, **{**given, "today": DAY + timedelta(days=3), "anchor": date(2026, 3, 9)})

    monkeypatch.setattr("entry_pages.entry_view", later)
    for path in (PREFIX, f"{PREFIX}/report"):
        shown = text(path)
        assert "of today" not in shown
        assert "ne of 1 Mar 2026 counts until" in shown
        assert "Planned first dose 9 Mar 2026." in shown


# What people attested.


def test_what_was_attested_is_counted_apart_from_what_was_computed() -> None:
    patient = judged("candidate", said("no-prior-treatment"), said("life-expectancy"))
    (outcome,) = patient.trials
    summary = candidate_summary(outcome, patient)
    assert "all 15 computed criteria met, 2 attested" in summary
    assert "labs count until 12 Mar" in summary
    assert len(summary) <= 139
    detail = candidate_detail(outcome, (), patient)
    assert "15 of 17 criteria computed and met · 2 attested" in detail
    assert "2 attested" in write_report(patient)
    page = entry_view(outcome, patient, None, spoken()).spoken.rest
    assert page.startswith("all 15 computed criteria met; 2 attested")
    one = judged("candidate", said("life-expectancy"))
    assert "all 15 computed criteria met, 1 attested, 1 to confirm" in candidate_summary(one.trials[0], one)
    chinese = candidate_summary(outcome, patient, spoken("zh"))
    assert "2 条经人工确认" in chinese


def test_labs_never_count_until_the_end_of_an_attestation() -> None:
    early = date(2026, 3, 5)
    patient = judged("candidate", said("life-expectancy", early))
    (outcome,) = patient.trials
    assert outcome.until == early
    for words in (
        candidate_summary(outcome, patient),
        candidate_detail(outcome, (), patient),
        write_report(patient),
        entry_view(outcome, patient, None, spoken()).spoken.rest,
    ):
        assert "5 Mar" in words
        assert "labs count until" not in words
        assert "esults count until" not in words
    gone = entry_view(outcome, patient, None, spoken(), today=date(2026, 3, 6)).spoken
    assert gone.status == "lapsed"
    assert gone.rest.startswith("what was attested lapsed after 5 Mar 2026")


def test_a_stored_result_still_tells_what_was_attested() -> None:
    patient = judged("candidate", said("life-expectancy", date(2026, 3, 5)))
    stored = {**patient.to_json(), "patient": "Patient/1"}
    read = patient_outcome(stored, rules().library, "en", {TRIAL: rules().library.trials[TRIAL]})
    (outcome,) = read.trials
    assert outcome.of("life-expectancy").attested == patient.trials[0].of("life-expectancy").attested
    rest = entry_view(outcome, read, None, spoken()).spoken.rest
    assert rest.startswith("all 15 computed criteria met; 1 attested")
    assert "attested until 5 Mar 2026" in rest


# An attestation over a record that leans against it.


def test_what_was_attested_against_the_record_stays_a_doubt() -> None:
    bone = record_of(treatments=[{"procedure": "radiotherapy", "site": "bone", "date": -10}])
    doubted = whole(bone)
    (before,) = doubted.trials
    assert before.status is Status.CANDIDATE
    (against,) = leaning_fail(before)
    name, short = against.criterion.id, against.criterion.short
    patient = whole(bone, said(name))
    (outcome,) = patient.trials
    settled = outcome.of(name)
    assert (settled.leaning, settled.against) == (None, True)
    assert LEANS_AGAINST in settled.notes
    assert leaning_fail(outcome) == [settled]
    summary = candidate_summary(outcome, patient)
    assert "though the record leans against" in summary
    assert len(summary) <= 139
    assert "*(the record leans against it)*" in candidate_detail(outcome, (), patient)
    assert "(the record leans against it)" in write_report(patient)
    page = entry_view(outcome, patient, None, spoken())
    assert "the record leans against" in page.spoken.rest
    assert [one.id for one in page.rows if one.against] == [name]
    assert [one.id for one in page.confirm if one.against] == [name]
    assert doubts(brief_of(patient.to_json()["results"][0])) == 1
    reasons = line(listed(patient), DAY).reasons
    assert f"{short}, attested (the record leans against it)" in reasons
    still = line(listed(doubted), DAY).reasons
    assert f"{short} (the record leans against it)" in still


def test_an_attestation_with_the_record_is_no_doubt() -> None:
    patient = judged("candidate", said("no-prior-treatment"))
    assert not patient.trials[0].of("no-prior-treatment").against
    assert leaning_fail(patient.trials[0]) == []
    assert doubts(brief_of(patient.to_json()["results"][0])) == 0


def test_a_result_from_before_the_mark_is_read_and_doubts_what_it_can_tell() -> None:
    """Whether the record leaned against what was attested is not in it; what still leans is."""
    bone = record_of(treatments=[{"procedure": "radiotherapy", "site": "bone", "date": -10}])
    open_one, settled = (whole(bone, *given) for given in ((), (said("no-prior-treatment"),)))
    for patient, expected in ((open_one, 1), (settled, 0)):
        result = patient.to_json()["results"][0]
        for criterion in result["criteria"]:
            del criterion["notes"]
        assert doubts(brief_of(result)) == expected
        leans = [one for one in to_confirm(brief_of(result), patient.trials[0].trial) if "leans against" in one]
        assert len(leans) == expected


def test_an_attestation_is_a_change() -> None:
    before, after = (
        one.to_json()["results"][0] for one in (judged_story("candidate"), judged("candidate", said("life-expectancy")))
    )
    assert [one.criterion for one in changes(before, after) if one.what == "criterion"] == ["life-expectancy"]


def test_a_conflict_card_tells_attested_doubts_apart_from_what_is_to_confirm() -> None:
    bone = record_of(treatments=[{"procedure": "radiotherapy", "site": "bone", "date": -10}])
    told = {}
    for attested in ((), (said("no-prior-treatment"),)):
        patient = whole(bone, *attested)
        told[len(attested)] = _Orders(patient, spoken())._standing(patient.trials[0])
    assert "the record leans against 1 of these" in told[0]
    assert "of these" not in told[1]
    assert "attested, and the record leans against it: No prior" in told[1]

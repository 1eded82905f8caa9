"""What a person attests settles one criterion, for one gate, until its last day; and it shows as theirs."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from attested_patients import DAY, GOOD, judged, library, record_of, said, whole

from cds_service.evaluation.attested import Attestation, digest_of
from cds_service.evaluation.judge import judge
from cds_service.evaluation.outcome import Status, Verdict
from cds_service.languages import translator
from cds_service.present.detail import candidate_detail
from cds_service.present.report import write_report


def test_what_is_attested_counts_as_decided() -> None:
    before = judged(record_of())
    assert before.to_confirm == ("no-prior-treatment", "life-expectancy", "measurable-lesion")
    after = judged(record_of(), said("life-expectancy"))
    assert after.status is Status.CANDIDATE
    assert after.to_confirm == ("no-prior-treatment", "measurable-lesion")
    assert after.decided == before.decided + 1
    message = "Life expectancy ≥ 3 months: met, attested by Dr Li on 1 Mar 2026 until 31 Mar 2026 (no record holds it)."
    assert after.of("life-expectancy").message == message


def test_a_person_may_say_that_it_is_not_met() -> None:
    after = judged(record_of(), said("measurable-lesion", Verdict.FAIL, reason="only bone"))
    assert after.status is Status.NOT_NOW
    assert after.look_again is None
    assert after.of("measurable-lesion").message.endswith("Stated reason: only bone.")
    told = whole(record_of(), said("measurable-lesion", Verdict.FAIL, reason="only bone")).to_json()["results"][0]
    found = next(one for one in told["criteria"] if one["id"] == "measurable-lesion")
    assert found["attested"] == {"by": "Dr Li", "on": "2026-03-01", "until": "2026-03-31", "reason": "only bone"}
    assert (found["verdict"], found["can_change"], found["valid_until"]) == ("fail", True, "2026-03-31")


def test_it_holds_on_its_last_day_and_not_the_day_after() -> None:
    last = said("life-expectancy", Verdict.FAIL, until=DAY)
    assert judged(record_of(), last).status is Status.NOT_NOW
    assert judged(record_of(), last, as_of=date(2026, 3, 2)).of("life-expectancy").attested is None


def test_it_may_be_said_after_the_day_that_is_judged() -> None:
    """A chart of last week is settled today: it is judged as of its own day."""
    assert judged(record_of(), said("life-expectancy", on=date(2026, 3, 8))).of("life-expectancy").attested


def test_a_candidate_lasts_no_longer_than_what_was_attested() -> None:
    soon = said("life-expectancy", until=date(2026, 3, 3))
    assert judged(record_of()).until == date(2026, 3, 12)
    assert judged(record_of(), soon).until == date(2026, 3, 3)


def test_of_two_the_later_word_counts() -> None:
    first = said("life-expectancy", Verdict.FAIL, on=date(2026, 2, 20))
    then = said("life-expectancy", Verdict.PASS, on=date(2026, 2, 25))
    for attested in ([first, then], [then, first]):
        assert judged(record_of(), *attested).of("life-expectancy").verdict is Verdict.PASS
    same_day = replace(first, on=then.on)
    assert judged(record_of(), then, same_day).of("life-expectancy").verdict is Verdict.FAIL


def test_it_yields_to_a_record_that_decides() -> None:
    frail = said("ecog", Verdict.FAIL)
    karnofsky = record_of(ecog=None, karnofsky={"value": 80})
    assert judged(karnofsky, frail).of("ecog").attested == frail
    graded = judged(record_of(karnofsky={"value": 80}), frail).of("ecog")
    assert (graded.verdict, graded.attested) == (Verdict.PASS, None)
    # Nor does it stand in for data that is missing.
    assert judged(record_of(ecog=None), said("ecog")).of("ecog").verdict is Verdict.UNKNOWN
    assert judged(record_of(hemoglobin={"value": 60}), said("hemoglobin")).of("hemoglobin").verdict is Verdict.FAIL


def test_a_verdict_lapses_with_the_record_beside_which_it_was_said() -> None:
    karnofsky = record_of(ecog=None, karnofsky={"value": 80, "date": -20})
    found = judged(karnofsky, said("ecog")).of("ecog")
    assert found.until == date(2026, 3, 9)
    assert judged(karnofsky, said("ecog"), as_of=date(2026, 3, 10)).of("ecog").verdict is Verdict.UNKNOWN


def test_a_trigger_that_only_a_person_can_settle_may_be_attested() -> None:
    resolved = [{**GOOD["problems"][0], "clinical": "resolved"}, GOOD["problems"][1]]
    open_trigger = record_of(problems=resolved)
    before = judged(open_trigger)
    assert before.status is Status.NEEDS_DATA
    assert [one.fact for one in before.decisive] == ["npc_primary"]
    after = judged(open_trigger, said("npc-primary"))
    assert (after.status, after.decisive) == (Status.CANDIDATE, ())
    assert judged(open_trigger, said("npc-primary", Verdict.FAIL)).status is Status.NOT_NOW


def test_an_exclusion_says_what_the_patient_is_not() -> None:
    """Attested as met: the requirement holds, whichever way the protocol writes its sentence."""
    trial = "NCT05062005"
    record = record_of()
    before = judge(record, library(), as_of=DAY, trials=[trial]).trials[0]
    asked = next(one for one in before.criteria if one.for_a_person and one.criterion.kind.value == "exclusion")
    word = Attestation(trial, asked.criterion.id, before.gate, Verdict.FAIL, "Dr Li", DAY, DAY)
    after = judge(record, library(), as_of=DAY, trials=[trial], attested=[word]).trials[0]
    assert after.of(asked.criterion.id).verdict is Verdict.FAIL
    assert after.of(asked.criterion.id).state.can_change


def test_a_name_is_hostile_text() -> None:
    evil = said("measurable-lesion", by="<img src=x onerror=alert(1)>{by}[x](javascript:1)\x1b[2J|", reason="{why}")
    record = record_of(lesions=[{"mm": 12, "date": -20}])
    outcome = whole(record, evil)
    assert evil.by in outcome.trials[0].of("measurable-lesion").message
    report = write_report(outcome)
    assert "\x1b" not in report
    assert "attested by" in report
    detail = candidate_detail(outcome.trials[0], (), outcome)
    (row,) = [line for line in detail.splitlines() if "Measurable lesion" in line]
    assert "attested by" in row
    assert "<img" not in detail
    assert "](javascript:" not in detail


def test_both_languages_name_who_said_it() -> None:
    outcome = whole(record_of(), said("life-expectancy", by="王芳", reason="稳定"))
    found = outcome.trials[0].of("life-expectancy")
    assert found.message_zh.startswith("预期寿命 ≥ 3 个月：符合，由王芳于")
    assert found.message_zh.endswith("所述理由：稳定。")
    assert "王芳" in write_report(outcome, translator("zh", library()))


def test_an_unknown_is_no_attestation() -> None:
    with pytest.raises(ValueError, match="pass or fail"):
        said("life-expectancy", Verdict.UNKNOWN)


@pytest.mark.parametrize("by", ["", "  "])
def test_nobody_attests_nothing(by: str) -> None:
    with pytest.raises(ValueError, match="names who says it"):
        said("life-expectancy", by=by)


def test_a_digest_tells_every_part() -> None:
    one = said("life-expectancy")
    changed = [
        replace(one, criterion="measurable-lesion"),
        replace(one, gate="randomisation"),
        replace(one, verdict=Verdict.FAIL),
        replace(one, by="Dr Wang"),
        replace(one, on=date(2026, 2, 28)),
        replace(one, until=DAY),
        replace(one, reason="seen"),
    ]
    digests = {digest_of([other]) for other in [one, *changed]}
    assert len(digests) == 8
    assert digest_of([one, one]) == digest_of([one])
    assert all(digest.startswith("sha256:") for digest in digests)

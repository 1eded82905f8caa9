"""What people read: alternatives, ages, units, whole sentences, and a record that was not read to its end."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest
from door_fakes import BILIRUBIN, CONFIRM, criterion, decisive, npc, outcome, spread, trial_outcome

from cds_service.evaluation.outcome import DECEASED, Status
from cds_service.facts.fact import Evidence, Reason
from cds_service.facts.phrase import say
from cds_service.facts.shown import day, unit
from cds_service.languages import translator
from cds_service.logic.truth import State
from cds_service.present.cards import make_cards
from cds_service.present.report import write_report

SEED = UUID("d1577c69-dfbe-44ad-ba6d-3e05e953b2ea")


def card(*trials, **rest):
    (only,) = make_cards(outcome(*trials, **rest), seed=SEED)
    return only


RANGE = replace(
    decisive("creatinine", "Creatinine", Reason.NO_REFERENCE_RANGE, evidence=()), alternatives=("body_weight",)
)
WEIGHT = replace(
    decisive("body_weight", "Body weight", Reason.NO_RECORD, evidence=(), kind="measurement"),
    alternatives=("creatinine",),
)


def test_alternatives_are_told_in_card_and_report():
    one = trial_outcome(Status.NEEDS_DATA, [npc(), spread(), BILIRUBIN], missing=[RANGE, WEIGHT])
    found = card(one)
    assert found["summary"].startswith("NCT00000001: creatinine or body weight decides (no reference range")
    assert "**Creatinine**: no reference range; or body weight instead" in found["detail"]
    assert "Creatinine: no reference range; or instead: Body weight" in write_report(outcome(one))
    assert "或以 Body weight 代替" in write_report(outcome(one), translator("zh"))


def test_alternatives_beside_another_missing_fact_are_no_either_or_in_the_summary():
    one = trial_outcome(Status.NEEDS_DATA, [npc(), spread(), BILIRUBIN], missing=[RANGE, WEIGHT, decisive()])
    assert "creatinine and 2 more decide" in card(one)["summary"]


def test_until_when_a_new_result_counts():
    one = trial_outcome(
        Status.NEEDS_DATA, [npc(), spread(), BILIRUBIN], missing=[replace(decisive(), new_until=date(2026, 3, 15))]
    )
    assert "would pass); a new one today counts until 15 Mar 2026" in card(one)["detail"]
    assert "would pass); a new one today counts until 15 Mar 2026" in write_report(outcome(one))


def test_no_card_about_somebody_who_may_have_died():
    asks = replace(decisive(DECEASED, "Whether the patient has died", Reason.IMPRECISE_DATE), criteria=())
    one = trial_outcome(Status.NEEDS_DATA, [npc(), spread(), BILIRUBIN], missing=[asks])
    assert make_cards(outcome(one), seed=SEED) == []
    assert "Whether the patient has died: its date is not exact" in write_report(outcome(one))


def test_a_record_not_read_to_its_end_is_told_in_the_headline():
    unread = {"Observation": "1 of its entries could not be read"}
    found = card(trial_outcome(until=date(2026, 3, 12)), unread=unread)
    assert found["summary"].endswith("; not all of the record could be read")
    assert "not all of the record could be read" in write_report(outcome(trial_outcome(), unread=unread))
    assert "could be read" not in card(trial_outcome())["summary"]


def test_an_age_is_shown_and_no_date_of_birth():
    born = Evidence("Patient/p1", "1973-08-14", None, "2026-03-01", say("birth date"), say("{age} years", age=52))
    found = card(trial_outcome(criteria=[npc(), spread(), criterion("age", short="Age", evidence=[born]), CONFIRM]))
    assert "| Age | 52 years · 1 Mar 2026 |" in found["detail"]
    assert "1973" not in found["detail"]


def test_a_report_shows_a_long_sentence_whole_and_a_few_records():
    cited = [Evidence(f"Observation/{at}", "x") for at in range(9)]
    long = criterion("x", State.TRUE, evidence=cited, message="word " * 200 + "end.")
    text = write_report(outcome(trial_outcome(criteria=[npc(), spread(), long])))
    assert "word end.  [Observation/0, Observation/1, Observation/2, Observation/3 and 5 more]" in text
    assert "…" not in text


@pytest.mark.parametrize(
    ("recorded", "shown"),
    [
        ("10*9/L", "×10⁹/L"),
        ("10^3/uL", "×10³/µL"),
        ("x10^9/L", "×10⁹/L"),
        ("10*12/L", "×10¹²/L"),
        ("umol/L", "µmol/L"),
        ("ug/dL", "µg/dL"),
        ("K/uL", "K/µL"),
        ("uIU/mL", "µIU/mL"),
        ("mL/min/{1.73_m2}", "mL/min/1.73 m²"),
        ("mL/min/1.73m2", "mL/min/1.73m²"),
        ("[IU]/L", "IU/L"),
        ("u[iU]/mL", "µIU/mL"),
        ("{INR}", "INR"),
        ("1", ""),
        (None, ""),
        ("g/L", "g/L"),
        ("unit", "unit"),
        ("mmol/L", "mmol/L"),
        ("mm", "mm"),
    ],
)
def test_units_for_people(recorded, shown):
    assert unit(recorded) == shown


@pytest.mark.parametrize(
    ("recorded", "shown"),
    [
        ("2026-03-01", "1 Mar 2026"),
        ("2026-03", "Mar 2026"),
        ("2026", "2026"),
        ("2026-02-10/", "from 10 Feb 2026"),
        ("2026-13", "2026-13"),
        ("undated", "undated"),
        (None, ""),
    ],
)
def test_days_for_people(recorded, shown):
    assert day(recorded) == shown


def test_a_report_shows_a_long_last_value_whole():
    stale = decisive(evidence=[Evidence("Observation/x", "a long answer in words " * 5, None, "2026-02-10")])
    one = trial_outcome(Status.NEEDS_DATA, [npc(), spread(), BILIRUBIN], missing=[stale])
    assert "…" not in write_report(outcome(one))
    assert "…" not in card(one)["detail"]

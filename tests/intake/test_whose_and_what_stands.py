"""One id of two people, reads that broke off, planned first doses: whose chart it is, and what takes its place."""

from dataclasses import replace
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from cds_service.bootstrap import Services
from cds_service.evaluation.outcome import PatientOutcome
from cds_service.gather.bundle import read_bundle
from cds_service.screening.patient import Rules
from cds_service.screening.worklist.at_hook import keep, recall
from cds_service.screening.worklist.changes import differs
from cds_service.screening.worklist.intake import TWO_PEOPLE, contradicts, screening_of, take_outcome
from cds_service.store.misses import Missed
from cds_service.store.worklist import Chart, EntryState, NewScreening, Person
from cds_service.store.worklist_store import WorklistStore
from cds_service.web import create_app
from tests.intake.opened_charts import DAY, FHIR, NOW, NPC, born, bundle, call, hemoglobin, on_list, timed_out


def _kept(outcome: PatientOutcome) -> NewScreening:
    return screening_of(
        outcome.to_json()["results"][0],
        patient=outcome.patient,
        as_of=outcome.as_of,
        anchor=None,
        attested=(),
        fingerprint="sha256:other",
        unread={},
        site="",
    )


@pytest.mark.parametrize(("day", "gender"), [("1980-02-03", None), (None, "female")])
def test_one_id_of_two_people_mixes_nothing_where_no_server_is_named(
    day: str | None,
    gender: str | None,
    client: FlaskClient,
    services: Services,
    rules: Rules,
    caplog: pytest.LogCaptureFixture,
) -> None:
    worklist = services.store.worklist
    call(client, rules, "candidate", server="")
    (entry,) = on_list(worklist)
    declined = worklist.decide(entry.id, entry.version, state=EntryState.DECLINED, who="Li", now=NOW)
    assert call(client, rules, "candidate", server="") == []
    (card,) = call(client, rules, born("candidate", day, gender), server="")
    assert [one["label"] for one in card["links"]] == ["Registry record"]
    assert on_list(worklist) == [declined]
    told = [one.getMessage() for one in caplog.records if "two people" in one.getMessage()]
    assert len(told) == 1
    assert not any(word in told[0] for word in ("candidate", "1980"))
    # A server that is named may correct what it says of its own patient.
    call(client, rules, "candidate")
    call(client, rules, born("candidate", day, gender))
    assert len(on_list(worklist)) == 2


def test_first_calls_that_both_found_nobody_mix_nothing(
    worklist: WorklistStore, rules: Rules, caplog: pytest.LogCaptureFixture
) -> None:
    records = [read_bundle(body) for body in (bundle("candidate"), born("candidate", "1980-02-03"))]
    recalled = [recall(worklist, "", record, DAY) for record in records]  # both, before either is kept
    entries = []
    for record, known in zip(records, recalled, strict=True):
        assert known is not None
        outcome = rules.judge(record, rules.library, as_of=DAY)
        entries.append(keep(worklist, record, outcome, known, source="", now=NOW))
    (entry,) = on_list(worklist)
    assert entries == [{NPC: entry.id}, {}]
    assert entry.person.birth_date != "1980-02-03"
    assert len(worklist.screenings(entry.id)) == 1
    assert [one.getMessage() for one in caplog.records if "two people" in one.getMessage()] == [TWO_PEOPLE % 1]


@pytest.mark.parametrize(
    ("known", "new", "apart"),
    [
        (("1980", "male"), ("1980-02-03", "male"), False),
        (("1980-02-03", ""), ("1980-02", "male"), False),
        (("", "unknown"), ("1980-02-03", "male"), False),
        (("1980-02-03", "male"), ("1980-02-04", "male"), True),
        (("1980-02-03", "male"), ("1980-02-03", "female"), True),
    ],
)
def test_what_shows_that_two_people_are_meant(known: tuple[str, str], new: tuple[str, str], apart: bool) -> None:
    one, other = (Person("", "Patient/1", (), *told) for told in (known, new))
    assert contradicts(one, other) is contradicts(other, one) is apart
    assert not contradicts(one, replace(other, source=FHIR))


@pytest.mark.parametrize("kind", ["Observation", "MedicationAdministration", "Procedure"])
def test_a_read_that_broke_off_is_kept_and_changes_nothing_on_the_list(
    kind: str, client: FlaskClient, services: Services, rules: Rules
) -> None:
    call(client, rules, "candidate")
    worklist = services.store.worklist
    (entry,) = on_list(worklist)
    timed_out(client, rules, bundle("candidate"), kind)
    assert on_list(worklist) == [entry]
    assert len(worklist.screenings(entry.id)) == 2
    body = bundle("candidate")
    hemoglobin(body)["valueQuantity"]["value"] = 60
    timed_out(client, rules, body, "Procedure")
    (after,) = on_list(worklist)
    assert after.latest.status == "not-now"


def test_the_planned_first_dose_is_kept_until_it_has_passed(services: Services, rules: Rules) -> None:
    worklist, planned = services.store.worklist, DAY + timedelta(days=9)
    record = read_bundle(bundle("candidate"))
    outcome = rules.judge(record, rules.library, as_of=DAY, anchor=planned, trials=[NPC])
    take_outcome(worklist, record, outcome, source=FHIR, now=NOW - timedelta(hours=1), anchor=planned)
    (entry,) = on_list(worklist)
    body = bundle("candidate")
    hemoglobin(body)["valueQuantity"]["value"] += 1
    call(create_app(services).test_client(), rules, body)
    (after,) = on_list(worklist)
    assert (after.latest.anchor, after.latest.as_of) == (planned, DAY)
    assert after.latest.id != entry.latest.id
    assert after.latest.status == entry.latest.status
    later = replace(services, clock=lambda: planned + timedelta(days=1), now=lambda: NOW + timedelta(days=10))
    call(create_app(later).test_client(), rules, body)
    (passed,) = on_list(worklist)
    assert (passed.latest.anchor, passed.latest.as_of) == (None, planned + timedelta(days=1))


def test_the_day_of_a_hook_is_the_hospitals(services: Services, rules: Rules) -> None:
    """In the morning of the second of March in Guangzhou it is the first in UTC."""
    night = NOW.replace(hour=20)
    morning = replace(services, clock=lambda: DAY + timedelta(days=1), now=lambda: night)
    call(create_app(morning).test_client(), rules, "candidate")
    (entry,) = on_list(services.store.worklist)
    record = read_bundle(bundle("stale-bilirubin"))
    outcome = rules.judge(record, rules.library, as_of=DAY, trials=[NPC])  # of the day before, read later
    body = services.store.worklist.take(
        entry.person,
        Chart("sha256:other", b""),
        [_kept(outcome)],
        differs=differs,
        now=night + timedelta(hours=1),
    )
    assert body == {NPC: entry.id}
    assert on_list(services.store.worklist)[0].latest == entry.latest


def test_the_page_says_of_which_run_the_disease_was_not_found_until_it_is_seen(
    client: FlaskClient, services: Services, rules: Rules
) -> None:
    call(client, rules, "candidate")
    worklist = services.store.worklist
    (entry,) = on_list(worklist)
    missed = Missed(FHIR, "Patient/candidate", {NPC}, "sha256:run", DAY, NOW)
    told = "not found with this trial&#39;s disease in the run of 1 Mar 2026"
    for _twice in range(2):
        assert worklist.not_found(missed, now=NOW) == [NPC]
        page = client.get(f"/worklist/entries/{entry.id}").text
        assert page.count(told) == 2  # under what changed, and lately
        assert "I have seen this" in page
    (flagged,) = on_list(worklist)
    worklist.acknowledge(entry.id, flagged.version, screening=entry.latest.id, who="Li", now=NOW)
    page = client.get(f"/worklist/entries/{entry.id}").text
    assert (page.count(told), "I have seen this" in page) == (1, False)
    assert told in client.get(f"/worklist/entries/{entry.id}/history").text

"""The hook and the worklist: what is recorded and linked, what is silent; attested, judged again, opened, supposed."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError

from cds_service.bootstrap import Services, build, load_rules
from cds_service.cli.demo_ehr import prefetch_of
from cds_service.errors import EditedMeanwhileError, RequestError, UnavailableError
from cds_service.evaluation.attested import Attestation, digest_of
from cds_service.evaluation.outcome import PatientOutcome, Status, Verdict
from cds_service.gather.bundle import read_bundle
from cds_service.gather.json_text import read_json
from cds_service.screening.patient import Rules
from cds_service.screening.worklist import rejudge
from cds_service.screening.worklist.changes import differs
from cds_service.screening.worklist.intake import contradicts, screening_of, take_outcome
from cds_service.screening.worklist.opened import open_entry, suppose
from cds_service.settings import load_settings
from cds_service.store import Store, open_store
from cds_service.store.misses import Missed
from cds_service.store.worklist import Chart, Entry, EntryState, NewScreening, Person, Wanted
from cds_service.store.worklist_store import WorklistStore
from cds_service.web import create_app

NPC = "NCT07235319"
DAY = date(2026, 3, 1)
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
STORIES = Path(__file__).parents[2] / "fhir_examples" / "patients"
FHIR = "http://127.0.0.1:9/fhir"  # named, never asked: prefetch has all


@pytest.fixture(scope="module")
def rules() -> Rules:
    return load_rules()


@pytest.fixture
def services(rules: Rules) -> Iterator[Services]:
    found = build(load_settings(mode="open", store="sqlite://"), clock=lambda: DAY, now=lambda: NOW, rules=rules)
    yield found
    found.store.close()


@pytest.fixture
def client(services: Services) -> FlaskClient:
    return create_app(services).test_client()


@pytest.fixture
def worklist() -> Iterator[WorklistStore]:
    store = open_store("sqlite://")
    yield store.worklist
    store.close()


def bundle(story: str) -> dict[str, Any]:
    found: dict[str, Any] = read_json((STORIES / story / "bundle.json").read_bytes(), max_bytes=10**7, what="story")
    return found


def call(
    client: FlaskClient, rules: Rules, story: str | dict[str, Any], *, server: str = FHIR, hook: str = "patient-view"
) -> list[dict[str, Any]]:
    """Open a chart with prefetch; return the cards."""
    body = bundle(story) if isinstance(story, str) else story
    patient = next(e["resource"]["id"] for e in body["entry"] if e["resource"]["resourceType"] == "Patient")
    context: dict[str, Any] = {"userId": "Practitioner/abc", "patientId": patient}
    if hook == "order-sign":
        context["draftOrders"] = {"resourceType": "Bundle", "entry": [{"resource": _radiotherapy(patient)}]}
    request = {
        "hook": hook,
        "hookInstance": str(uuid4()),
        "context": context,
        "prefetch": json.loads(json.dumps(prefetch_of(body, rules.plan.templates), default=float)),
        **({"fhirServer": server} if server else {}),
    }
    answer = client.post(f"/cds-services/npc-trials-{hook}", json=request)
    assert answer.status_code == 200, answer.text
    cards: list[dict[str, Any]] = answer.get_json()["cards"]
    return cards


def _radiotherapy(patient: str) -> dict[str, Any]:
    return {
        "resourceType": "ServiceRequest",
        "id": "order1",
        "status": "draft",
        "intent": "order",
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "108290001"}], "text": "Radiotherapy"},
        "bodySite": [{"coding": [{"system": "http://snomed.info/sct", "code": "71836000"}], "text": "Nasopharynx"}],
        "subject": {"reference": f"Patient/{patient}"},
    }


def on_list(worklist: WorklistStore) -> list[Entry]:
    return list(worklist.entries(NPC, wanted=Wanted(size=100)).entries)


# The hook.


def test_an_opened_chart_is_recorded_once_and_its_card_links_to_the_page(
    client: FlaskClient, services: Services, rules: Rules
) -> None:
    (card,) = call(client, rules, "candidate")
    (entry,) = on_list(services.store.worklist)
    assert card["links"][0] == {
        "label": "Eligibility detail",
        "url": f"http://localhost/worklist/entries/{entry.id}",
        "type": "absolute",
    }
    assert [one["label"] for one in card["links"]][1:] == ["Registry record"]
    assert (entry.person.source, entry.person.reference, entry.state) == (FHIR, "Patient/candidate", EntryState.NEW)
    assert entry.person.names
    assert entry.latest.status == "candidate"
    (again,) = call(client, rules, "candidate")
    assert again["links"] == card["links"]
    assert on_list(services.store.worklist) == [entry]
    assert len(services.store.worklist.screenings(entry.id)) == 1


def test_the_same_id_at_another_server_is_another_person(client: FlaskClient, services: Services, rules: Rules) -> None:
    for server in (FHIR, "http://127.0.0.1:9/other", ""):
        call(client, rules, "candidate", server=server)
    entries = on_list(services.store.worklist)
    assert len({one.id for one in entries}) == len({one.patient for one in entries}) == 3


@pytest.mark.parametrize(("story", "status"), [("keratinizing", "excluded"), ("deceased", "excluded")])
def test_whoever_has_the_disease_is_recorded_though_no_card_is_shown(
    story: str, status: str, client: FlaskClient, services: Services, rules: Rules
) -> None:
    assert call(client, rules, story) == []
    assert [one.latest.status for one in on_list(services.store.worklist)] == [status]


def test_who_does_not_have_it_is_not_recorded(client: FlaskClient, services: Services, rules: Rules) -> None:
    assert call(client, rules, "healthy-person") == []
    assert services.store.worklist.trials() == []


def test_orders_are_judged_and_recorded_as_the_record_stands(
    client: FlaskClient, services: Services, rules: Rules
) -> None:
    cards = call(client, rules, "candidate", hook="order-sign")
    (entry,) = on_list(services.store.worklist)
    assert entry.latest.status == "candidate"
    assert [card["indicator"] for card in cards] == ["warning"]
    assert cards[0]["links"][0]["url"].endswith(entry.id)


@pytest.mark.parametrize("state", list(EntryState))
def test_enrolled_and_declined_are_silent_in_every_hook(
    state: EntryState, client: FlaskClient, services: Services, rules: Rules
) -> None:
    assert call(client, rules, "candidate")
    (entry,) = on_list(services.store.worklist)
    services.store.worklist.decide(entry.id, entry.version, state=state, criterion="", who="Li", now=NOW)
    silent = state in (EntryState.ENROLLED, EntryState.DECLINED)
    assert (call(client, rules, "candidate") == []) is silent
    assert (call(client, rules, "candidate", hook="order-sign") == []) is silent
    assert call(client, rules, "candidate", server="http://127.0.0.1:9/other")
    (after, _other) = sorted(on_list(services.store.worklist), key=lambda one: one.id != entry.id)
    assert after.state is state


def test_a_diagnosis_taken_back_is_news_of_who_is_on_the_list(
    client: FlaskClient, services: Services, rules: Rules
) -> None:
    call(client, rules, "candidate")
    (entry,) = on_list(services.store.worklist)
    services.store.worklist.decide(entry.id, entry.version, state=EntryState.CONTACTED, who="Li", now=NOW)
    body = bundle("candidate")
    for one in body["entry"]:
        if one["resource"]["resourceType"] == "Condition":
            one["resource"]["verificationStatus"]["coding"][0]["code"] = "refuted"
    assert call(client, rules, body) == []
    (after,) = on_list(services.store.worklist)
    assert (after.latest.status, after.changed, after.state) == ("not-now", True, EntryState.CONTACTED)


def test_what_could_not_be_read_is_no_news(client: FlaskClient, services: Services, rules: Rules) -> None:
    call(client, rules, "candidate")
    body = bundle("candidate")
    templates = {name: text for name, text in rules.plan.templates.items() if not text.startswith("Condition")}
    prefetch = json.loads(json.dumps(prefetch_of(body, templates), default=float))
    request = {
        "hook": "patient-view",
        "hookInstance": str(uuid4()),
        "context": {"userId": "Practitioner/abc", "patientId": "candidate"},
        "prefetch": prefetch,
        "fhirServer": FHIR,
    }
    answer = client.post("/cds-services/npc-trials-patient-view", json=request)
    assert "not checked" in answer.get_json()["cards"][0]["summary"]
    (entry,) = on_list(services.store.worklist)
    assert (entry.latest.status, len(services.store.worklist.screenings(entry.id))) == ("candidate", 1)


def _refuse(*_given: Any, **_more: Any) -> Any:
    raise UnavailableError("down")


def test_a_store_that_cannot_be_written_costs_the_link_and_nothing_else(
    client: FlaskClient, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    (before,) = call(client, rules, "candidate", server="")
    monkeypatch.setattr(WorklistStore, "take_all", _refuse)
    (card,) = call(client, rules, "candidate", server="")
    assert {**card, "uuid": "", "links": ""}.keys() == {**before, "uuid": "", "links": ""}.keys()
    assert (card["summary"], card["detail"]) == (before["summary"], before["detail"])
    assert [one["label"] for one in card["links"]] == ["Registry record"]


@pytest.mark.parametrize("down", ["states", "attestations", "anchors"])
def test_a_hook_that_could_not_read_the_worklist_writes_nothing_to_it(
    down: str, client: FlaskClient, services: Services, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    (before,) = call(client, rules, "candidate")
    worklist = services.store.worklist
    (entry,) = on_list(worklist)
    attested = rejudge.attest(worklist, rules, entry, entry.version, said(entry), now=NOW)
    enrolled = worklist.decide(entry.id, attested.version, state=EntryState.ENROLLED, who="Li", now=NOW)
    rows = worklist.audit(limit=100)
    monkeypatch.setattr(WorklistStore, down, _refuse)
    asked: list[str] = []
    for name in ("overrides", "remember"):
        monkeypatch.setattr(Store, name, lambda *_given, name=name, **_more: asked.append(name))
    (card,) = call(client, rules, "candidate")
    # It speaks as it would without a worklist; what failed once is not asked again.
    assert (card["summary"], card["detail"]) == (before["summary"], before["detail"])
    assert [one["label"] for one in card["links"]] == ["Registry record"]
    assert not {"uuid", "overrideReasons"} & set(card)
    assert asked == []
    monkeypatch.undo()
    assert on_list(worklist) == [enrolled]
    assert worklist.audit(limit=100) == rows


def test_a_hook_waits_a_second_for_another_writer_and_no_longer(rules: Rules, tmp_path: Path) -> None:
    settings = load_settings(mode="open", store=f"sqlite:///{tmp_path}/s.db")
    services = build(settings, clock=lambda: DAY, now=lambda: NOW, rules=rules)
    client = create_app(services).test_client()
    call(client, rules, "candidate")
    with closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = monotonic()
        (card,) = call(client, rules, "candidate")
        waited = monotonic() - began
    assert 0.9 < waited < 2.5
    assert not {"uuid", "overrideReasons"} & set(card)
    (again,) = call(client, rules, "candidate")
    assert "uuid" in again
    services.store.close()


def _born(story: str, day: str | None, gender: str | None = None) -> dict[str, Any]:
    body = bundle(story)
    patient = next(e["resource"] for e in body["entry"] if e["resource"]["resourceType"] == "Patient")
    patient.update({name: value for name, value in (("birthDate", day), ("gender", gender)) if value})
    return body


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
    (card,) = call(client, rules, _born("candidate", day, gender), server="")
    assert [one["label"] for one in card["links"]] == ["Registry record"]
    assert on_list(worklist) == [declined]
    told = [one.getMessage() for one in caplog.records if "two people" in one.getMessage()]
    assert len(told) == 1
    assert not any(word in told[0] for word in ("candidate", "1980"))
    # A server that is named may correct what it says of its own patient.
    call(client, rules, "candidate")
    call(client, rules, _born("candidate", day, gender))
    assert len(on_list(worklist)) == 2


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


def _timed_out(client: FlaskClient, rules: Rules, body: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Open a chart of which a type can not be read."""
    patient = next(e["resource"]["id"] for e in body["entry"] if e["resource"]["resourceType"] == "Patient")
    templates = {name: text for name, text in rules.plan.templates.items() if not text.startswith(f"{kind}?")}
    assert len(templates) < len(rules.plan.templates)
    request = {
        "hook": "patient-view",
        "hookInstance": str(uuid4()),
        "context": {"userId": "Practitioner/abc", "patientId": patient},
        "prefetch": json.loads(json.dumps(prefetch_of(body, templates), default=float)),
        "fhirServer": FHIR,
    }
    answer = client.post("/cds-services/npc-trials-patient-view", json=request)
    cards: list[dict[str, Any]] = answer.get_json()["cards"]
    return cards


@pytest.mark.parametrize("kind", ["Observation", "MedicationAdministration", "Procedure"])
def test_a_read_that_broke_off_is_kept_and_changes_nothing_on_the_list(
    kind: str, client: FlaskClient, services: Services, rules: Rules
) -> None:
    call(client, rules, "candidate")
    worklist = services.store.worklist
    (entry,) = on_list(worklist)
    _timed_out(client, rules, bundle("candidate"), kind)
    assert on_list(worklist) == [entry]
    assert len(worklist.screenings(entry.id)) == 2
    body = bundle("candidate")
    _hemoglobin(body)["valueQuantity"]["value"] = 60
    _timed_out(client, rules, body, "Procedure")
    (after,) = on_list(worklist)
    assert after.latest.status == "not-now"


def test_the_planned_first_dose_is_kept_until_it_has_passed(services: Services, rules: Rules) -> None:
    worklist, planned = services.store.worklist, DAY + timedelta(days=9)
    record = read_bundle(bundle("candidate"))
    outcome = rules.judge(record, rules.library, as_of=DAY, anchor=planned, trials=[NPC])
    take_outcome(worklist, record, outcome, source=FHIR, now=NOW - timedelta(hours=1), anchor=planned)
    (entry,) = on_list(worklist)
    body = bundle("candidate")
    _hemoglobin(body)["valueQuantity"]["value"] += 1
    call(create_app(services).test_client(), rules, body)
    (after,) = on_list(worklist)
    assert (after.latest.anchor, after.latest.as_of) == (planned, DAY)
    assert after.latest.id != entry.latest.id
    assert after.latest.status == entry.latest.status
    later = replace(services, clock=lambda: planned + timedelta(days=1), now=lambda: NOW + timedelta(days=10))
    call(create_app(later).test_client(), rules, body)
    (passed,) = on_list(worklist)
    assert (passed.latest.anchor, passed.latest.as_of) == (None, planned + timedelta(days=1))


def test_in_verified_mode_nothing_is_recorded_or_linked(
    client: FlaskClient, services: Services, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(services.settings), "mode", property(lambda _self: "verified"), raising=False)
    changed = replace(services, settings=services.settings.model_copy(update={"mode": "verified"}))
    monkeypatch.undo()
    (card,) = call(create_app(changed).test_client(), rules, "candidate")
    assert [one["label"] for one in card["links"]] == ["Registry record"]
    assert services.store.worklist.trials() == []


@pytest.mark.parametrize(
    ("host", "base", "link"),
    [
        ("127.0.0.1:8443", None, "http://127.0.0.1:8443/worklist/entries/"),
        ("[::1]:8000", None, "http://[::1]:8000/worklist/entries/"),
        ("localhost", "https://public.example/cds", "https://public.example/cds/worklist/entries/"),
    ],
)
def test_the_link_is_an_address_of_ours(
    host: str, base: str | None, link: str, services: Services, rules: Rules
) -> None:
    settings = services.settings.model_copy(update={"public_base_url": base})
    app = create_app(replace(services, settings=settings))
    body = bundle("candidate")
    request = {
        "hook": "patient-view",
        "hookInstance": str(uuid4()),
        "context": {"userId": "Practitioner/abc", "patientId": "candidate"},
        "prefetch": json.loads(json.dumps(prefetch_of(body, rules.plan.templates), default=float)),
    }
    answer = app.test_client().post(
        "/cds-services/npc-trials-patient-view", json=request, headers={"Host": host}, base_url="http://localhost"
    )
    (card,) = answer.get_json()["cards"]
    urls = [one["url"] for one in card["links"] if one["label"] == "Eligibility detail"]
    assert [url.rpartition("/")[0] + "/" for url in urls] == [link]


def test_the_link_speaks_the_cards_language(services: Services, rules: Rules) -> None:
    app = create_app(replace(services, settings=services.settings.model_copy(update={"language": "zh"})))
    (card,) = call(app.test_client(), rules, "candidate")
    assert card["links"][0]["label"] == "入选条件详情"


@pytest.mark.parametrize("profile", ["epic", "oracle", "sandbox"])
def test_every_product_gets_the_link(profile: str, services: Services, rules: Rules) -> None:
    app = create_app(replace(services, settings=services.settings.model_copy(update={"profile": profile})))
    (card,) = call(app.test_client(), rules, "candidate")
    assert card["links"][0]["label"] == "Eligibility detail"


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


# Attested, judged again.


@pytest.fixture
def taken(worklist: WorklistStore, rules: Rules) -> Callable[..., Entry]:
    def take(story: str = "candidate", day: date = DAY, body: dict[str, Any] | None = None) -> Entry:
        record = read_bundle(body or bundle(story))
        outcome = rules.judge(record, rules.library, as_of=day, trials=[NPC])
        ids = take_outcome(worklist, record, outcome, source="", now=NOW)
        found = worklist.entry(ids[NPC])
        assert found is not None
        return found

    return take


def said(entry: Entry, verdict: Verdict = Verdict.PASS, until: date = DAY + timedelta(days=9)) -> Attestation:
    name = entry.latest.result["to_confirm"][0]
    return Attestation(NPC, name, entry.latest.gate, verdict, "Dr Li", DAY, until)


def test_an_attestation_changes_the_status_and_withdrawn_it_is_as_before(
    worklist: WorklistStore, rules: Rules, taken: Callable[..., Entry]
) -> None:
    entry = taken()
    attestation = said(entry, Verdict.FAIL)
    after = rejudge.attest(worklist, rules, entry, entry.version, attestation, now=NOW)
    assert (after.latest.status, after.changed) == ("not-now", False)
    assert after.latest.attested == digest_of([attestation])
    assert after.latest.decided == entry.latest.decided + 1
    again = rejudge.withdraw(worklist, rules, after, after.version, attestation.criterion, who="Dr Li", now=NOW)
    assert (again.latest.id, again.latest.status, again.changed) == (entry.latest.id, "candidate", False)
    assert [one.what for one in worklist.history(entry.id)].count("attested") == 1


def test_what_is_attested_today_of_a_chart_of_last_week_counts(
    worklist: WorklistStore, rules: Rules, taken: Callable[..., Entry]
) -> None:
    entry = taken(day=DAY - timedelta(days=1))
    after = rejudge.attest(worklist, rules, entry, entry.version, said(entry, Verdict.FAIL), now=NOW)
    assert (after.latest.status, after.latest.as_of) == ("not-now", entry.latest.as_of)


def test_an_edit_in_between_keeps_nothing(worklist: WorklistStore, rules: Rules, taken: Callable[..., Entry]) -> None:
    entry = taken()
    worklist.assign(entry.id, entry.version, assignee="Chen", who="Chen", now=NOW)
    with pytest.raises(EditedMeanwhileError):
        rejudge.attest(worklist, rules, entry, entry.version, said(entry), now=NOW)
    assert worklist.attestations("", entry.person.reference, DAY) == {}


def test_newer_data_that_nobody_saw_stay_to_be_seen(
    worklist: WorklistStore, rules: Rules, taken: Callable[..., Entry]
) -> None:
    entry = taken()
    entry = worklist.assign(entry.id, entry.version, assignee="Chen", who="Chen", now=NOW)
    body = bundle("candidate")
    _hemoglobin(body)["valueQuantity"]["value"] += 1
    changed = taken(body=body)
    assert changed.changed
    after = rejudge.attest(worklist, rules, changed, changed.version, said(changed), now=NOW)
    assert after.changed
    assert {one.criterion for one in open_entry(worklist, rules, after).changes} == {
        "hemoglobin",
        changed.latest.result["to_confirm"][0],
    }


@pytest.mark.parametrize("what", ["attest", "withdraw"])
def test_where_the_screening_cannot_be_kept_nothing_is(
    what: str, worklist: WorklistStore, rules: Rules, taken: Callable[..., Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = taken()
    attestation = said(entry, Verdict.FAIL)
    if what == "withdraw":
        entry = rejudge.attest(worklist, rules, entry, entry.version, attestation, now=NOW)
    before = (worklist.history(entry.id), worklist.attestations("", entry.person.reference, DAY), worklist.audit())

    def full(*_args: Any, **_named: Any) -> Any:
        raise OperationalError("INSERT INTO screenings", {}, Exception("disk full"))

    monkeypatch.setattr("cds_service.store.screenings._let_stand", full)
    edits: dict[str, Callable[[], Entry]] = {
        "attest": lambda: rejudge.attest(worklist, rules, entry, entry.version, attestation, now=NOW),
        "withdraw": lambda: rejudge.withdraw(
            worklist, rules, entry, entry.version, attestation.criterion, who="Dr Li", now=NOW
        ),
    }
    with pytest.raises(UnavailableError):
        edits[what]()
    assert worklist.entry(entry.id) == entry
    after = (worklist.history(entry.id), worklist.attestations("", entry.person.reference, DAY), worklist.audit())
    assert after == before


def test_a_rule_that_fails_attests_nothing(worklist: WorklistStore, rules: Rules, taken: Callable[..., Entry]) -> None:
    entry = taken()

    def broken(*_args: Any, **_named: Any) -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        rejudge.attest(worklist, replace(rules, judge=broken), entry, entry.version, said(entry), now=NOW)
    assert worklist.entry(entry.id) == entry
    assert worklist.attestations("", entry.person.reference, DAY) == {}


def test_one_edit_is_one_version_and_what_it_does_is_seen(
    worklist: WorklistStore, rules: Rules, taken: Callable[..., Entry]
) -> None:
    entry = taken()
    after = rejudge.attest(worklist, rules, entry, entry.version, said(entry, Verdict.FAIL), now=NOW, shown=entry.seen)
    assert (after.version, after.changed, after.seen) == (entry.version + 1, False, after.latest.id)
    assert [one.what for one in worklist.history(entry.id)] == ["screened", "attested", "screened"]


def test_a_chart_that_comes_while_another_is_judged_again_is_what_is_judged(
    worklist: WorklistStore, rules: Rules, taken: Callable[..., Entry]
) -> None:
    entry = taken()
    body = bundle("candidate")
    _hemoglobin(body)["valueQuantity"]["value"] += 1
    came: list[Entry] = []

    def judge(*args: Any, **named: Any) -> Any:
        if not came:
            came.append(entry)  # the take below does not come here: it has the rules as they are
            came.append(taken(body=body))
        return rules.judge(*args, **named)

    after = rejudge.attest(
        worklist,
        replace(rules, judge=judge),
        entry,
        entry.version,
        said(entry, Verdict.FAIL),
        now=NOW + timedelta(minutes=1),
        shown=entry.latest.id,
    )
    assert after.latest.fingerprint == came[1].latest.fingerprint != entry.latest.fingerprint
    assert (after.latest.status, after.latest.attested) == ("not-now", digest_of([said(entry, Verdict.FAIL)]))
    assert (after.changed, after.seen) == (True, entry.latest.id)  # the new haemoglobin is nobody's yet
    assert "hemoglobin" in {one.criterion for one in open_entry(worklist, rules, after).changes}


def test_what_is_judged_again_is_no_newer_than_its_chart(
    worklist: WorklistStore, rules: Rules, taken: Callable[..., Entry]
) -> None:
    entry = taken()
    later = NOW + timedelta(hours=1)
    after = rejudge.attest(worklist, rules, entry, entry.version, said(entry, Verdict.FAIL), now=later)
    assert (after.latest.at, after.latest.taken) == (NOW, later)
    # A call that had read its chart before the attesting, and was slow to keep it.
    body = bundle("candidate")
    _hemoglobin(body)["valueQuantity"]["value"] += 1
    slow = taken(body=body)
    assert slow.latest.fingerprint != after.latest.fingerprint
    assert slow.changed


def _hemoglobin(body: dict[str, Any]) -> dict[str, Any]:
    return next(
        one["resource"]
        for one in body["entry"]
        if any(c["code"] in ("718-7", "20509-6", "30350-3") for c in one["resource"].get("code", {}).get("coding", ()))
    )


def test_the_hook_judges_with_what_is_attested_until_its_last_day(
    services: Services, client: FlaskClient, rules: Rules
) -> None:
    call(client, rules, "candidate")
    worklist = services.store.worklist
    (entry,) = on_list(worklist)
    rejudge.attest(worklist, rules, entry, entry.version, said(entry, Verdict.FAIL, until=DAY), now=NOW)
    assert call(client, rules, "candidate") == []
    assert call(client, rules, "candidate", hook="order-sign") == []
    assert on_list(worklist)[0].latest.status == "not-now"
    later = create_app(replace(services, clock=lambda: DAY + timedelta(days=1))).test_client()
    assert call(later, rules, "candidate")
    (after,) = on_list(worklist)
    # A status that goes back by time alone is a change that somebody should see.
    assert (after.latest.status, after.changed) == ("candidate", True)


# Opened.


@pytest.mark.parametrize("story", sorted(one.name for one in STORIES.iterdir() if (one / "bundle.json").exists()))
def test_an_opened_entry_is_what_was_judged(story: str, worklist: WorklistStore, rules: Rules) -> None:
    record = read_bundle(bundle(story))
    outcome = rules.judge(record, rules.library, as_of=DAY, trials=[NPC])
    for entry_id in take_outcome(worklist, record, outcome, source="", now=NOW).values():
        entry = worklist.entry(entry_id)
        assert entry is not None
        opened = open_entry(worklist, rules, entry)
        assert (opened.outcome, opened.same_rules, opened.changes) == (outcome.trials[0], True, ())
        assert opened.patient.unread == outcome.unread
        assert repr(opened).count("Patient") == 0
        assert bool(opened.supposable) or opened.outcome.status in (Status.EXCLUDED, Status.NOT_NOW)


def test_supposing_is_never_stored(worklist: WorklistStore, rules: Rules, taken: Callable[..., Entry]) -> None:
    entry = taken("stale-bilirubin")
    opened = open_entry(worklist, rules, entry)
    (bilirubin,) = (one for one in opened.supposable if one.name == "bilirubin_total")
    assert bilirubin.kind == "number"
    rows = worklist.audit(limit=100)
    assert suppose(opened, rules, {bilirubin.name: "10"}).status is Status.CANDIDATE
    with pytest.raises(RequestError) as told:
        suppose(opened, rules, {bilirubin.name: "ten"})
    assert "ten" not in str(told.value)
    assert worklist.entry(entry.id) == entry
    assert worklist.audit(limit=100) == rows


def test_where_the_rules_have_changed_the_stored_result_stands(
    worklist: WorklistStore, rules: Rules, taken: Callable[..., Entry]
) -> None:
    entry = taken()
    trial = replace(rules.library.trials[NPC], digest="sha256:other")
    others = replace(rules, library=replace(rules.library, trials={**rules.library.trials, NPC: trial}))
    opened = open_entry(worklist, others, entry)
    assert (opened.same_rules, opened.supposable) == (False, ())
    assert (opened.outcome.status.value, opened.outcome.decided) == (entry.latest.status, entry.latest.decided)
    # A criterion that the rules no longer have: judged anew, and still told to be of other rules.
    fewer = replace(trial, criteria=tuple(one for one in trial.criteria if one.id != "hemoglobin"))
    gone = replace(rules, library=replace(rules.library, trials={**rules.library.trials, NPC: fewer}))
    opened = open_entry(worklist, gone, entry)
    assert not opened.same_rules
    assert "hemoglobin" not in {one.criterion.id for one in opened.outcome.criteria}


def test_an_entry_of_a_trial_that_is_gone_is_not_there(
    worklist: WorklistStore, rules: Rules, taken: Callable[..., Entry]
) -> None:
    entry = taken()
    none = replace(rules, library=replace(rules.library, trials={}))
    with pytest.raises(RequestError) as told:
        open_entry(worklist, none, entry)
    assert told.value.status == 404

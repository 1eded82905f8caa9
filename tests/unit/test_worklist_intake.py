"""The hook and the worklist: what is recorded and linked, what is silent; attested, judged again, opened, supposed."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from cds_service.bootstrap import Services, build, load_rules
from cds_service.cli.demo_ehr import prefetch_of
from cds_service.errors import EditedMeanwhileError, RequestError, UnavailableError
from cds_service.evaluation.attested import Attestation, digest_of
from cds_service.evaluation.outcome import Status, Verdict
from cds_service.gather.bundle import read_bundle
from cds_service.gather.json_text import read_json
from cds_service.screening.patient import Rules
from cds_service.screening.worklist import rejudge
from cds_service.screening.worklist.intake import take_outcome
from cds_service.screening.worklist.opened import open_entry, suppose
from cds_service.settings import load_settings
from cds_service.store import open_store
from cds_service.store.worklist import Entry, EntryState, Wanted
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


@pytest.mark.parametrize("down", ["states", "take_all", "both"])
def test_a_store_that_is_down_costs_the_link_and_nothing_else(
    down: str, client: FlaskClient, services: Services, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    (before,) = call(client, rules, "candidate", server="")

    def refuse(*_given: Any, **_more: Any) -> Any:
        raise UnavailableError("down")

    for name in ("states", "take_all") if down == "both" else (down,):
        monkeypatch.setattr(WorklistStore, name, refuse)
    (card,) = call(client, rules, "candidate", server="")
    assert {**card, "uuid": "", "links": ""}.keys() == {**before, "uuid": "", "links": ""}.keys()
    assert (card["summary"], card["detail"]) == (before["summary"], before["detail"])
    labels = [one["label"] for one in card["links"]]
    assert labels == (["Eligibility detail"] if down == "states" else []) + ["Registry record"]


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

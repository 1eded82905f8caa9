"""The hook and the worklist: what is recorded and linked, and what is silent."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from cds_service.bootstrap import Services, build
from cds_service.cli.demo_ehr import prefetch_of
from cds_service.errors import UnavailableError
from cds_service.screening.patient import Rules
from cds_service.screening.worklist import rejudge
from cds_service.settings import load_settings
from cds_service.store import Store
from cds_service.store.worklist import EntryState
from cds_service.store.worklist_store import WorklistStore
from cds_service.web import create_app
from tests.intake.opened_charts import (
    DAY,
    FHIR,
    NOW,
    bundle,
    call,
    on_list,
    said,
)


def refuse(*_given: Any, **_more: Any) -> Any:
    raise UnavailableError("down")


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


def test_a_store_that_cannot_be_written_costs_the_link_and_nothing_else(
    client: FlaskClient, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    (before,) = call(client, rules, "candidate", server="")
    monkeypatch.setattr(WorklistStore, "take_all", refuse)
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
    monkeypatch.setattr(WorklistStore, down, refuse)
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

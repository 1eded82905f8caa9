"""The five hooks: what each asks of its context, what discovery says of it, and the same core behind all."""

import json
import re

import pytest
import responses
from door_fakes import (
    FAILED,
    KEYS,
    PATIENT,
    condition,
    full_prefetch,
    needs_data,
    npc,
    outcome,
    searchset,
    services,
    trial_outcome,
)
from fhir.resources.R4B.operationoutcome import OperationOutcome

from cds_service.errors import ConfigError
from cds_service.evaluation.outcome import Status
from cds_service.facts.fact import Reason
from cds_service.logic.truth import State
from cds_service.settings import load_settings
from cds_service.web import create_app

INSTANCE = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"
BASE = "http://127.0.0.1:9999/fhir"
DRAFT = {
    "resourceType": "MedicationRequest",
    "id": "m1",
    "status": "draft",
    "intent": "order",
    "subject": {"reference": "Patient/p1"},
    "medicationCodeableConcept": {"coding": [{"system": "http://www.whocc.no/atc", "code": "C10AA05"}]},
}
DRAFTS = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": DRAFT}]}
APPOINTMENTS = {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Appointment"}}]}
ASKED = {
    "patient-view": {},
    "encounter-start": {"encounterId": "e1"},
    "appointment-book": {"appointments": APPOINTMENTS},
    "order-select": {"selections": ["MedicationRequest/m1"], "draftOrders": DRAFTS},
    "order-sign": {"draftOrders": DRAFTS},
}
ORDERS = ("order-select", "order-sign")
CHARTS = [hook for hook in ASKED if hook not in ORDERS]


def make(judge=None, **settings):
    return create_app(services(judge, **settings)[0]).test_client()


@pytest.fixture(scope="module")
def client():
    return make()


def body(service, context=None, **changes):
    whole = {
        "hook": service,
        "hookInstance": INSTANCE,
        "context": {"userId": "Practitioner/example", "patientId": "p1", **ASKED[service], **(context or {})},
        "prefetch": full_prefetch(),
        **changes,
    }
    whole["context"] = {name: value for name, value in whole["context"].items() if value is not ...}
    return {name: value for name, value in whole.items() if value is not ...}


def call(client, service, context=None, **changes):
    return client.post(f"/cds-services/npc-trials-{service}", json=body(service, context, **changes))


def refused(response, status, field=None):
    assert response.status_code == status, response.get_json()
    issue = OperationOutcome.model_validate(response.get_json()).issue[0]
    if field is not None:
        assert issue.expression == [field]
    return issue


# --- discovery ------------------------------------------------------------------------------------------------


def test_discovery_lists_a_service_for_each_hook(client):
    listed = client.get("/cds-services").get_json()["services"]
    assert [(one["id"], one["hook"]) for one in listed] == [(f"npc-trials-{hook}", hook) for hook in ASKED]
    assert len({one["description"] for one in listed}) == len(ASKED)
    for one in listed:
        assert set(one) == {"id", "hook", "title", "description", "usageRequirements", "version", "prefetch"}
        assert all(one[name] for name in one)
        assert ("nothing is blocked" in one["description"]) is (one["hook"] in ORDERS)
        assert "NCT00000001" in one["description"]
        assert one["prefetch"] == listed[0]["prefetch"]


def test_templates_keep_to_the_restricted_queries(client):
    """Row 21: instance read, type search, references, token equality; rows 17 and 18: one context token."""
    templates = client.get("/cds-services").get_json()["services"][0]["prefetch"]
    assert list(templates) == ["patient", *KEYS]
    assert templates.pop("patient") == "Patient/{{context.patientId}}"
    for template in templates.values():
        kind, _, query = template.partition("?")
        assert re.fullmatch("[A-Z][A-Za-z]+", kind)
        parameters = [part.split("=", 1) for part in query.split("&")]
        assert parameters[0] == ["patient", "{{context.patientId}}"]
        assert [name for name, _ in parameters[1:]] in ([], ["code"])
        assert template.count("{{") == 1


def test_a_site_names_its_services():
    chosen = [{"id": "our-trials", "hook": "order-sign", "title": "Ours"}]
    client = make(services=chosen)
    (only,) = client.get("/cds-services").get_json()["services"]
    assert (only["id"], only["hook"], only["title"]) == ("our-trials", "order-sign", "Ours")
    assert client.post("/cds-services/our-trials", json=body("order-sign")).status_code == 200
    refused(client.post("/cds-services/npc-trials-order-sign", json=body("order-sign")), 404, "id")


def test_an_id_twice_stops_the_start():
    twice = [{"id": "a", "hook": "order-sign", "title": "A"}, {"id": "a", "hook": "order-select", "title": "B"}]
    with pytest.raises(ConfigError, match=r"services.*every id once"):
        load_settings(mode="open", services=twice)


def test_the_index_page_lists_every_service(client):
    page = client.get("/").text
    assert all(f"/cds-services/npc-trials-{hook}" in page for hook in ASKED)


def test_cards_are_those_the_client_takes():
    (generic,) = call(make(outcome(needs_data())), "patient-view").get_json()["cards"]
    (oracle,) = call(make(outcome(needs_data()), profile="oracle"), "patient-view").get_json()["cards"]
    assert {"suggestions", "selectionBehavior", "overrideReasons"} <= set(generic)
    assert set(oracle) == {"uuid", "summary", "detail", "indicator", "source", "links"}
    assert oracle["detail"] == generic["detail"]


# --- context --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", ASKED)
def test_a_right_call(client, hook):
    response = call(client, hook)
    assert response.status_code == 200
    assert len(response.get_json()["cards"]) == (0 if hook in ORDERS else 1)


@pytest.mark.parametrize("hook", ASKED)
@pytest.mark.parametrize("other", ASKED)
def test_a_service_answers_its_own_hook_only(client, hook, other):
    response = call(client, hook, hook=other)
    assert response.status_code == 200 if hook == other else refused(response, 400, "hook")


@pytest.mark.parametrize("hook", ASKED)
@pytest.mark.parametrize("kind", ["Practitioner", "PractitionerRole", "Patient", "RelatedPerson", "Device"])
def test_who_may_be_the_user(client, hook, kind):
    response = call(client, hook, {"userId": f"{kind}/a.b-1"})
    known = kind.startswith("Practitioner") or (kind != "Device" and hook in ("patient-view", "appointment-book"))
    assert response.status_code == 200 if known else refused(response, 400, "context.userId")


NO_BUNDLE = [..., None, [], "x", {}, {"resourceType": "List"}]
NO_ENTRIES = [
    {"entry": {}},
    {"entry": None},
    {"entry": [None]},
    {"entry": [{}]},
    {"entry": [{"resource": None}]},
    {"entry": [{"resource": {"id": "Zhang"}}]},
]
WRONG = [
    *((hook, {"userId": bad}, "context.userId") for hook in ASKED for bad in (..., None, "", 5, "Practitioner/")),
    *((hook, {"patientId": bad}, "context.patientId") for hook in ASKED for bad in (..., None, "", 5, "Patient/p1")),
    *((hook, {"encounterId": 5}, "context.encounterId") for hook in ASKED),
    *(("encounter-start", {"encounterId": bad}, "context.encounterId") for bad in (..., None, "")),
    *(("appointment-book", {"appointments": bad}, "context.appointments") for bad in NO_BUNDLE),
    *((hook, {"draftOrders": bad}, "context.draftOrders") for hook in ORDERS for bad in NO_BUNDLE),
    *(
        (hook, {"draftOrders": {"resourceType": "Bundle", **bad}}, "context.draftOrders.entry")
        for hook in ORDERS
        for bad in NO_ENTRIES
    ),
    *(("order-select", {"selections": bad}, "context.selections") for bad in (..., None, "m1", {}, [5], [None])),
]


@pytest.mark.parametrize(("hook", "context", "field"), WRONG)
def test_a_wrong_context_names_its_field(client, hook, context, field):
    response = call(client, hook, context)
    refused(response, 400, field)
    assert b"Zhang" not in response.data


@pytest.mark.parametrize("hook", ORDERS)
def test_an_order_hook_without_orders_is_refused(client, hook):
    """HealthChain's client drops them on the way. To answer "no conflict" about orders nobody saw would be wrong."""
    issue = refused(call(client, hook, {"draftOrders": ..., "selections": ...}), 400)
    assert issue.expression == ["context.draftOrders"]
    assert "required" in issue.diagnostics


@pytest.mark.parametrize("hook", ASKED)
def test_takes_what_real_clients_send(client, hook):
    scopes = ("patient/Observation.rs user/Patient.r", "patient/*.read launch", "", None, 5, ["x"])
    for scope in scopes:
        access = {"access_token": "abc", "token_type": "Bearer", "expires_in": 300, "scope": scope, "subject": "c"}
        answered = call(client, hook, fhirServer=BASE, fhirAuthorization={**access, "patient": "p1"})
        assert answered.status_code == 200
    epic = {"com.epic.cdshooks.request.bpa-trigger-action": "23"}
    assert call(client, hook, {"more": {"a": [1]}}, extension=epic, unknown=[1]).status_code == 200


@pytest.mark.parametrize(
    "context",
    [
        {"draftOrders": {"resourceType": "Bundle", "entry": [{"resource": DRAFT}]}},
        {"draftOrders": {"resourceType": "Bundle"}},
        {"draftOrders": {"resourceType": "Bundle", "type": "collection", "entry": []}},
        {"selections": []},
        {"selections": ["MedicationRequest/not-there"]},
        {"selections": ["NutritionOrder/pureed", "MedicationRequest/m1"]},
    ],
)
def test_orders_as_clients_write_them(client, context):
    assert call(client, "order-select", context).get_json() == {"cards": []}


# --- what could be read, by the contract's table --------------------------------------------------------------


@pytest.mark.parametrize("hook", ASKED)
@pytest.mark.parametrize(
    "prefetch",
    [
        ...,
        {},
        {"patient": PATIENT},
        {"patient": None, "conditions": searchset(condition())},
        {"patient": FAILED, "conditions": searchset(condition())},
        {"patient": {**PATIENT, "id": "p2"}, "conditions": searchset(condition())},
        {"patient": PATIENT, **dict.fromkeys(KEYS, FAILED)},
    ],
)
def test_412(client, hook, prefetch):
    refused(call(client, hook, prefetch=prefetch), 412)


@pytest.mark.parametrize("hook", ASKED)
@pytest.mark.parametrize("value", ["text", 5, [], {"entry": []}, True])
def test_a_prefetch_value_that_is_nothing(client, hook, value):
    refused(call(client, hook, prefetch=full_prefetch(conditions=value)), 400, "prefetch.conditions")


@pytest.mark.parametrize("hook", CHARTS)
def test_not_checked(hook):
    unread = outcome(
        trial_outcome(Status.NEEDS_DATA, [npc(State.UNKNOWN, Reason.NOT_FETCHED)]), unread={"Condition": "x"}
    )
    (card,) = call(make(unread), hook).get_json()["cards"]
    assert card["summary"].startswith("NCT00000001 was not checked: the problem list could not be read")
    assert card["indicator"] == "info"
    assert "suggestions" not in card


@pytest.mark.parametrize("hook", CHARTS)
def test_nothing_to_say(hook):
    for status in (Status.NOT_NOW, Status.EXCLUDED):
        assert call(make(outcome(trial_outcome(status))), hook).get_json() == {"cards": []}


@pytest.mark.parametrize("hook", ASKED)
def test_only_missing_keys_are_fetched(hook):
    built, seen = services()
    prefetch = {key: value for key, value in full_prefetch().items() if key != "procedures"}
    with responses.RequestsMock() as web:
        web.get(f"{BASE}/Procedure", json=searchset())
        answered = (
            create_app(built)
            .test_client()
            .post(f"/cds-services/npc-trials-{hook}", json=body(hook, prefetch=prefetch, fhirServer=BASE))
        )
        assert [one.request.url.split("?")[0] for one in web.calls] == [f"{BASE}/Procedure"]
    assert answered.status_code == 200
    assert all(read.complete for read in seen[0].reads.values())


def test_a_drug_that_an_order_points_to_is_fetched():
    built, seen = services()
    pointing = {**DRAFT, "medicationCodeableConcept": None, "medicationReference": {"reference": "Medication/d1"}}
    drafts = {"resourceType": "Bundle", "entry": [{"resource": pointing}]}
    drug = {"resourceType": "Medication", "id": "d1", "code": {"coding": [{"system": "http://x", "code": "1"}]}}
    with responses.RequestsMock() as web:
        web.get(f"{BASE}/Medication/d1", json=drug)
        sent = json.loads(json.dumps(body("order-sign", {"draftOrders": drafts}, fhirServer=BASE)))
        answered = create_app(built).test_client().post("/cds-services/npc-trials-order-sign", json=sent)
        assert len(web.calls) == 1
    assert answered.status_code == 200
    given = [one for record in seen for one in record.resources.get("MedicationAdministration", ())]
    assert given
    assert given[0].body["medicationCodeableConcept"]["coding"][0]["code"] == "1"

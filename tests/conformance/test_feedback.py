"""Feedback as a client sends it: what is taken, what is refused, what is kept, and that it silences the trial."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner
from door_fakes import AS_OF, PATIENT, full_prefetch, hook, needs_data, outcome, services
from fhir.resources.R4B.operationoutcome import OperationOutcome
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from cds_service.bootstrap import Services, build
from cds_service.cli import main
from cds_service.errors import AuthError, RequestError, UnavailableError
from cds_service.present.overrides import HL7, OWN
from cds_service.settings import load_settings
from cds_service.store import open_store
from cds_service.trust.caller import Caller
from cds_service.web import create_app
from cds_service.web.feedback import MAX_BYTES, MAX_COMMENT, read_feedback

HOOK_URL = "/cds-services/npc-trials-patient-view"
URL = f"{HOOK_URL}/feedback"
AT = "2026-03-01T09:30:00.123Z"
DECLINED = {"reason": {"code": "declined", "system": OWN}}


@pytest.fixture
def built() -> Services:
    made, _seen = services(outcome(needs_data()))
    return made


@pytest.fixture
def client(built: Services) -> FlaskClient:
    return create_app(built).test_client()


def card_of(client: FlaskClient, **changes: Any) -> dict[str, Any]:
    response = client.post(HOOK_URL, json=hook(hookInstance=str(uuid4()), **changes))
    assert response.status_code == 200
    (card,) = response.get_json()["cards"]
    assert isinstance(card, dict)
    return card


def item(card: dict[str, Any] | str, outcome: str = "overridden", **changes: Any) -> dict[str, Any]:
    uuid = card if isinstance(card, str) else card["uuid"]
    told = {"card": uuid, "outcome": outcome, "outcomeTimestamp": AT}
    if outcome == "accepted" and not isinstance(card, str):
        told["acceptedSuggestions"] = [{"id": card["suggestions"][0]["uuid"]}]
    return {key: value for key, value in {**told, **changes}.items() if value is not ...}


def tell(client: FlaskClient, *items: Any, url: str = URL) -> TestResponse:
    return client.post(url, json={"feedback": list(items)})


def refused(response: TestResponse, status: int, field: str | None = None) -> None:
    assert response.status_code == status
    problem = OperationOutcome.model_validate(response.get_json()).issue[0]
    if field is not None:
        assert problem.expression == [field]


# --- what is taken --------------------------------------------------------------------------------------------


def test_an_accepted_suggestion(client: FlaskClient, built: Services) -> None:
    response = tell(client, item(card_of(client), "accepted"))
    assert (response.status_code, response.get_json()) == (200, {})
    (count,) = built.store.counts()
    assert (count.sent, count.accepted, count.taken, count.without_feedback) == (1, 1, 1, 0)
    assert client.post(HOOK_URL, json=hook()).get_json()["cards"]


def test_the_log_counts_items_in_english(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    told = item(card_of(client), "accepted")
    with caplog.at_level(logging.INFO, "cds_service"):
        tell(client, told)
        tell(client, told, told)
    assert "feedback: 1 item, 1 new, 0 on cards" in caplog.text
    assert "feedback: 2 items, 0 new, 0 on cards" in caplog.text


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        (..., ""),
        (None, ""),
        ({}, ""),
        ({"userComment": "knows best"}, ""),
        ({"reason": None, "userComment": None}, ""),
        (DECLINED, "declined"),
        ({"reason": {"code": "declined", "system": OWN, "display": "whatever"}}, "declined"),
        ({**DECLINED, "userComment": "said so"}, "declined"),
        ({"reason": {"code": "patient-refuses", "system": HL7}}, "patient-refuses"),
        ({"reason": {"code": "not-fit.bilirubin", "system": OWN}}, "not-fit.bilirubin"),
        ({"reason": {"code": "not-fit.height", "system": OWN}}, "other"),
        ({"reason": {"code": "17", "system": "urn:oid:1.2.840.114350"}}, "other"),
        ({"reason": {"code": "declined", "system": HL7}}, "other"),
    ],
)
def test_an_override_as_clients_send_it(client: FlaskClient, built: Services, reason: Any, kept: str) -> None:
    assert tell(client, item(card_of(client), overrideReason=reason)).status_code == 200
    (override,) = built.store.overrides()
    assert override.reason == kept


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-01T09:30:00Z", "2026-03-01T09:30:00+00:00"),
        ("2026-03-01T09:30:00.123Z", "2026-03-01T09:30:00.123000+00:00"),
        ("2026-03-01t09:30:00z", "2026-03-01T09:30:00+00:00"),
        ("2026-03-01T17:30:00+08:00", "2026-03-01T09:30:00+00:00"),
        ("2026-03-01T09:30:00.123456789Z", "2026-03-01T09:30:00.123456+00:00"),
    ],
)
def test_instants(text: str, instant: str) -> None:
    (told,) = read_feedback({"feedback": [item(str(uuid4()), outcomeTimestamp=text)]}, datetime.now(UTC))
    assert told.feedback.at.isoformat() == instant


def test_several_items_in_one_call_and_several_calls_for_one_card(client: FlaskClient, built: Services) -> None:
    first, second = card_of(client), card_of(client)
    assert tell(client, item(first, "accepted"), item(second)).status_code == 200
    later = "2026-03-01T09:31:00Z"
    assert tell(client, item(first, outcomeTimestamp=later, overrideReason=DECLINED)).status_code == 200
    (count,) = built.store.counts()
    assert (count.sent, count.accepted, count.overridden) == (2, 0, {"": 1, "declined": 1})


def test_telling_again_changes_nothing(client: FlaskClient, built: Services) -> None:
    card = card_of(client)
    for _ in range(3):
        assert tell(client, item(card, overrideReason=DECLINED)).status_code == 200
    assert tell(client, item(card), item(card)).status_code == 200
    (count,) = built.store.counts()
    assert count.overridden == {"declined": 1}


def test_a_uuid_in_capitals_is_the_same(client: FlaskClient, built: Services) -> None:
    card = card_of(client)
    taken = [{"id": card["suggestions"][0]["uuid"].upper()}, {"id": str(uuid4())}]
    told = item(card, "accepted", acceptedSuggestions=taken)
    assert tell(client, {**told, "card": card["uuid"].upper()}).status_code == 200
    (count,) = built.store.counts()
    assert (count.accepted, count.taken) == (1, 1)  # a suggestion that was not ours is not kept


def test_a_card_that_is_not_known_fails_nobody_and_fills_nothing(client: FlaskClient, built: Services) -> None:
    card = card_of(client)
    response = tell(client, *(item(str(uuid4())) for _ in range(100)), item(card))
    assert response.status_code == 200
    (count,) = built.store.counts()
    assert count.overridden == {"": 1}
    assert len(built.store.overrides()) == 1


def test_a_long_comment_is_cut_and_kept_from_every_report(client: FlaskClient, built: Services) -> None:
    card = card_of(client)
    comment = "Zhang\0Wei " + "x" * 3000
    assert tell(client, item(card, overrideReason={"userComment": comment})).status_code == 200
    with built.store._engine.connect() as connection:
        (kept,) = connection.exec_driver_sql("SELECT comment FROM feedback").scalars()
    assert kept.startswith("ZhangWei xxx")
    assert len(kept) == MAX_COMMENT
    assert "Zhang" not in repr(built.store.counts()) + repr(built.store.overrides())


# --- what is refused ------------------------------------------------------------------------------------------

ANY = "3f0c2f2e-5a0e-4a6e-9a53-0c3f3b2f9d11"
WRONG = [
    ([], "body"),
    ("text", "body"),
    ({}, "feedback"),
    ({"feedback": {}}, "feedback"),
    ({"feedback": []}, "feedback"),
    ({"feedback": [1]}, "feedback[0]"),
    ({"feedback": [item(ANY), {"outcome": "overridden", "outcomeTimestamp": AT}]}, "feedback[1].card"),
    ({"feedback": [{**item(ANY), "card": 1}]}, "feedback[0].card"),
    ({"feedback": [item("card-1")]}, "feedback[0].card"),
    ({"feedback": [item(ANY, "ignored")]}, "feedback[0].outcome"),
    ({"feedback": [item(ANY, "Accepted")]}, "feedback[0].outcome"),
    ({"feedback": [{"card": ANY, "outcomeTimestamp": AT}]}, "feedback[0].outcome"),
    ({"feedback": [{**item(ANY), "outcome": ["accepted"]}]}, "feedback[0].outcome"),
    ({"feedback": [{**item(ANY), "outcome": {"a": 1}}]}, "feedback[0].outcome"),
    *(
        ({"feedback": [item(ANY, outcomeTimestamp=value)]}, "feedback[0].outcomeTimestamp")
        for value in (
            ...,
            None,
            0,
            "",
            "yesterday",
            "2026-03-01",
            "2026-03-01T09:30:00",
            "2026-03-01 09:30:00Z",
            "2026-02-30T09:30:00Z",
            "2026-03-01T24:30:00Z",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-14:00",
            "٢٠٢٦-03-01T09:30:00Z",
        )
    ),
    *(
        ({"feedback": [item(ANY, "accepted", acceptedSuggestions=value)]}, "feedback[0].acceptedSuggestions")
        for value in (..., None, [], {}, [{"id": "a"}] * 101)
    ),
    *(
        ({"feedback": [item(ANY, "accepted", acceptedSuggestions=[value])]}, "feedback[0].acceptedSuggestions[0].id")
        for value in ("a", {}, {"id": ""}, {"id": 1})
    ),
    ({"feedback": [item(ANY, overrideReason=[])]}, "feedback[0].overrideReason"),
    ({"feedback": [item(ANY, overrideReason={"reason": "declined"})]}, "feedback[0].overrideReason.reason"),
    ({"feedback": [item(ANY, overrideReason={"reason": {}})]}, "feedback[0].overrideReason.reason.code"),
    (
        {"feedback": [item(ANY, overrideReason={"reason": {"code": "x" * 201, "system": OWN}})]},
        "feedback[0].overrideReason.reason.code",
    ),
    (
        {"feedback": [item(ANY, overrideReason={"reason": {"code": "declined"}})]},
        "feedback[0].overrideReason.reason.system",
    ),
    ({"feedback": [item(ANY, overrideReason={"userComment": 1})]}, "feedback[0].overrideReason.userComment"),
]


@pytest.mark.parametrize(("body", "field"), WRONG)
def test_what_is_wrong_is_named(client: FlaskClient, built: Services, body: Any, field: str) -> None:
    refused(client.post(URL, json=body), 400, field)


def test_one_wrong_item_keeps_none(client: FlaskClient, built: Services) -> None:
    card = card_of(client)
    refused(tell(client, item(card), item(card, "ignored")), 400, "feedback[1].outcome")
    assert built.store.overrides() == []


def test_the_door(client: FlaskClient) -> None:
    refused(client.post("/cds-services/other/feedback", json={}), 404)
    refused(client.get(URL), 405)
    refused(client.post(URL, data="{}", content_type="text/plain"), 415)
    refused(client.post(URL, data=b'{"feedback": []}' + b" " * MAX_BYTES, content_type="application/json"), 413)
    refused(client.post(URL, data=b'{"feedback": [], "feedback": []}', content_type="application/json"), 400)
    refused(client.post(URL, data=b"{" * 100, content_type="application/json"), 400)
    origin = {"Origin": "http://localhost:8080", "Access-Control-Request-Method": "POST"}
    assert client.options(URL, headers=origin).headers["Access-Control-Allow-Origin"] == "http://localhost:8080"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=12,
)
FIELDS = ("card", "outcome", "outcomeTimestamp", "acceptedSuggestions", "overrideReason")


@given(st.dictionaries(st.sampled_from(FIELDS), anything), st.sampled_from(["accepted", "overridden"]))
def test_any_json_is_read_or_refused_by_name(changes: dict[str, Any], outcome: str) -> None:
    field = "feedback[0]"
    try:
        (told,) = read_feedback({"feedback": [{**item(ANY, outcome), **changes}]}, datetime.now(UTC))
    except RequestError as error:
        field = error.field
    else:
        assert told.feedback.at.tzinfo is UTC
        assert len(told.feedback.comment) <= MAX_COMMENT
    assert field.startswith("feedback[0]")


# --- who tells ------------------------------------------------------------------------------------------------


class ByHeader:
    """A caller is who the header says; nobody is refused."""

    def identify(self, authorization: str | None, audience: str) -> Caller:
        if authorization is None:
            raise AuthError("no token")
        issuer, _, tenant = authorization.partition(" ")
        return Caller(issuer=issuer, tenant=tenant)


def test_only_who_was_sent_a_card_tells_of_it(built: Services) -> None:
    built = replace(built, callers=ByHeader())
    client = create_app(built).test_client()
    mine = {"Authorization": "https://ehr north"}
    (card,) = client.post(HOOK_URL, json=hook(), headers=mine).get_json()["cards"]
    for other in ("https://ehr south", "https://ehr", "https://other north", "https://ehrnorth"):
        told = client.post(URL, json={"feedback": [item(card)]}, headers={"Authorization": other})
        assert told.status_code == 200  # nobody learns whether a card exists
        with built.store._engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM feedback").scalar() == 0
    client.post(URL, json={"feedback": [item(card, overrideReason=DECLINED)]}, headers=mine)
    assert client.post(HOOK_URL, json=hook(), headers=mine).get_json() == {"cards": []}
    south = {"Authorization": "https://ehr south"}
    assert client.post(HOOK_URL, json=hook(), headers=south).get_json()["cards"]  # p1 there is somebody else


def test_the_caller_is_asked_before_anything_is_read(built: Services) -> None:
    client = create_app(replace(built, callers=ByHeader())).test_client()
    for body in (b"{", b'{"feedback": []}', b" " * (MAX_BYTES + 1)):
        assert client.post(URL, data=body, content_type="application/json").status_code == 401
    assert client.post("/cds-services/other/feedback", json={}).status_code == 401


# --- what comes of it -----------------------------------------------------------------------------------------


def test_a_declined_trial_is_silent_for_this_patient_only(client: FlaskClient) -> None:
    assert tell(client, item(card_of(client), overrideReason=DECLINED)).status_code == 200
    assert client.post(HOOK_URL, json=hook()).get_json() == {"cards": []}
    assert client.post("/cds-services/npc-trials-encounter-start", json=start()).get_json() == {"cards": []}


def start() -> dict[str, Any]:
    context = {"userId": "Practitioner/example", "patientId": "p1", "encounterId": "e1"}
    return hook(hook="encounter-start", context=context)


ROOT = Path(__file__).resolve().parents[2]


def test_declining_silences_the_warning_about_an_order_too() -> None:
    """Real rules, real requests: the patient of the radiotherapy story declines, then the order is signed."""
    built = build(load_settings(mode="open"), clock=lambda: AS_OF)
    client = create_app(built).test_client()
    signing = json.loads((ROOT / "fhir_examples/hooks/order-sign.radiotherapy.json").read_text(encoding="utf-8"))
    url = "/cds-services/npc-trials-order-sign"
    (warning,) = client.post(url, json=signing).get_json()["cards"]
    assert warning["indicator"] == "warning"
    opening = {
        **signing,
        "hook": "patient-view",
        "context": {key: signing["context"][key] for key in ("userId", "patientId")},
    }
    (card,) = client.post(HOOK_URL, json=opening).get_json()["cards"]
    assert {one["code"] for one in warning["overrideReasons"]} == {one["code"] for one in card["overrideReasons"]}
    assert tell(client, item(card, overrideReason=DECLINED)).status_code == 200
    again = {**signing, "hookInstance": str(uuid4())}
    assert client.post(url, json=again).get_json() == {"cards": []}
    assert sorted((count.kind, count.sent) for count in built.store.counts()) == [("candidate", 1), ("conflict", 1)]


def test_not_now_ends_after_a_fortnight(built: Services) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    days = [0]
    client = create_app(replace(built, now=lambda: now + timedelta(days=days[0]))).test_client()
    tell(client, item(card_of(client), overrideReason={"reason": {"code": "not-now", "system": OWN}}))
    for day, cards in ((1, 0), (13, 0), (14, 1)):
        days[0] = day
        assert len(client.post(HOOK_URL, json=hook(hookInstance=str(uuid4()))).get_json()["cards"]) == cards


class Down:
    """Stands for a store that is down."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def fail(*_rest: Any, **_more: Any) -> Any:
            raise UnavailableError("The store is down for now.")

        return fail

    @property
    def worklist(self) -> Any:
        return self


def test_a_store_that_is_down(built: Services) -> None:
    """Feedback is asked for again; a hook still answers, without asking for feedback."""
    client = create_app(replace(built, store=Down())).test_client()  # type: ignore[arg-type]
    response = tell(client, item(ANY))
    refused(response, 503)
    assert response.headers["Retry-After"]
    (card,) = client.post(HOOK_URL, json=hook()).get_json()["cards"]
    assert not {"uuid", "overrideReasons"} & set(card)
    assert card["suggestions"]


def test_nothing_of_a_patient_or_a_clinician_in_logs_and_errors(
    built: Services, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = create_app(built).test_client()
    canary = {"reason": {"code": "canary-code", "system": "urn:canary"}, "userComment": "canary-comment"}
    prefetch = full_prefetch(patient={**PATIENT, "name": [{"text": "canary-name"}]})
    card = card_of(client, prefetch=prefetch)
    bodies = [
        tell(client, item(card, overrideReason=canary)),
        tell(client, item(ANY, overrideReason=canary)),
        tell(client, item(ANY, "canary-outcome")),
        tell(client, item("canary-card")),
        tell(client, item(ANY, outcomeTimestamp="canary-time")),
        tell(client, item(ANY, overrideReason={"reason": {"code": "canary-code"}})),
    ]
    assert [one.status_code for one in bodies] == [200, 200, 400, 400, 400, 400]
    shown = caplog.text + "".join(one.text for one in bodies)
    assert "canary" not in shown
    assert "p1" not in shown
    assert card["uuid"] not in shown


# --- the report -----------------------------------------------------------------------------------------------


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store with a declined card, an accepted one and one without feedback."""
    found = f"sqlite:///{tmp_path / 'store.db'}"
    built, _seen = services(outcome(needs_data()), store=found)
    client = create_app(built).test_client()
    tell(client, item(card_of(client), "accepted"))
    card_of(client)
    tell(client, item(card_of(client), overrideReason={**DECLINED, "userComment": "Zhang Wei"}))
    built.store.close()
    return found


def run(*arguments: str, typed: str | None = None) -> str:
    result = CliRunner().invoke(main, ["feedback", *arguments], input=typed, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_report_counts_and_names_nobody(url: str) -> None:
    text = run("report", "--store", url)
    assert [" ".join(line.split()) for line in text.splitlines()] == [
        "NCT00000001 npc-trials-patient-view (candidate)",
        "3 sent",
        "1 accepted, 1 suggestions in all",
        "1 overridden, 1 with a comment",
        "1 declined",
        "1 no feedback (seen or not is not known)",
        "",
        "NCT00000001 is silent until taken back (cds-service feedback revoke) for patients: 1;",
        "until their data change for patients: at most 0",
    ]
    assert "Zhang" not in text
    assert "p1" not in text.replace("npc-trials", "")


def test_the_report_as_json(url: str) -> None:
    assert json.loads(run("report", "--store", url, "--format", "json")) == {
        "cards": [
            {
                "trial": "NCT00000001",
                "service": "npc-trials-patient-view",
                "kind": "candidate",
                "sent": 3,
                "accepted": 1,
                "suggestions_accepted": 1,
                "overridden": {"declined": 1},
                "overridden_with_comment": 1,
                "no_feedback": 1,
            }
        ],
        "patients_silenced": {"NCT00000001": {"until_revoked": 1, "until_data_change": 0}},
    }


def test_a_report_of_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    open_store(url).close()
    assert run("report", "--store", url) == "No card was sent yet.\n"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:////nowhere/at-all.db", None])
def test_a_report_of_no_store(url: str | None) -> None:
    result = CliRunner().invoke(main, ["feedback", "report", *(("--store", url) if url else ())])
    assert result.exit_code == 12
    assert "Setting store" in result.output


def test_an_override_is_taken_back(url: str) -> None:
    assert "0 overrides taken back" in run("revoke", "NCT00000001", "--store", url, typed="p2\n")
    assert "0 overrides taken back" in run("revoke", "NCT00000002", "--store", url, typed="p1\n")
    assert "0 overrides taken back" in run("revoke", "NCT00000001", "--issuer", "i", "--store", url, typed="p1\n")
    built, _seen = services(outcome(needs_data()), store=url)
    client = create_app(built).test_client()
    assert client.post(HOOK_URL, json=hook()).get_json() == {"cards": []}
    said = run("revoke", "NCT00000001", "--store", url, typed="Patient/p1\n")
    assert "1 override taken back" in said
    assert "p1" not in said
    assert client.post(HOOK_URL, json=hook()).get_json()["cards"]
    assert "is silent" not in run("report", "--store", url)

"""The simulator in a real browser: cards are shown, accepted and dismissed, and a dismissed trial stays silent."""

from __future__ import annotations

import json
import re
import urllib.request
import uuid
from pathlib import Path

import pytest

from cds_service.cli.demo_ehr import prefetch_of

STORIES = Path(__file__).resolve().parents[2] / "fhir_examples" / "patients"
NOTHING = "The service had nothing to say."


def test_opening_a_chart_shows_the_candidate_card(visit):
    one = visit()
    assert "synthetic patients only" in one.page.inner_text("header")
    assert "2026-03-01" in one.page.inner_text("#day")
    assert re.fullmatch(r"HTTP 200, \d+ ms, 1 card\.", one.send())
    card = one.page.locator(".card")
    assert card.locator(".indicator").inner_text().split() == ["i", "Information"]
    assert "ay be a candidate for NCT07235319" in card.locator("h3").inner_text()
    assert "exclusion criteria not encoded" in card.inner_text()
    assert card.locator("tbody tr").count() >= 14
    page_of_ours, registry = card.locator(".links a").all()
    assert re.fullmatch(rf"{one.base}/worklist/entries/[0-9a-f]{{32}}", page_of_ours.get_attribute("href"))
    assert registry.get_attribute("href") == "https://clinicaltrials.gov/study/NCT07235319"
    assert "noopener" in registry.get_attribute("rel")
    sent = json.loads(one.page.locator("#request").text_content().partition("\n\n")[2])
    assert sent["hook"] == "patient-view"
    assert uuid.UUID(sent["hookInstance"]).version == 4
    assert sent["context"]["patientId"] == "candidate"
    assert sent["prefetch"]["patient"]["id"] == "candidate"
    assert "fhirServer" not in sent
    got = one.page.locator("#response").text_content()
    assert got.startswith("HTTP 200\n")
    assert json.loads(got.partition("\n\n")[2])["cards"][0]["summary"] in card.inner_text()
    assert "eligible" not in re.sub("Not eligible|does not meet eligibility", "", one.page.inner_text("body"))


def test_signing_radiotherapy_warns(visit):
    one = visit()
    one.page.select_option("#service", "npc-trials-order-sign")
    assert one.page.is_checked("text=Radiotherapy to the nasopharynx")
    one.send()
    (summary,) = one.cards()
    assert summary.startswith("This order would close NCT07235319")
    assert "warning" in one.page.locator(".card").get_attribute("class")
    assert one.page.locator(".card .indicator").inner_text().split() == ["!", "Warning"]


def test_an_order_that_does_not_matter_is_met_with_silence_in_words(visit):
    one = visit()
    for service in ("npc-trials-order-sign", "npc-trials-order-select"):
        one.page.select_option("#service", service)
        one.page.uncheck("text=Radiotherapy to the nasopharynx")
        one.page.check("text=Atorvastatin")
        assert re.fullmatch(r"HTTP 200, \d+ ms, no card\.", one.send())
        assert one.page.inner_text("#cards") == NOTHING
        assert "all clear" not in one.page.inner_text("main").lower()


def test_the_other_hooks_are_sent_what_they_ask_for(visit):
    one = visit()
    for service in ("npc-trials-encounter-start", "npc-trials-appointment-book"):
        one.page.select_option("#service", service)
        assert one.page.is_hidden("#orders")
        one.send()
        assert "ay be a candidate" in one.cards()[0]
    one.page.select_option("#service", "npc-trials-order-select")
    one.send()
    assert one.cards()[0].startswith("This order would close NCT07235319")


def test_an_accepted_suggestion_is_told_to_the_service(visit):
    one = visit()
    one.choose("stale-bilirubin")
    one.send()
    assert "otal bilirubin decides" in one.cards()[0]
    response = json.loads(one.page.locator("#response").text_content().partition("\n\n")[2])
    card = response["cards"][0]
    with one.page.expect_response("**/feedback") as caught:
        one.page.click("button:has-text('otal bilirubin')")
    assert caught.value.ok
    assert one.page.locator(".told").inner_text() == "Accepted: the service was told."
    assert one.page.is_disabled(".suggestions button >> nth=0")
    (told,) = one.told[0]["feedback"]
    assert told["card"] == card["uuid"]
    assert told["outcome"] == "accepted"
    assert told["acceptedSuggestions"] == [{"id": card["suggestions"][0]["uuid"]}]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told["outcomeTimestamp"])
    one.send()
    assert len(one.cards()) == 1, "accepting mutes nothing"


def test_a_patient_who_declined_is_not_asked_about_again(visit):
    one = visit()
    one.send()
    assert len(one.cards()) == 1
    one.page.click("text=Dismiss …")
    one.page.select_option("#reason-0", label="Patient declined the trial")
    with one.page.expect_response("**/feedback") as caught:
        one.page.click("text=Dismiss this card")
    assert caught.value.ok
    assert "Dismissed: Patient declined the trial" in one.page.locator(".told").inner_text()
    (told,) = one.told[0]["feedback"]
    assert told["outcome"] == "overridden"
    assert set(told["overrideReason"]["reason"]) == {"code", "system"}
    one.send()
    assert one.page.inner_text("#cards") == NOTHING
    one.page.select_option("#service", "npc-trials-order-sign")
    one.send()
    assert one.page.inner_text("#cards") == NOTHING, "no warning either: the trial is not wanted"
    one.page.select_option("#service", "npc-trials-patient-view")
    one.choose("inr-on-warfarin")
    one.send()
    assert len(one.cards()) == 1, "another patient is asked about"


def test_a_card_is_dismissed_without_a_reason(visit):
    one = visit()
    one.send()
    one.page.click("text=Dismiss …")
    with one.page.expect_response("**/feedback") as caught:
        one.page.click("text=Dismiss this card")
    assert caught.value.ok
    assert "overrideReason" not in one.told[0]["feedback"][0]


def test_feedback_that_is_not_taken_is_said_and_can_be_sent_again(visit):
    one = visit()
    one.send()
    one.page.route("**/feedback", lambda route: route.fulfill(status=503, json=outcome("Try again.")))
    one.page.click("text=Dismiss …")
    one.page.click("text=Dismiss this card")
    assert one.page.locator(".told.failed").inner_text() == "Feedback was not taken: HTTP 503. Try again."
    assert one.page.is_enabled("text=Dismiss this card")


def outcome(words: str) -> dict:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "x", "diagnostics": words}]}


def test_a_412_is_an_error_and_not_silence(visit):
    one = visit(fhir="http://127.0.0.1:9/fhir")
    assert one.page.input_value("#fhir-server") == "http://127.0.0.1:9/fhir"
    one.page.check("#no-prefetch")
    assert one.send().startswith("Error: HTTP 412")
    sent = json.loads(one.page.locator("#request").text_content().partition("\n\n")[2])
    assert sent["fhirServer"] == "http://127.0.0.1:9/fhir"
    assert "prefetch" not in sent
    words = one.page.inner_text(".problem[role=alert]")
    assert "Error" in words
    assert "The service refused the call (HTTP 412)." in words
    assert "Patient could not be read" in words
    assert "This says nothing about the patient." in words
    assert NOTHING not in one.page.inner_text("main")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"status": 500, "content_type": "text/html", "body": "<h1>Oops</h1>"}, "refused the call (HTTP 500)"),
        ({"status": 200, "content_type": "text/html", "body": "<h1>Hello</h1>"}, "The answer is not JSON."),
        ({"status": 200, "json": {}}, "holds no list of cards"),
        ({"status": 200, "json": {"cards": None}}, "holds no list of cards"),
        ({"status": 400, "json": outcome("hook must be patient-view.")}, "hook must be patient-view."),
        (None, "could not be reached"),
    ],
    ids=["500", "html", "no cards field", "null cards", "400", "no answer"],
)
def test_whatever_goes_wrong_is_an_error(visit, answer, words):
    one = visit()
    one.page.route(
        "**/cds-services/*", lambda route: route.fulfill(**answer) if answer else route.abort("connectionrefused")
    )
    assert one.send().startswith("Error: ")
    assert words in one.page.inner_text(".problem")
    assert NOTHING not in one.page.inner_text("main")
    if answer is None:
        one.errors.clear()  # the browser's own note of the refused connection


def test_the_day_is_asked_again_before_each_call(visit):
    one = visit()
    one.page.route("**/simulator/setup", lambda route: route.fulfill(json={"asOf": "2026-03-02", "stories": []}))
    one.send()
    assert "2026-03-02" in one.page.inner_text("#day")


def test_every_story_says_what_a_client_that_sends_everything_is_told(visit):
    """The page filters by the templates' codes, as a FHIR server would: that must lose nothing that matters."""
    one = visit()
    templates = next(
        service for service in ask(f"{one.base}/cds-services")["services"] if service["hook"] == "patient-view"
    )
    for folder in sorted(STORIES.iterdir()):
        bundle = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
        body = {
            "hook": "patient-view",
            "hookInstance": str(uuid.uuid4()),
            "context": {"userId": "Practitioner/p", "patientId": folder.name},
            "prefetch": prefetch_of(bundle, templates["prefetch"]),
        }
        expected = [card["summary"] for card in ask(f"{one.base}/cds-services/{templates['id']}", body)["cards"]]
        one.choose(folder.name)
        assert one.send().startswith("HTTP 200")
        assert one.cards() == expected, folder.name


def ask(url: str, body: dict | None = None) -> dict:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.loads(response.read())

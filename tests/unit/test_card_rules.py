"""Cards are checked before they are sent: each rule, each client's product, and what takes a broken card's place."""

import copy
import json
import logging
from pathlib import Path

import pytest

from cds_service.present.card_rules import WITHHELD, adapted, broken, checked

GOLDENS = sorted(Path(__file__).parents[1].glob("golden/*.card.json"))
PROFILES = ("generic", "epic", "oracle", "sandbox")


def cards_of(path):
    found = json.loads(path.read_text(encoding="utf-8"))
    return found if isinstance(found, list) else found.get("cards", [found])


def card():
    """A card with every part."""
    return {
        "uuid": "11111111-1111-4111-8111-111111111111",
        "summary": "May be a candidate",
        "detail": "**Bold** and 5 &lt; 6",
        "indicator": "info",
        "source": {
            "label": "Trial rules",
            "url": "https://clinicaltrials.gov/study/NCT00000001",
            "topic": {"system": "https://clinicaltrials.gov", "code": "NCT00000001", "display": "A trial"},
        },
        "suggestions": [
            {
                "label": "Draft an order: total bilirubin",
                "uuid": "22222222-2222-4222-8222-222222222222",
                "isRecommended": True,
                "actions": [
                    {
                        "type": "create",
                        "description": "Draft an order: total bilirubin",
                        "resource": {
                            "resourceType": "ServiceRequest",
                            "status": "draft",
                            "intent": "proposal",
                            "subject": {"reference": "Patient/p1"},
                            "code": {"coding": [{"system": "http://loinc.org", "code": "1975-2"}]},
                        },
                    }
                ],
            }
        ],
        "selectionBehavior": "any",
        "overrideReasons": [{"system": "https://example.org/reasons", "code": "not-now", "display": "Not now"}],
        "links": [
            {"label": "Registry record", "url": "https://clinicaltrials.gov/study/NCT00000001", "type": "absolute"}
        ],
    }


def spoilt(path, value):
    """Return the card with one place changed; None as a value takes the place away."""
    one = card()
    *way, last = path
    place = one
    for step in way:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return one


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: path.stem)
def test_the_golden_cards_keep_every_rule(path, profile):
    for one in adapted(cards_of(path), profile):
        assert broken(one, profile) == []


def test_a_card_with_every_part_keeps_every_rule():
    for profile in ("generic", "epic", "sandbox"):
        assert broken(card(), profile) == []


SPOILT = [
    (["summary"], ...),
    (["summary"], ""),
    (["summary"], "x" * 140),
    (["summary"], "two\nlines"),
    (["summary"], 5),
    (["indicator"], ...),
    (["indicator"], "critical"),
    (["indicator"], "hard-stop"),
    (["source"], ...),
    (["source", "label"], ...),
    (["source", "label"], " "),
    (["source", "url"], "clinicaltrials.gov"),
    (["source", "url"], "javascript:alert(1)"),
    (["source", "icon"], "icon.png"),
    (["source", "topic", "code"], ...),
    (["source", "topic", "system"], ...),
    (["source", "topic", "display"], None),
    (["detail"], "<b>bold</b>"),
    (["detail"], "[a link](https://example.org)"),
    (["detail"], "![an image](https://example.org/i.png)"),
    (["detail"], ""),
    (["uuid"], "not-a-uuid"),
    (["selectionBehavior"], ...),
    (["selectionBehavior"], "all"),
    (["suggestions"], []),
    (["suggestions"], ...),
    (["suggestions", 0, "label"], ...),
    (["suggestions", 0, "uuid"], ...),
    (["suggestions", 0, "uuid"], "11111111-1111-4111-8111-111111111111"),
    (["suggestions", 0, "isRecommended"], "yes"),
    (["suggestions", 0, "actions"], []),
    (["suggestions", 0, "actions", 0, "type"], "delete"),
    (["suggestions", 0, "actions", 0, "description"], ...),
    (["suggestions", 0, "actions", 0, "resource"], ...),
    (["suggestions", 0, "actions", 0, "resource", "subject"], ...),
    (["suggestions", 0, "actions", 0, "resource", "status"], "active"),
    (["suggestions", 0, "actions", 0, "resource", "resourceType"], "MedicationRequest"),
    (["overrideReasons"], []),
    (["overrideReasons", 0, "display"], ...),
    (["overrideReasons", 0, "code"], ...),
    (["overrideReasons", 0, "system"], ...),
    (["links", 0, "label"], ...),
    (["links", 0, "url"], "/relative"),
    (["links", 0, "type"], "other"),
    (["links", 0, "appContext"], "x"),
    (["somethingElse"], "x"),
]


@pytest.mark.parametrize(("path", "value"), SPOILT)
def test_each_rule_is_held(path, value):
    assert broken(spoilt(path, value), "generic")


def test_two_recommended_suggestions_need_any():
    one = card()
    second = copy.deepcopy(one["suggestions"][0])
    second["uuid"] = "33333333-3333-4333-8333-333333333333"
    one["suggestions"].append(second)
    assert broken(one, "generic") == []
    one["selectionBehavior"] = "at-most-one"
    assert broken(one, "generic")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["selectionBehavior"], "at-most-one"),
        (["source", "topic", "code"], "NCT-1"),
        (["suggestions", 0, "actions"], card()["suggestions"][0]["actions"] * 2),
    ],
)
def test_epic_takes_less(path, value):
    assert broken(spoilt(path, value), "generic") == []
    assert broken(spoilt(path, value), "epic")


def test_oracle_gets_no_suggestions_and_keeps_what_the_card_says():
    (one,) = adapted([card()], "oracle")
    assert broken(card(), "oracle")
    assert broken(one, "oracle") == []
    assert not {"suggestions", "selectionBehavior", "overrideReasons"} & set(one)
    assert (one["summary"], one["detail"], one["links"]) == (card()["summary"], card()["detail"], card()["links"])


def test_a_broken_card_is_withheld_and_the_answer_says_so(caplog):
    caplog.set_level(logging.ERROR)
    bad = spoilt(["source", "url"], "canary-4711")
    kept, withheld = checked([card(), bad], "generic")
    assert kept == card()
    assert withheld["summary"] == WITHHELD
    assert broken(withheld, "generic") == []
    assert "source.url" in caplog.text
    assert "canary-4711" not in caplog.text

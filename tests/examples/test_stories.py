"""Every example patient gets the verdicts that were written by hand, through the command line."""

from __future__ import annotations

import json
import random
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fhir.resources.R4B.bundle import Bundle
from ruamel.yaml import YAML

from cds_service.cli import main

ROOT = Path(__file__).resolve().parents[2]
STORIES = sorted(path.parent for path in (ROOT / "fhir_examples" / "patients").glob("*/bundle.json"))


def expected_of(story: Path) -> dict[str, Any]:
    found = YAML(typ="safe").load(story / "expected.yaml")
    assert isinstance(found, dict)
    return found


def evaluate(bundle: str, expected: dict[str, Any]) -> dict[str, Any]:
    arguments = ["evaluate", "-", "--trial", "NCT07235319", "--as-of", str(expected["as_of"]), "--format", "json"]
    if "anchor" in expected:
        arguments += ["--anchor", str(expected["anchor"])]
    result = CliRunner().invoke(main, arguments, input=bundle)
    assert result.exit_code == 0, result.output
    answer = json.loads(result.output)
    assert answer["as_of"] == str(expected["as_of"])
    (only,) = answer["results"]
    assert isinstance(only, dict)
    return only


def test_there_are_enough_stories() -> None:
    assert len(STORIES) >= 14


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_story(story: Path) -> None:
    expected = expected_of(story)
    result = evaluate((story / "bundle.json").read_text(encoding="utf-8"), expected)
    assert result["gate"] == expected["gate"]
    assert result["status"] == expected["status"]
    assert result["blocked"] == expected.get("blocked", [])
    assert result["exclusions"] == "not-published"
    assert sorted(result["to_confirm"]) == sorted(expected["to_confirm"])
    assert {one["fact"] for one in result["decisive"]} == set(expected["decisive"])
    criteria = {one["id"]: one for one in result["criteria"]}
    assert list(criteria) == list(expected["criteria"])
    for name, wanted in expected["criteria"].items():
        found = criteria[name]
        told = {
            "verdict": found["verdict"],
            "reason": found["reasons"][0]["reason"] if found["reasons"] else None,
            "leaning": found["leaning"],
            "can_change": found["can_change"],
        }
        assert told == {
            "verdict": wanted["verdict"],
            "reason": wanted.get("reason"),
            "leaning": wanted.get("leaning"),
            "can_change": wanted["can_change"],
        }, f"{name}: {found['message']} But: {wanted['because']}"


@pytest.mark.slow
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_the_order_of_entries_changes_nothing(story: Path) -> None:
    expected = expected_of(story)
    body = json.loads((story / "bundle.json").read_text(encoding="utf-8"))
    first = evaluate(json.dumps(body), expected)
    random.Random(7).shuffle(body["entry"])
    assert evaluate(json.dumps(body), expected) == first


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_the_bundle_is_valid_and_marked_as_made_up(story: Path) -> None:
    body = json.loads((story / "bundle.json").read_text(encoding="utf-8"))
    Bundle.model_validate(body)
    for entry in body["entry"]:
        codes = {tag["code"] for tag in entry["resource"]["meta"]["tag"]}
        assert "HTEST" in codes


def test_every_story_explains_every_verdict() -> None:
    for story in STORIES:
        expected = expected_of(story)
        assert isinstance(date.fromisoformat(str(expected["as_of"])), date)
        assert len(expected["criteria"]) == {"screening": 17, "randomisation": 18}[expected["gate"]]
        assert all(len(one["because"]) > 10 for one in expected["criteria"].values()), story.name

"""What people read of each example patient, kept as files: every sentence in both languages, and how it came about.

``UPDATE_GOLDEN=1 pytest tests/golden`` writes them anew; the change then shows in the diff, line by line.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cds_service.bootstrap import load_rules
from cds_service.evaluation.outcome import TrialOutcome
from cds_service.evaluation.trace import trace
from cds_service.gather.json_text import read_json
from cds_service.screening.patient import screen_bundle
from cds_service.web.example_stories import example_stories

HERE = Path(__file__).parent / "stories"
STORIES = {story.name: story for story in example_stories()}
RULES = load_rules()
TRIAL = "NCT07235319"


def told(result: TrialOutcome) -> Iterator[str]:
    yield f"{result.trial.id}, {result.gate}: {result.status.value}"
    for one in result.decisive:
        yield f"decisive: {one.label} ({one.reason.value}), ask: {one.ask.kind} {one.ask.code or ''}".rstrip()
    for criterion in result.criteria:
        yield ""
        yield f"{criterion.criterion.id}: {criterion.message}"
        yield f"    {criterion.message_zh}"
        yield from (f"    {line}" for line in trace(criterion))


@pytest.mark.parametrize("name", STORIES)
def test_what_is_told_of_a_story(name: str) -> None:
    story = STORIES[name]
    body = read_json(story.bundle.read_bytes(), max_bytes=2**24)
    outcome = screen_bundle(RULES, body, as_of=story.as_of, trials=[TRIAL])
    text = "\n".join(told(outcome.trials[0])) + "\n"
    file = HERE / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        HERE.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == text


def test_no_file_is_left_over() -> None:
    assert {file.stem for file in HERE.glob("*.txt")} == set(STORIES)

"""The example patients of a checkout: what the demo loads and the simulator offers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final

from ruamel.yaml import YAML

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "fhir_examples" / "patients"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


@dataclass(frozen=True)
class Story:
    """One invented patient.

    Args:
        name: of its folder.
        text: the patient in one sentence.
        title_zh: a few words on what the story shows, in Chinese; the name serves in English.
        text_zh: the sentence in Chinese.
        as_of: the day it was written for.
        expected: the status that a reader of the protocol expects on that day.
        bundle: the file that holds the whole record.
    """

    name: str
    text: str
    title_zh: str
    text_zh: str
    as_of: date
    expected: str
    bundle: Path


@cache
def example_stories(folder: Path = EXAMPLES) -> tuple[Story, ...]:
    """Return the example patients, by name; none where the package was installed without a checkout."""
    found = sorted(path.parent for path in folder.glob("*/expected.yaml") if _NAME.fullmatch(path.parent.name))
    return tuple(_story(path) for path in found if (path / "bundle.json").is_file())


def _story(folder: Path) -> Story:
    told = YAML(typ="safe", pure=True).load((folder / "expected.yaml").read_text(encoding="utf-8"))
    day = told["as_of"]
    as_of = day if isinstance(day, date) else date.fromisoformat(day)
    text, title_zh, text_zh = (str(told[key]) for key in ("story", "title_zh", "story_zh"))
    return Story(folder.name, text, title_zh, text_zh, as_of, str(told["status"]), folder / "bundle.json")

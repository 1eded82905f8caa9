"""English that a Chinese terminal still shows: runs of three or more words, apart from what is stated to stay.

What stays: addresses, paths, options, code between backticks, what has digits or underscores; the names below; texts
of a record; and words of rule files that their author wrote in English only, or that stand after “英文：”.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from terminal_sentences import commands

from cds_service.trials.cases import CASE_FILE, load_cases
from cds_service.trials.library import TRIALS
from cds_service.trials.model import Library

MOST: Final = 2
# "ECOG", "FHIR server" and the like may stand alone or in pairs; a third word makes a sentence of them.
_WORD: Final = re.compile(r"[A-Za-z]+(?:['’-][A-Za-z]+)*")
_EDGES: Final = ".,;:!?()[]{}\"'“”‘’<>|"
_COMMANDS: Final = sorted((" ".join(path) for path, _command in commands() if path), reverse=True)
# The usage line is click's: a command with its metavars.
_CODE: Final = re.compile(rf"^用法.*|`[^`]*`|https?://\S+|--[a-z-]+|cds-service(?: (?:{'|'.join(_COMMANDS)}))?\b")
_IN_ENGLISH: Final = re.compile(r"(英文(?:，卡片用语)?：).*")
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]+")
# Products, and fields of FHIR and of our own files that have blanks or stand beside another.
NAMES: Final = ("CDS Hooks", "Sun Yat-sen University", "Cockcroft-Gault", "CKD-EPI")


def english_left(text: str, stays: Iterable[str] = ()) -> list[str]:
    """Return the runs of English words that are left over.

    Args:
        text: what was printed.
        stays: texts that stand as they are; each is taken away where it occurs whole.
    """
    for one in sorted({*stays, *NAMES}, key=len, reverse=True):
        text = text.replace(one, "·")
    return [run for line in text.splitlines() for run in _runs(_IN_ENGLISH.sub(r"\1", _CODE.sub("·", line)))]


def _runs(line: str) -> Iterator[str]:
    for piece in _NOT_ASCII.split(line):
        words: list[str] = []
        for token in [*piece.split(), "·"]:
            if _WORD.fullmatch(token.strip(_EDGES)):
                words.append(token)
                continue
            if len(words) > MOST:
                yield " ".join(words)
            words = []


def names_of(library: Library) -> set[str]:
    """Return lists of ids that rules print in a row, and what a rule file has in English only."""
    kept: set[str] = set()
    for trial in library.trials.values():
        kept |= {trial.phase, trial.sponsor, *trial.not_encoded.values()}
        kept |= {gate.label for gate in trial.gates}  # in brackets, beside the Chinese one
        kept |= {", ".join(criterion.needs) for criterion in trial.criteria if len(criterion.needs) > MOST}
    return kept


def names_of_cases(folder: Path, library: Library) -> set[str]:
    """Return what test cases say of themselves: they have one language, that of their author."""
    kept: set[str] = set()
    for trial in library.trials.values():
        found = load_cases(folder / TRIALS / trial.id / CASE_FILE, trial, library.facts)
        kept |= {case.it for case in found.cases}
        kept |= {why for reasons in found.cannot.values() for why in reasons.values()}
    return kept


def words_of_record(*files: Path) -> set[str]:
    """Return every text of Bundles, or of files of resources by lines, that is more than a word."""
    told = (file.read_text(encoding="utf-8") for file in files)
    parts = (json.loads(one) for text in told for one in (text.splitlines() if text[:2] != "{\n" else [text]))
    return {text for part in parts for text in _texts(part) if " " in text}


def _texts(part: Any) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict):
        for one in part.values():
            yield from _texts(one)
    elif isinstance(part, list):
        for one in part:
            yield from _texts(one)

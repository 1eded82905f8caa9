"""What people read, in other languages: gettext catalogues for our own sentences, the rule files for theirs."""

from __future__ import annotations

import gettext
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cds_service.errors import RequestError
from cds_service.facts.phrase import Translate, words_of_rules

if TYPE_CHECKING:  # `--help` does not wait for them
    from cds_service.trials.model import Library

DOMAIN: Final = "cds_service"
FOLDER: Final = Path(__file__).resolve().parent
# The language that a caller asks for, and the folder of its catalogue: "" for the language of the templates.
LANGUAGES: Final[Mapping[str, str]] = {"en": "", "zh": "zh_Hans"}


def as_it_is(template: str) -> str:
    """Return the English template: the translation into English."""
    return template


@lru_cache(maxsize=16)
def translator(language: str, library: Library | None = None) -> Translate:
    """Return what translates a phrase's template; one that has no translation stays English.

    Args:
        language: "en" or "zh".
        library: the rules whose own words are translated as their files say; None for none.

    Raises:
        RequestError: the language is not one of ours.
    """
    if language not in LANGUAGES:
        raise RequestError(f"The language must be one of {', '.join(LANGUAGES)}.", field="language")
    if not LANGUAGES[language]:
        return as_it_is
    catalogue = gettext.translation(DOMAIN, FOLDER, [LANGUAGES[language]])
    words = {} if library is None else _words_of(library)

    def translate(template: str) -> str:
        # gettext would answer the empty text with the catalogue's head.
        return words.get(template) or (catalogue.gettext(template) if template else "")

    return translate


def _words_of(library: Library) -> dict[str, str]:
    """Collect the Chinese words of rule files; the first of two translations of the same words counts."""
    words: dict[str, str] = {}
    for english, chinese in _pairs(library):
        if english and chinese:
            words.setdefault(words_of_rules(english).template, words_of_rules(chinese).template)
    return words


def _pairs(library: Library) -> Iterator[tuple[str, str]]:
    for fact in library.facts.values():
        yield fact.label["en"], fact.label.get("zh", "")
        yield fact.options.get("confirm", ""), fact.options.get("confirm_zh", "")
    for trial in library.trials.values():
        yield trial.title["en"], trial.title.get("zh", "")
        for gate in trial.gates:
            yield gate.label, gate.zh
        for criterion in trial.criteria:
            yield criterion.short, criterion.zh.get("short", "")
            yield criterion.text, criterion.zh.get("text", "")
        for texts, chinese in ((trial.lines, trial.lines_zh), (trial.conventions, trial.conventions_zh)):
            yield from ((text, chinese.get(name, "")) for name, text in texts.items())

"""What people read, in other languages: gettext catalogues for our own sentences, the rule files for theirs."""

from __future__ import annotations

import gettext
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from cds_service.errors import RequestError
from cds_service.facts.phrase import Translate, words_of_rules
from cds_service.trials.model import Library

DOMAIN: Final = "cds_service"
FOLDER: Final = Path(__file__).resolve().parent
# The language that a caller asks for, and the folder of its catalogue: "" for the language of the templates.
LANGUAGES: Final[Mapping[str, str]] = {"en": "", "zh": "zh_Hans"}


def as_it_is(template: str) -> str:
    """Return the English template: the translation into English."""
    return template


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
    words = {} if library is None else _words_of(library, language)

    def translate(template: str) -> str:
        # gettext would answer the empty text with the catalogue's head.
        return words.get(template) or (catalogue.gettext(template) if template else "")

    return translate


def _words_of(library: Library, language: str) -> dict[str, str]:
    """Collect the words of rule files; the first of two translations of the same words counts."""
    words: dict[str, str] = {}
    for english, translated in _pairs(library, language):
        if english and translated:
            words.setdefault(words_of_rules(english).template, words_of_rules(translated).template)
    return words


def _pairs(library: Library, language: str) -> Iterator[tuple[str, str]]:
    for fact in library.facts.values():
        yield fact.label["en"], fact.label.get(language, "")
    for trial in library.trials.values():
        yield trial.title["en"], trial.title.get(language, "")
        for gate in trial.gates:
            yield gate.label, gate.labels.get(language, "")
        for criterion in trial.criteria:
            translated = criterion.zh if language == "zh" else {}
            yield criterion.short, translated.get("short", "")
            yield criterion.text, translated.get("text", "")

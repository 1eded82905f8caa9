"""The language of the terminal: who speaks there, and what of English sentences made elsewhere is said in it."""

from __future__ import annotations

import gettext
import os
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any, Final

from cds_service.errors import CdsServiceError, Complaint, RuleError
from cds_service.facts.phrase import Phrase
from cds_service.languages import DOMAIN, FOLDER, LANGUAGES
from cds_service.present.speaker import Speaker, speaker

if TYPE_CHECKING:  # `--help` does not wait for them
    from cds_service.trials.model import Library

TERMINAL: Final = "terminal"
"""The catalogue of help texts, of click's own words, and of messages that lower layers write in English."""
CHINESE: Final = LANGUAGES["zh"]

_LOCALE: Final = ("LC_ALL", "LC_MESSAGES", "LANG")  # as POSIX has them: the first that is set counts
_PLACE: Final = r"(.+?)"
_DEEPEST: Final = 8
_LETTERS: Final = 8


def terminal_language() -> str:
    """Return "en" or "zh": what the setting `language` says where somebody set it, else what the locale says.

    It must be known before anything else is, so the setting is read here without the others.
    """
    chosen = os.environ.get("CDS_LANGUAGE") or _of_file()
    if isinstance(chosen, str) and chosen in LANGUAGES:
        return chosen
    locale = next((value for name in _LOCALE if (value := os.environ.get(name))), "")
    return "zh" if re.match("zh(?![a-z])", locale.lower()) else "en"


def terminal(library: Library | None = None) -> Speaker:
    """Return who speaks on the terminal; with rules, also their words."""
    return speaker(terminal_language(), library)


def heard(text: str) -> str:
    """Say an English sentence of a lower layer in the terminal's language; one that is not known stays English.

    Errors, complaints and findings are written in English where they arise: logs and answers to other programs want
    them so. Here the template is found that a sentence was made from, and what stands in its places is heard as well.
    """
    if isinstance(text, Phrase):
        return terminal().said(text)
    return text if terminal_language() == "en" else _heard(text, _DEEPEST)


def told(error: CdsServiceError) -> str:
    """Say an error's message."""
    if isinstance(error, RuleError):
        return "\n".join(map(complained, error.complaints))
    return heard(str(error))


def complained(complaint: Complaint) -> str:
    """Say a complaint about a rule file, with its file and line."""
    if terminal_language() == "en":
        return str(complaint)
    line = f"{complaint.where}：{heard(complaint.message)}"
    return line + (f"（{heard(complaint.hint)}）" if complaint.hint else "")


class Catalogue(gettext.GNUTranslations):
    """A catalogue that also tells what it holds."""

    def __iter__(self) -> Any:
        """Yield the English templates; plurals are click's own affair."""
        return (key for key in vars(self)["_catalog"] if key and isinstance(key, str))


@cache
def catalogue(domain: str = TERMINAL) -> Catalogue:
    """Return a Chinese catalogue: the terminal's, or that of phrases, which stand in messages as English text."""
    return gettext.translation(domain, FOLDER, [CHINESE], class_=Catalogue)


@cache
def _patterns() -> Mapping[re.Pattern[str], tuple[str, tuple[str, ...]]]:
    """Return how each template with places is recognised: those that begin with words first, then the longest."""
    found: list[tuple[bool, int, re.Pattern[str], str, tuple[str, ...]]] = []
    for template in (*catalogue(), *filter(_telling, catalogue(DOMAIN))):
        try:
            parts = [(fixed, name, said_by) for fixed, name, _format, said_by in Formatter().parse(template)]
        except ValueError:  # a lone brace: a help text, without places
            continue
        names = tuple(name for _fixed, name, _conversion in parts if name is not None)
        if names and not any(conversion for _fixed, _name, conversion in parts):  # those are click's own
            pattern = "".join(re.escape(fixed) + (_PLACE if name is not None else "") for fixed, name, _ in parts)
            length = sum(len(fixed) for fixed, _name, _said_by in parts)
            found.append((not parts[0][0], -length, re.compile(pattern, re.DOTALL), template, names))
    found.sort(key=lambda one: one[:2])
    return {pattern: (template, names) for _place_first, _length, pattern, template, names in found}


def _telling(template: str) -> bool:
    """Say whether a template has words enough of its own to be recognised by."""
    return sum(map(str.isalpha, re.sub(r"\{\w*\}", "", template))) >= _LETTERS


def _translated(text: str) -> str:
    said = catalogue().gettext(text)
    return said if said != text else catalogue(DOMAIN).gettext(text)


def _heard(text: str, deepest: int) -> str:
    if not text or not deepest:
        return text
    said = _translated(text)
    if said != text:
        return said
    for pattern, (template, names) in _patterns().items():
        if match := pattern.fullmatch(text):
            values = {name: _heard(one, deepest - 1) for name, one in zip(names, match.groups(), strict=True)}
            return _translated(template).format(**values)
    return text


def _of_file() -> object:
    """Return `language` of the settings file; what is wrong with that file is said when the settings are read."""
    named = os.environ.get("CDS_CONFIG", "").strip()
    try:
        return tomllib.loads(Path(named).expanduser().read_text(encoding="utf-8")).get("language") if named else None
    except (OSError, ValueError):
        return None

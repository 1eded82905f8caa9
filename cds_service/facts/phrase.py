"""A clause for people that remembers how it was made, so that it can be said in another language.

Readers write English templates with named places. A :class:`Phrase` is that English text wherever text is wanted;
:func:`in_language` makes it anew from a translated template. Plain strings are words of the record: they are
shown as they stand in every language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import reduce
from typing import Any, Final

from cds_service.facts.seams import filled, pieces

Translate = Callable[[str], str]

# A template that begins with this place is a sentence: what stands there gets a capital, unless the record wrote it.
_SENTENCE: Final = "{Clause}"
_SMALL: Final = re.compile("[a-z](?![^a-z ])")


class Phrase(str):
    """English text with its template and values.

    Args:
        template: with places in braces; the key of the translation.
        values: what stands in the places: phrases, words of the record, numbers, days.
        parts: for a phrase that is others in a row: those, and what stands between them.
    """

    __slots__ = ("parts", "separator", "template", "values")

    template: str
    values: dict[str, Any]
    parts: tuple[str, ...]
    separator: str

    def __new__(
        cls, template: str, values: dict[str, Any] | None = None, parts: tuple[str, ...] = (), separator: str = ""
    ) -> Phrase:
        """Make the English text."""
        found = values or {}
        text = separator.join(parts) if parts else template.format(**_plainly(found)) if found else template.format()
        if template.startswith(_SENTENCE):
            text = _begun(text, found)
        self = super().__new__(cls, text)
        self.template, self.values, self.parts, self.separator = template, found, parts, separator
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Let a phrase travel between processes."""
        return Phrase, (self.template, self.values, self.parts, self.separator)


NOTHING: Final = ""


def say(template: str, **values: Any) -> Phrase:
    """Return a phrase.

    >>> say("{begun} of {least} cycles begun", begun=2, least=4)
    '2 of 4 cycles begun'
    """
    return Phrase(template, values)


def words_of_rules(text: str) -> Phrase:
    """Return a label or short text of a rule file as a phrase: its own words are the key of its translation."""
    return Phrase(text.replace("{", "{{").replace("}", "}}"))


def joined(parts: Iterable[str], separator: str = "; ") -> str:
    """Return phrases and words in a row, each once; nothing for none."""
    kept = tuple(dict.fromkeys(part for part in parts if part))
    if len(kept) < 2:
        return kept[0] if kept else NOTHING
    return Phrase("", parts=kept, separator=separator)


def in_language(text: str, translate: Translate) -> str:
    """Return a text in another language; words of the record stay as they are.

    Args:
        text: a phrase, or words of the record.
        translate: a template's translation (``gettext``).
    """
    if not isinstance(text, Phrase):
        return text
    if text.parts:
        return in_a_row((in_language(part, translate) for part in text.parts), text.separator, translate)
    values = {name: in_language(v, translate) if isinstance(v, str) else _plain(v) for name, v in text.values.items()}
    template = translate(text.template)
    if template != text.template:
        return filled(template, values)
    said = template.format(**values)
    return _begun(said, text.values) if template.startswith(_SENTENCE) else said


def in_a_row(said: Iterable[str], separator: str, translate: Translate) -> str:
    """Put finished texts in a row, with the language's own sign for a separator; nothing for none.

    Args:
        said: in the language already.
        separator: what stands between them in English.
        translate: a template's translation.
    """
    template = f"{{one}}{separator}{{other}}"
    row = translate(template)
    kept = list(said)
    if row == template or not kept:
        return separator.join(kept)
    return reduce(lambda one, other: filled(row, {"one": one, "other": other}), kept)


def _begun(said: str, values: Mapping[str, Any]) -> str:
    """Return an English sentence with a capital, unless it begins with a word of the record, or one such as aPTT."""
    if _SMALL.match(said) and _is_ours(values["Clause"]):
        return said[0].upper() + said[1:]
    return said


def _is_ours(text: Any) -> bool:
    """Say whether a text begins with words of ours."""
    if not isinstance(text, Phrase):
        return False
    if text.parts:
        return _is_ours(text.parts[0])
    for piece, place in pieces(text.template):
        if not place:
            return True
        if text.values[piece] != NOTHING:
            return _is_ours(text.values[piece])
    return False


def _plainly(values: dict[str, Any]) -> dict[str, Any]:
    for value in values.values():
        if not isinstance(value, str):
            return {name: _plain(one) for name, one in values.items()}
    return values


def _plain(value: Any) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)

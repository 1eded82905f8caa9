"""A clause for people that remembers how it was made, so that it can be said in another language.

Readers write English templates with named places. A :class:`Phrase` is that English text wherever text is wanted;
:func:`in_language` makes it anew from a translated template. Plain strings are words of the record: they are
shown as they stand in every language.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import reduce
from typing import Any, Final

Translate = Callable[[str], str]


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
        text = separator.join(parts) if parts else template.format(**{name: _plain(v) for name, v in found.items()})
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
        row = translate(f"{{one}}{text.separator}{{other}}")
        said = (in_language(part, translate) for part in text.parts)
        return reduce(lambda one, other: row.format(one=one, other=other), said)
    values = {name: in_language(v, translate) if isinstance(v, str) else _plain(v) for name, v in text.values.items()}
    return translate(text.template).format(**values)


def _plain(value: Any) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)

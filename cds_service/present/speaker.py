"""Who speaks to a reader: words, days and numbers in one language. Cards and pages say everything through it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from operator import is_
from typing import TYPE_CHECKING, Any, Final

from cds_service.facts import shown
from cds_service.facts.phrase import Phrase, Translate, in_a_row, in_language, words_of_rules
from cds_service.languages import as_it_is, translator

if TYPE_CHECKING:  # `--help` does not wait for them
    from cds_service.trials.model import Library

# BCP 47: for `lang` of a page and for Content-Language.
TAGS: Final = {"en": "en", "zh": "zh-Hans"}


@dataclass(frozen=True)
class Speaker:
    """Says things in one language.

    Args:
        language: "en" or "zh".
        translate: a template's translation.
    """

    language: str = "en"
    translate: Translate = as_it_is

    @property
    def tag(self) -> str:
        """Return the language as HTML and HTTP name it."""
        return TAGS[self.language]

    def t(self, text: str, **values: Any) -> str:
        """Say a template of ours, or a phrase; days among the values are said as days.

        Without values nothing is put into places: words of a record that came here by mistake do no harm.

        Args:
            text: a template that the catalogues hold, a literal where it is written; or a phrase.
            values: what stands in the places: phrases, words of the record, numbers, days.

        >>> ENGLISH.t("results count until {day}", day=date(2026, 3, 1))
        'results count until 1 Mar 2026'
        """
        if isinstance(text, Phrase):
            return self.said(text)
        return self.said(Phrase(text, values)) if values else self.translate(text)

    def said(self, text: str) -> str:
        """Say a phrase; words of the record are left as they are, even where they look like a template of ours."""
        if not isinstance(text, Phrase):
            return text
        told = _with_days(text)
        # A phrase is its English text already.
        return str(told) if self.translate is as_it_is else in_language(told, self.translate)

    def joined(self, parts: Iterable[str], separator: str = "; ") -> str:
        """Say phrases and words in a row, with the language's own punctuation between them; nothing for none.

        >>> ENGLISH.joined(["a", "", "b"], ", ")
        'a, b'
        """
        return in_a_row([one for one in map(self.said, parts) if one], separator, self.translate)

    def rules(self, text: str) -> str:
        """Say words of a rule file."""
        return in_language(words_of_rules(text), self.translate)

    def inside(self, label: str) -> str:
        """Write a label, already said, for the middle of a sentence; names such as ECOG keep their capitals.

        >>> ENGLISH.inside("Total bilirubin"), ENGLISH.inside("AST")
        ('total bilirubin', 'AST')
        """
        return label[:1].lower() + label[1:] if self.language == "en" and label[1:2].islower() else label

    def day(self, value: date | str | None, *, year: bool = True) -> str:
        """Write a day, or as much as is known of one: "1 Mar 2026"."""
        return in_language(shown.day(value, year=year), self.translate)

    def number(self, value: Decimal | int | None) -> str:
        """Write a number for people: four significant digits, more where rounding would hide a difference."""
        return shown.plain_number(Decimal(value) if isinstance(value, int) else value)


ENGLISH: Final = Speaker()


def _with_days(text: str) -> str:
    """Return a phrase whose dates are days for people."""
    if not isinstance(text, Phrase):
        return text
    parts = tuple(map(_with_days, text.parts))
    values = {name: _for_people(one) for name, one in text.values.items()}
    same = all(map(is_, parts, text.parts)) and all(map(is_, values.values(), text.values.values()))
    return text if same else Phrase(text.template, values, parts, text.separator)


def _for_people(value: Any) -> Any:
    if isinstance(value, date):
        return shown.day(value)
    return _with_days(value) if isinstance(value, str) else value


def speaker(language: str, library: Library | None = None) -> Speaker:
    """Return who speaks a language.

    Args:
        language: "en" or "zh".
        library: the rules whose own words are said too; None for none.

    Raises:
        RequestError: the language is not one of ours.
    """
    return Speaker(language, translator(language, library))

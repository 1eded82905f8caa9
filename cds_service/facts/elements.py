"""Tolerant access to FHIR JSON: a wrong shape reads as nothing, and never raises."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from cds_service.facts.codes import Concept, ValueSet, normalise_system


@dataclass(frozen=True)
class Coding:
    """One code of a CodeableConcept; every part may be missing."""

    system: str | None
    code: str | None
    display: str = ""


@dataclass(frozen=True)
class Coded:
    """A CodeableConcept: codes, and the text beside them.

    Args:
        codings: in the order of the record.
        text: ``CodeableConcept.text``, or a plain string where the record has only that.
    """

    codings: tuple[Coding, ...] = ()
    text: str = ""

    @property
    def readable(self) -> bool:
        """Whether there is any code or text at all."""
        return bool(self.text) or any([coding.code or coding.display for coding in self.codings])

    @property
    def label(self) -> str:
        """What a person would call it: the text, a display, or a bare code."""
        shown = [self.text, *(c.display for c in self.codings), *(c.code or "" for c in self.codings)]
        return next((name for name in shown if name), "")

    def find(self, value_set: ValueSet) -> Concept | None:
        """Return the first concept of the value set that one of the codes matches."""
        for coding in self.codings:
            concept = value_set.find(coding.system, coding.code)
            if concept is not None:
                return concept
        return None

    def names(self) -> Iterator[str]:
        """Yield every text a drug or disease may be named in."""
        yield self.text
        for coding in self.codings:
            yield coding.display


NOTHING: Final = Coded()


def text_of(value: object) -> str:
    """Return a string element, stripped; anything else is empty."""
    return value.strip() if isinstance(value, str) else ""


def list_of(value: object) -> list[Any]:
    """Return a list element; a lone object (a common mistake) counts as a list of one."""
    if value is None:
        return []
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, Mapping) else []


def object_of(value: object) -> Mapping[str, Any]:
    """Return an object element; anything else is empty."""
    if type(value) is dict:  # what JSON gives; the question below takes ten times as long
        return value
    return value if value is not None and isinstance(value, Mapping) else {}


def coded(value: object) -> Coded:
    """Read a CodeableConcept, or a bare Coding."""
    if value is None:
        return NOTHING
    concept = object_of(value)
    items = list_of(concept.get("coding")) or ([concept] if "code" in concept or "system" in concept else [])
    return Coded(tuple([_coding(object_of(item)) for item in items]), text_of(concept.get("text")))


def _coding(item: Mapping[str, Any]) -> Coding:
    return Coding(
        normalise_system(text_of(item.get("system"))) or None,
        text_of(item.get("code")) or None,
        text_of(item.get("display")),
    )


def merged(concepts: list[Coded]) -> Coded:
    """Return all codes of several concepts as one."""
    texts = [concept.text for concept in concepts if concept.text]
    return Coded(tuple(coding for concept in concepts for coding in concept.codings), "; ".join(texts))


def number(value: object) -> Decimal | None:
    """Read a JSON number exactly; booleans, text, NaN and infinities are no numbers."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    try:
        exact = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        return None
    return exact if exact.is_finite() and abs(exact.adjusted()) < 40 else None


def extension(element: object, *endings: str) -> Mapping[str, Any] | None:
    """Return the first extension whose URL ends in one of the names (guides move, names stay)."""
    for item in map(object_of, list_of(object_of(element).get("extension"))):
        if text_of(item.get("url")).rsplit("/", 1)[-1] in endings:
            return item
    return None


def reference_of(value: object) -> str:
    """Return ``Reference.reference``, without a version."""
    return text_of(object_of(value).get("reference")).split("/_history/", 1)[0]


_TAIL: Final = re.compile(r"(?:^|/)([A-Za-z]+/[A-Za-z0-9.\-]{1,64})$")


def same_reference(left: str, right: str) -> bool:
    """Say whether two references name one resource of the same record, absolute or relative."""
    if not left or not right or left == right:
        return bool(left) and left == right
    a, b = _TAIL.search(left), _TAIL.search(right)
    return a is not None and b is not None and a[1] == b[1]

"""A patient's names and number as a Patient resource has them: a name for each script, the official one first.

Chinese records write one name in characters and one in letters, as two HumanNames told apart by the extension
``iso21090-EN-representation`` (IDE, SYL, ABC), or as a text alone. The number is the Identifier of type ``MR``.
Sources: FHIR R4, HumanName and Identifier; HL7 table 0203.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cds_service.facts.elements import extension, list_of, object_of, text_of

MOST: Final = 4
LONGEST: Final = 120
"""Characters of a name that are shown: longer ones are cut."""
# The order in which a name is chosen; of those that are no more used, only when there is no other.
_USES: Final = {"official": 0, "usual": 1, "": 2, "temp": 3, "nickname": 4, "anonymous": 5, "old": 6, "maiden": 7}
# Characters of China, Japan and Korea, which stand without a blank between family and given name.
_IDEOGRAPHS: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]")
_RECORD_NUMBER: Final = "MR"
_REPRESENTATIONS: Final = {"IDE": "ideographs", "SYL": "syllables", "ABC": "letters"}


def names_of(patient: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names to show of a patient: hostile text until it is escaped.

    >>> names_of({"name": [{"text": "Li Wei"}, {"use": "official", "family": "李", "given": ["伟"]}]})
    ('李伟', 'Li Wei')
    """
    found: dict[str, str] = {}
    elements = [object_of(item) for item in list_of(patient.get("name"))]
    for element in sorted(elements, key=lambda one: _USES.get(text_of(one.get("use")), 5)):
        for name, script in _written(element):
            if name:
                found.setdefault(script, name)
    return tuple(found.values())[:MOST]


def number_of(patient: Mapping[str, Any]) -> str:
    """Return a patient's medical record number, hostile text until it is escaped; "" where the record has none.

    >>> number_of({"identifier": [{"value": "1"}, {"type": {"coding": [{"code": "MR"}]}, "value": " 00 42 "}]})
    '00 42'
    """
    found = [object_of(item) for item in list_of(patient.get("identifier"))]
    for one in sorted(found, key=lambda one: _USES.get(text_of(one.get("use")), 5)):
        codings = [object_of(coding) for coding in list_of(object_of(one.get("type")).get("coding"))]
        number = _clean(text_of(one.get("value")))
        if number and any(text_of(coding.get("code")) == _RECORD_NUMBER for coding in codings):
            return number
    return ""


def _written(element: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each form of one HumanName with its script: the text, else its parts; and what stands in extensions."""
    family, given = text_of(element.get("family")), [text_of(one) for one in _texts(element.get("given"))]
    name = _clean(text_of(element.get("text")) or _joined(family, given))
    stated = text_of(object_of(extension(element, "iso21090-EN-representation")).get("valueCode"))
    yield name, _REPRESENTATIONS.get(stated) or _script(name)
    # The same parts in another script, as extensions of family and given.
    more = list_of(element.get("_given"))
    for ending in ("iso21090-EN-representation", "translation"):
        other = _joined(
            _extended(element.get("_family"), ending), [_extended(one, ending) for one in more if one is not None]
        )
        clean = _clean(other)
        yield clean, _script(clean)


def _texts(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _extended(element: object, ending: str) -> str:
    return text_of(object_of(extension(element, ending)).get("valueString"))


def _joined(family: str, given: list[str]) -> str:
    """Join family and given names as the script is written: 李伟, Wei Li."""
    parts = [part for part in given if part]
    if _IDEOGRAPHS.search(family + "".join(parts)):
        return family + "".join(parts)
    return " ".join([*parts, family]).strip()


def _script(name: str) -> str:
    return "ideographs" if _IDEOGRAPHS.search(name) else "letters"


def _clean(name: str) -> str:
    """Return a name in one line, without what is not to be seen (controls, changes of direction)."""
    seen = "".join(" " if c.isspace() else c for c in name if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join(seen.split())[:LONGEST]

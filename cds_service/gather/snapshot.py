"""A record as bytes, to be kept and judged again: an exact round trip, and a fingerprint of what it holds.

Only elements that some reader looks at are kept (``facts/unread.py`` lists them): no address, no narrative, no
picture, no name. Numbers keep their digits, and our own words for what was not read keep their template, so that a
kept record is judged, and told in each language, as it was on the day it was read.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from cds_service.facts.elements import list_of
from cds_service.facts.phrase import Phrase
from cds_service.facts.record import Completeness, Read, Record, Source
from cds_service.facts.treatments import drug_reference, ingredient_references
from cds_service.facts.unread import is_read

FORMAT: Final = 1
_DRUG: Final = frozenset({"code", "ingredient", "contained"})


@dataclass(frozen=True)
class Snapshot:
    """A record, packed.

    Args:
        fingerprint: ``sha256:`` of the content, whatever the order of its resources. What was set aside is no content.
        body: for :func:`unpack`.
    """

    fingerprint: str
    body: bytes = field(repr=False)


def pack(record: Record) -> Snapshot:
    """Return a record as bytes, without what no reader reads.

    Raises:
        ValueError: a number is not finite.
        TypeError: something in a resource is no JSON.
    """
    content = {
        "patient": [record.patient.reference, _kept("Patient", record.patient.body)],
        "resources": {
            kind: [[source.reference, _kept(kind, source.body)] for source in sources]
            for kind, sources in sorted(record.resources.items())
        },
        "reads": {kind: [read.completeness.value, _words(read.why)] for kind, read in sorted(record.reads.items())},
        "drugs": dict(_drugs(record)),
    }
    aside = [[_words(cause), count] for cause, count in record.set_aside.items()]
    text = _text({"format": FORMAT, **content, "aside": aside})
    return Snapshot(f"sha256:{_digest(content)}", zlib.compress(text.encode()))


def unpack(body: bytes) -> Record:
    """Return the record that was packed.

    Raises:
        ValueError: these bytes are no snapshot of this format.
    """
    try:
        told = json.loads(zlib.decompress(body), parse_float=Decimal)
    except zlib.error:
        raise ValueError("not a snapshot") from None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise ValueError("not a snapshot of this format")
    return Record(
        patient=Source(*told["patient"]),
        resources={kind: tuple(Source(*one) for one in found) for kind, found in told["resources"].items()},
        reads={kind: Read(Completeness(how), _said(why)) for kind, (how, why) in told["reads"].items()},
        medications=told["drugs"],
        set_aside={_said(cause): count for cause, count in told["aside"]},
    )


def _kept(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the elements of a resource that are read."""
    named = {"resourceType"} if kind == "Patient" else {"resourceType", "extension"}
    kept = {name: value for name, value in body.items() if name in named or is_read(kind, name)}
    if isinstance(kept.get("contained"), list):
        kept["contained"] = [_without_narrative(kind, one) for one in kept["contained"]]
    return kept


def _without_narrative(kind: str, contained: object) -> object:
    """Return what is read of a contained resource: a panel's member, or a drug and what it is made of."""
    if not isinstance(contained, Mapping):
        return contained
    named = {"id", "resourceType"} | ({"subject"} if kind == "Observation" else _DRUG)
    members = kind == contained.get("resourceType") == "Observation"
    return {name: value for name, value in contained.items() if name in named or (members and is_read(kind, name))}


def _drugs(record: Record) -> Iterable[tuple[str, dict[str, Any]]]:
    """Yield the Medications that the patient's resources point to, by what they are cited by."""
    every = [source.body for found in record.resources.values() for source in found]
    cited = {drug_reference(body) for body in every}
    cited |= {one for name in cited for one in ingredient_references(record.medications.get(name, {}))}
    inside = [item for body in every for item in list_of(body.get("contained")) if isinstance(item, Mapping)]
    cited |= {one for item in inside for one in ingredient_references(item)}
    for reference in sorted(cited):
        body = record.medications.get(reference)
        if body is not None:
            kept = {name: value for name, value in body.items() if name in _DRUG}
            if "contained" in kept:
                kept["contained"] = [_without_narrative("Medication", one) for one in list_of(kept["contained"])]
            yield reference, kept


def _digest(content: Mapping[str, Any]) -> str:
    """Return a digest that does not depend on the order of resources or of keys."""
    sources = [[kind, *one] for kind, found in content["resources"].items() for one in found]
    lines = sorted(_text(one) for one in sources)
    rest = _text([content[name] for name in ("patient", "reads", "drugs")])
    return hashlib.sha256("\n".join([*lines, rest]).encode()).hexdigest()


def _words(text: str) -> object:
    """Return our own words with their template, so that they can be said in another language later."""
    if not isinstance(text, Phrase):
        return text
    values = {name: _words(value) if isinstance(value, str) else value for name, value in text.values.items()}
    return {"say": text.template, "values": values, "parts": [_words(p) for p in text.parts], "between": text.separator}


def _said(told: Any) -> str:
    if isinstance(told, str):
        return told
    values = {name: _said(one) if isinstance(one, (str, dict)) else one for name, one in told["values"].items()}
    return Phrase(told["say"], values, tuple(map(_said, told["parts"])), told["between"])


def _text(value: object) -> str:
    """Write JSON with sorted keys and exact numbers; a ``Decimal`` is read back as one, of the same digits."""
    if value is None or isinstance(value, (bool, str, int)):
        return json.dumps(value)
    if isinstance(value, (Decimal, float)):
        exact = value if isinstance(value, Decimal) else Decimal(repr(value))
        if not exact.is_finite():
            raise ValueError("JSON has no NaN or Infinity")
        written = str(exact)
        # 12 would come back as an integer.
        return written if "." in written or "E" in written else f"{written}E0"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{json.dumps(_key(key))}:{_text(value[key])}' for key in sorted(value, key=_key))}}}"
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(_text, value))}]"
    raise TypeError(f"no JSON for {type(value).__name__}")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError("JSON keys are text")
    return key

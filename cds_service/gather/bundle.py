"""A Bundle as the whole record of one patient: what ``evaluate`` is given."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from cds_service.errors import RequestError
from cds_service.facts.phrase import say
from cds_service.facts.record import Read, Record, Source
from cds_service.gather.assemble import Harvest, assemble
from cds_service.gather.duplicates import Found, without_copies
from cds_service.gather.subjects import PatientNames

_MORE_PAGES: Final = say("the Bundle has further pages")
_FEWER: Final = say("the Bundle holds fewer records than it announces")


def read_bundle(body: Any) -> Record:
    """Read a Bundle that holds one Patient and everything recorded about this patient.

    A type without entries was read and is empty. An OperationOutcome entry that tells of an error, an entry
    that is no resource, a ``next`` link or a ``total`` above what is there makes every read incomplete.

    Args:
        body: parsed JSON of any shape.

    Returns:
        The record; its ``reads`` hold every type.

    Raises:
        RequestError: not a Bundle, ``entry`` is not a list, or it holds no Patient or two different ones.

    Source: the eligibility contract, section 3.
    """
    if not isinstance(body, dict):
        raise RequestError("The Bundle must be a JSON object.", field="body")
    if body.get("resourceType") != "Bundle":
        raise RequestError("resourceType must be Bundle.", field="resourceType")
    harvest = harvest_of(body)
    patient, names = one_patient(harvest.entries)
    return assemble(patient, names, [harvest])


def harvest_of(body: dict[str, Any]) -> Harvest:
    """Return what a Bundle holds, and whether that is all.

    Raises:
        RequestError: ``entry`` is there and is not a list.
    """
    entries = bundle_entries(body)
    return Harvest(entries, _own_completeness(body, entries))


def bundle_entries(body: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Return ``(fullUrl, resource)`` of each entry; the resource may be anything.

    Raises:
        RequestError: ``entry`` is there and is not a list.
    """
    entries = body.get("entry", [])
    if not isinstance(entries, list):
        raise RequestError("entry must be a list.", field="entry")
    return tuple(
        (_text(entry, "fullUrl"), entry.get("resource") if isinstance(entry, dict) else None) for entry in entries
    )


def next_link(body: dict[str, Any]) -> str | None:
    """Return the next page's URL, "" for a ``next`` link without a usable one, None on the last page."""
    links = body.get("link", [])
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict) and link.get("relation") == "next":
            return _text(link, "url")
    return None


def announced(body: dict[str, Any]) -> int:
    """Return ``Bundle.total``, how many matches there are on all pages; 0 when it does not say."""
    total = body.get("total")
    return total if isinstance(total, int) and not isinstance(total, bool) else 0


def match_ids(body: dict[str, Any], asked: str | None) -> set[str]:
    """Collect what a page counts towards ``total``: matches, not includes or outcomes.

    Args:
        body: a searchset Bundle.
        asked: the type that was searched; None for any.
    """
    found = set()
    for at, entry in enumerate(body.get("entry", [])):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict):
            continue
        search = entry.get("search")
        mode = search.get("mode") if isinstance(search, dict) else None
        if mode == "match" or (mode is None and _counts(resource.get("resourceType"), asked)):
            found.add(str(resource.get("id") or entry.get("fullUrl") or f"unnamed {at}"))
    return found


def _counts(kind: object, asked: str | None) -> bool:
    return kind != "OperationOutcome" if asked is None else kind == asked


def _own_completeness(body: dict[str, Any], entries: tuple[tuple[str, Any], ...]) -> Read:
    if next_link(body) is not None:
        return Read.incomplete(_MORE_PAGES)
    if body.get("type") == "searchset" and announced(body) > len(match_ids(body, None)):
        return Read.incomplete(_FEWER)
    return Read()


def one_patient(entries: Iterable[tuple[str, Any]]) -> tuple[Source, PatientNames]:
    """Return the one Patient of a record, and what other resources call it.

    Raises:
        RequestError: there is none, there are two, or nothing tells which version is the newer.
    """
    patients = [
        Found(resource, full_url)
        for full_url, resource in entries
        if isinstance(resource, dict) and resource.get("resourceType") == "Patient"
    ]
    if not patients:
        raise RequestError("entry holds no Patient.", field="entry")
    sources, _copies, unclear = without_copies(patients)
    if len(sources) > 1 and not unclear:
        raise RequestError("entry holds two different Patients; one Bundle is one patient's record.", field="entry")
    if unclear:
        raise RequestError("entry holds two versions of the Patient, and nothing tells which is newer.", field="entry")
    first = min(patients, key=lambda one: (not one.full_url, one.full_url))
    names = PatientNames(first.id, first.full_url)
    if not names.reference:
        raise RequestError("The Patient has neither an id nor a fullUrl.", field="entry.resource.id")
    return sources[0], names


def _text(value: object, key: str) -> str:
    text = value.get(key) if isinstance(value, dict) else None
    return text if isinstance(text, str) else ""

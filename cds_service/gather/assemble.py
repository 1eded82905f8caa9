"""From what was found to a record: one way for a Bundle, for prefetch and for a FHIR server's answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cds_service.facts.phrase import say
from cds_service.facts.record import RESOURCE_TYPES, Completeness, Read, Record, Source
from cds_service.gather.duplicates import Found, base_of, canonical, without_copies
from cds_service.gather.subjects import PatientNames, whose

NOT_A_RESOURCE: Final = say("not a resource")
OTHER_TYPES: Final = say("of types not read")
DUPLICATES: Final = say("duplicates")

_UNREADABLE: Final = say("an entry could not be read")
_FOREIGN: Final = say("records that are not this patient's were in the answer")
_MISPLACED: Final = say("records of another type were in the answer")
_VERSIONS: Final = say("versions of one record differ")


@dataclass(frozen=True)
class Harvest:
    """What one source of resources gave: a Bundle, one prefetch key, or one search with all its pages.

    Args:
        entries: ``(fullUrl, resource)`` as they came; the resource may be anything.
        read: how completely the source itself was read.
        asked: the type that was asked for; None for a Bundle that may hold every type.
    """

    entries: tuple[tuple[str, Any], ...] = ()
    read: Read = field(default_factory=Read)
    asked: str | None = None


def worse(left: Read, right: Read) -> Read:
    """Return the less complete of two reads; of equals, the first."""
    order = [Completeness.COMPLETE, Completeness.INCOMPLETE, Completeness.FAILED]
    return right if order.index(right.completeness) > order.index(left.completeness) else left


def outcome_error(resource: Mapping[str, Any]) -> bool:
    """Say whether an OperationOutcome tells of an error; one that cannot be read is taken to."""
    issues = resource.get("issue")
    if not isinstance(issues, list) or not issues:
        return True
    severities = {issue.get("severity") if isinstance(issue, dict) else None for issue in issues}
    return not severities <= {"warning", "information", "success"}


def assemble(patient: Source, names: PatientNames, harvests: Iterable[Harvest]) -> Record:
    """Sort what was found into a record of one patient.

    The result does not depend on the order of entries, pages or harvests: sources are sorted by reference.

    Args:
        patient: the Patient resource.
        names: what other resources call the patient.
        harvests: everything that was found, and how completely.

    Returns:
        The record. A type that no harvest asked for was not read.
    """
    reads: dict[str, Read] = {}
    aside: Counter[str] = Counter()
    kept: dict[str, list[Found]] = {}
    drugs: list[Found] = []
    for harvest in harvests:
        read = harvest.read
        for full_url, resource in harvest.entries:
            cause, spoils = _sort_in(full_url, resource, harvest.asked, names, kept, drugs)
            if cause:
                aside[cause] += 1
            if spoils:
                read = worse(read, Read.incomplete(spoils))
        for name in RESOURCE_TYPES if harvest.asked is None else (harvest.asked,):
            reads[name] = worse(reads.get(name, read), read)
    resources: dict[str, tuple[Source, ...]] = {}
    for name, found in kept.items():
        sources, copies, doubt = without_copies(found)
        resources[name] = tuple(sources)
        aside[DUPLICATES] += copies
        if doubt:
            reads[name] = worse(reads.get(name, Read()), Read.incomplete(_VERSIONS))
    return Record(
        patient=patient,
        resources=resources,
        reads=reads,
        medications=_by_reference(drugs),
        set_aside={cause: aside[cause] for cause in sorted(aside) if aside[cause]},
    )


def _sort_in(
    full_url: str,
    resource: Any,
    asked: str | None,
    names: PatientNames,
    kept: dict[str, list[Found]],
    drugs: list[Found],
) -> tuple[str, str]:
    """Put one entry where it belongs; return why it is set aside, and why the read is no longer complete."""
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        return NOT_A_RESOURCE, _UNREADABLE
    kind, found = str(resource["resourceType"]), Found(resource, full_url)
    if kind == "OperationOutcome":
        return "", say("the answer reports an error") if outcome_error(resource) else ""
    if kind in ("Medication", "Substance"):  # a Substance is what a Medication may be made of
        drugs.append(found)
        return "", ""
    if kind not in RESOURCE_TYPES:
        return ("", "") if kind == "Patient" else (OTHER_TYPES, _MISPLACED if asked else "")
    cause = whose(resource, names, base_of(found))
    if cause:
        # A search by patient that answers with somebody else's records did not do what it was asked.
        return cause, "" if asked is None else _FOREIGN
    if asked is not None and kind != asked:
        return OTHER_TYPES, _MISPLACED
    kept.setdefault(kind, []).append(found)
    return "", ""


def _by_reference(drugs: list[Found]) -> dict[str, Mapping[str, Any]]:
    """Index Medications by every name they may be cited by; one that is two different things is left out."""
    index: dict[str, Mapping[str, Any]] = {}
    sources, _copies, _doubt = without_copies(drugs)
    times = Counter(source.reference for source in sources)
    for source in sources:
        if times[source.reference] == 1:
            index[source.reference] = source.body
    for drug in sorted(drugs, key=lambda one: canonical(one.resource)):
        if drug.full_url and drug.reference in index:
            index[drug.full_url] = index[drug.reference]
    return index

"""What to read of a chart: one source for the prefetch templates and for the FHIR searches.

Only the query subset that every CDS Hooks client must understand is used (instance read, type search,
references, token equality), and each parameter has one value: the public Sandbox joins repeated ones with a
comma, an OR.
Source: CDS Hooks 2.0.1, Prefetch query restrictions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from cds_service.facts.record import RESOURCE_TYPES

PATIENT_KEY: Final = "patient"
PATIENT_TOKEN: Final = "{{context.patientId}}"  # noqa: S105 (a template token, not a secret)

# Prefetch keys are published, typed into EHRs by hand, and so never change.
KEYS: Final[Mapping[str, str]] = {
    "Condition": "conditions",
    "Observation": "observations",
    "MedicationStatement": "medicationStatements",
    "MedicationRequest": "medicationRequests",
    "MedicationAdministration": "medicationAdministrations",
    "Procedure": "procedures",
}

# Common servers cut a request line at 8 kB; half of it leaves room for the base URL and for proxies.
_LONGEST_CODES: Final = 3_500
_PAGE: Final = 250  # the usual default of 20 would make a chart of labs ten round trips
LONGEST_PAGE: Final = 1_000  # the most that common servers give at once (fhir-router, sekmet)

Query = tuple[tuple[str, str], ...]
"""The parameters of one search request, not yet encoded."""


@dataclass(frozen=True)
class Search:
    """One search by patient.

    Args:
        type: the FHIR resource type.
        codes: ``system|code`` tokens, any of which is wanted; empty for every record of the type.
    """

    type: str
    codes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The prefetch key."""
        return KEYS[self.type]

    @property
    def template(self) -> str:
        """The prefetch template, a relative URL with the patient token."""
        # Readable by the analyst who copies it, yet with whatever would end the parameter encoded.
        codes = quote(",".join(self.codes), safe=":/|,.-_~")
        return f"{self.type}?patient={PATIENT_TOKEN}" + (f"&code={codes}" if codes else "")

    def queries(self, patient_id: str) -> Iterator[Query]:
        """Yield the parameters of each request; long code lists are split over several."""
        # `Patient/<id>`: every server tried takes it, and some answer the bare id with silence.
        common = (("patient", f"Patient/{patient_id}"), ("_count", str(_PAGE)))
        if not self.codes:
            yield common
        for part in _parts(self.codes):
            yield (*common, ("code", ",".join(part)))


def longer(query: Query, came: int) -> Query | None:
    """Return the search for one long page, when what came may have been cut at the page asked for; else None.

    >>> longer((("patient", "Patient/1"), ("_count", "250")), 250)
    (('patient', 'Patient/1'), ('_count', '1000'))
    """
    if came < _PAGE:
        return None
    return tuple((name, str(LONGEST_PAGE) if name == "_count" else value) for name, value in query)


def plainer(query: Query) -> tuple[Query, Query]:
    """Return a search that was refused with less in it: without page size, then with the bare patient id too.

    Oracle Health documents neither `_count` nor `Patient/<id>` for Condition, and refuses `_count` elsewhere.
    Sources: fhir.cerner.com, Millennium R4, Condition; beda-software/fhir-py issue 100.

    >>> plainer((("patient", "Patient/1"), ("_count", "250")))
    ((('patient', 'Patient/1'),), (('patient', '1'),))
    """
    uncounted = tuple((name, value) for name, value in query if name != "_count")
    bare = tuple((name, value.removeprefix("Patient/") if name == "patient" else value) for name, value in uncounted)
    return uncounted, bare


@dataclass(frozen=True)
class Plan:
    """Everything that is read besides the Patient, a search for each type."""

    searches: tuple[Search, ...]

    @property
    def templates(self) -> dict[str, str]:
        """The ``prefetch`` object of the discovery answer."""
        return {
            PATIENT_KEY: f"Patient/{PATIENT_TOKEN}",
            **{search.key: search.template for search in self.searches},
        }


def make_plan(codes: Mapping[str, Iterable[tuple[str, str]]]) -> Plan:
    """Plan the reading of a chart.

    Args:
        codes: per resource type the ``(system, code)`` pairs that any rule needs; others are read whole.

    >>> make_plan({"Observation": [("http://loinc.org", "718-7")]}).templates["observations"]
    'Observation?patient={{context.patientId}}&code=http://loinc.org|718-7'
    """
    return Plan(
        tuple(
            Search(name, tuple(sorted({_token(system, code) for system, code in codes.get(name, ())})))
            for name in RESOURCE_TYPES
        )
    )


def _token(system: str, code: str) -> str:
    r"""Write a search token; ``\``, ``|``, ``,`` and ``$`` in a code are escaped as FHIR search asks."""
    escaped = "".join(f"\\{char}" if char in "\\|,$" else char for char in code)
    return f"{system}|{escaped}" if system else escaped


def _parts(codes: tuple[str, ...]) -> Iterator[list[str]]:
    part: list[str] = []
    length = 0
    for code in codes:
        size = len(quote(code, safe="")) + 3
        if part and length + size > _LONGEST_CODES:
            yield part
            part, length = [], 0
        part.append(code)
        length += size
    if part:
        yield part

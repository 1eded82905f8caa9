"""A chart for a hook: what prefetch brought, and from the FHIR server only what it did not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from cds_service.errors import GatherError, RequestError
from cds_service.facts.phrase import say
from cds_service.facts.record import Completeness, Read, Record, Source
from cds_service.gather.assemble import Harvest, assemble, worse
from cds_service.gather.client import FhirClient
from cds_service.gather.plan import KEYS, PATIENT_KEY, Plan, Search
from cds_service.gather.prefetch import Given, check_prefetch, given_patient, given_search
from cds_service.gather.subjects import PatientNames
from cds_service.gather.transport import TIME_OUT

PATIENT_ID: Final = re.compile(r"[A-Za-z0-9.\-]{1,64}")
MAX_DRUG_READS: Final = 40

_NOT_SENT: Final = say("not sent, and no FHIR server to ask")
_PATIENT_SENT: Final = f"prefetch.{PATIENT_KEY}"
# A server that refuses a token, or knows no such patient, is the right one.
_BLAMED: Final[Mapping[str, str]] = {
    **dict.fromkeys(["HTTP 401", "HTTP 403"], "fhirAuthorization"),
    **dict.fromkeys(["HTTP 404", "HTTP 410"], "context.patientId"),
}
# No "?" before the type: a reference would then be any question to the server, asked with the call's token.
_DRUG_REFERENCE: Final = re.compile(r"([^?#]*/)?Medication/[A-Za-z0-9.\-]{1,64}")
_DRUG: Final = say("a Medication that it points to could not be read")
POINT_TO_DRUGS: Final = ("MedicationStatement", "MedicationRequest", "MedicationAdministration")


def read_chart(
    prefetch: Mapping[str, Any],
    plan: Plan,
    patient_id: str,
    client: FhirClient | None,
    *,
    refused: str = "",
) -> Record:
    """Read one patient's chart.

    Args:
        prefetch: as the client sent it; empty when it sent none.
        plan: what is needed.
        patient_id: ``context.patientId``.
        client: the FHIR server of this call, when there is one that may be asked.
        refused: why the one that it names may not; "" when it names none.

    Returns:
        The record. What could not be read is told by its ``reads``.

    Raises:
        RequestError: the patient id or a prefetch value has no possible meaning (400).
        GatherError: the Patient, or everything besides the Patient, could not be read (412).

    Source: the eligibility contract, section 4, "What the chart is told".
    """
    if not PATIENT_ID.fullmatch(patient_id):
        raise RequestError("context.patientId must be 1 to 64 letters, digits, '-' or '.'.", field="context.patientId")
    check_prefetch(prefetch, frozenset([PATIENT_KEY, *KEYS.values()]))
    given = {s.type: given_search(prefetch[s.key], s.type) for s in plan.searches if s.key in prefetch}
    unsent = Read.failed(refused or _NOT_SENT)
    asked_patient, patient_read = _patient_and(prefetch, plan, patient_id, client, given, unsent)
    blame = _PATIENT_SENT if PATIENT_KEY in prefetch or not (client or refused) else _blame(patient_read)
    patient = _the_patient(asked_patient, patient_read, patient_id, blame)
    names = PatientNames(patient_id)
    harvests = [one.harvest for one in given.values()]
    if all(harvest.read.completeness is Completeness.FAILED for harvest in harvests):
        reasons = "; ".join(f"{KEYS[h.asked]}: {h.read.why}" for h in harvests if h.asked)
        blame = "" if client is not None else "fhirServer" if refused else "prefetch"
        raise GatherError(f"Nothing but the Patient could be read ({reasons}).", field=blame)
    record = assemble(patient, names, harvests)
    return record if client is None else _with_drugs(record, patient, names, harvests, client)


def _patient_and(
    prefetch: Mapping[str, Any],
    plan: Plan,
    patient_id: str,
    client: FhirClient | None,
    given: dict[str, Given],
    unsent: Read,
) -> tuple[dict[str, Any] | None, Read]:
    """Ask the server, all at once, for what was not sent; complete ``given`` in place, return the Patient."""
    jobs: dict[str, Any] = {}
    if PATIENT_KEY not in prefetch and client is not None:
        jobs[PATIENT_KEY] = partial(client.patient, patient_id)
    for search in plan.searches:
        before = given.get(search.type)
        if before is None and client is None:
            given[search.type] = Given(Harvest((), unsent, search.type))
        elif before is None and client is not None:
            jobs[search.type] = partial(client.search, search, patient_id)
        elif before is not None and before.next_url and client is not None:
            jobs[search.type] = partial(_rest, client, search, before)
    done = client.together(jobs, None) if client is not None else {}
    for name, result in done.items():
        if name != PATIENT_KEY:
            late = Harvest((), Read.failed(TIME_OUT), name)
            if result is None and name in given:  # its first page came by prefetch and stays
                late = Harvest(given[name].harvest.entries, Read.incomplete(TIME_OUT), name)
            given[name] = Given(result or late)
    if PATIENT_KEY in prefetch:
        return given_patient(prefetch[PATIENT_KEY])
    return done.get(PATIENT_KEY) or (None, unsent if client is None else Read.failed(TIME_OUT))


def _rest(client: FhirClient, search: Search, first: Given) -> Harvest:
    """Follow a paged prefetch result with the token we were given for it."""
    rest = client.pages(first.next_url or "", search.type, first.harvest.entries)
    read = rest.read if rest.read.complete else Read.incomplete(rest.read.why)
    return Harvest(first.harvest.entries + rest.entries, read, search.type)


def _blame(read: Read) -> str:
    """Return the field of the call that sent us to a server which did not give the Patient."""
    return _BLAMED.get(read.why, "fhirServer")


def _the_patient(body: dict[str, Any] | None, read: Read, patient_id: str, blame: str) -> Source:
    if body is None:
        raise GatherError(f"The Patient could not be read ({read.why}).", field=blame)
    if body.get("id") != patient_id:
        raise GatherError("The Patient that was sent is not the one in context.patientId.", field=_PATIENT_SENT)
    return Source(f"Patient/{patient_id}", body)


def _with_drugs(
    record: Record, patient: Source, names: PatientNames, harvests: list[Harvest], client: FhirClient
) -> Record:
    """Read the Medications that statements, requests and administrations point to, and put them in."""
    wanted: dict[str, set[str]] = {}
    for name in POINT_TO_DRUGS:
        for source in record.resources.get(name, ()):
            reference = drug_reference(source.body)
            if reference and "/".join(reference.split("/")[-2:]) not in record.medications:
                wanted.setdefault(reference, set()).add(name)
    chosen = sorted(wanted)[:MAX_DRUG_READS]
    late: tuple[dict[str, Any] | None, Read] = (None, Read.failed(TIME_OUT))
    found = client.together({reference: partial(client.read, reference) for reference in chosen}, late)
    unread = {name for reference in wanted if found.get(reference, late)[0] is None for name in wanted[reference]}
    drugs = tuple((reference, body) for reference, (body, _read) in found.items() if body is not None)
    more = [_spoilt(harvest) if harvest.asked in unread else harvest for harvest in harvests]
    if drugs and more:
        more[0] = Harvest(more[0].entries + drugs, more[0].read, more[0].asked)
    return assemble(patient, names, more) if wanted else record


def _spoilt(harvest: Harvest) -> Harvest:
    return Harvest(harvest.entries, worse(harvest.read, Read.incomplete(_DRUG)), harvest.asked)


def drug_reference(body: Mapping[str, Any]) -> str:
    """Return ``medicationReference`` (R4), ``medication.reference`` (R5), when it points to a resource."""
    later = body.get("medication")
    element = body.get("medicationReference") or (later.get("reference") if isinstance(later, dict) else None)
    text = element.get("reference") if isinstance(element, dict) else None
    bare = text.split("/_history/")[0].strip() if isinstance(text, str) else ""
    return bare if _DRUG_REFERENCE.fullmatch(bare) else ""

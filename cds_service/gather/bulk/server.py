"""The patients of a FHIR server: found by the codes of their conditions, or all of them, and each read as for a hook.

Codes are searched one by one: ``code:below`` and beginnings of codes are not understood by most servers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from cds_service.errors import GatherError
from cds_service.facts.record import Completeness, Record
from cds_service.gather.assemble import outcome_error
from cds_service.gather.chart import PATIENT_ID, read_chart
from cds_service.gather.client import FhirClient
from cds_service.gather.plan import Plan, Query
from cds_service.gather.subjects import patient_named
from cds_service.gather.transport import NO_CONNECTION, TIME_OUT

Reach = Callable[[float], FhirClient]
Sleep = Callable[[float], None]

FIND_SECONDS: Final = 600.0
READ_SECONDS: Final = 60.0  # nobody waits at a screen: a slow server may take its time, and ask us to wait
PAUSES: Final = (5.0, 30.0)
"""How long we wait, in seconds, before a patient is tried again."""

_PAGE: Final = "250"
_CODES_AT_ONCE: Final = 25
_PASSING: Final = frozenset({"HTTP 408", "HTTP 429", "HTTP 502", "HTTP 503", "HTTP 504", str(TIME_OUT), NO_CONNECTION})
_WITHOUT_ID: Final = "some patients that the server named have no id that can be read"


def patients_with(reach: Reach, codes: Sequence[str]) -> tuple[set[str], str]:
    """Find the patients who have a Condition with one of these codes.

    Args:
        reach: opens the server for so many seconds.
        codes: ``system|code``.

    Returns:
        Ids, and why there may be more ("" when there are not).

    Raises:
        GatherError: the server did not answer.
    """
    found: set[str] = set()
    why = ""
    for start in range(0, len(codes), _CODES_AT_ONCE):
        query = (("code", ",".join(codes[start : start + _CODES_AT_ONCE])), ("_count", _PAGE))
        resources, short = _all_of(reach(FIND_SECONDS), "Condition", query)
        named = [patient_named(one) for one in resources]
        found.update(one for one in named if PATIENT_ID.fullmatch(one))
        why = why or short or (_WITHOUT_ID if "" in named else "")
    return found, why


def every_patient(reach: Reach) -> tuple[set[str], str]:
    """Find all patients; as :func:`patients_with`."""
    resources, why = _all_of(reach(FIND_SECONDS), "Patient", (("_count", _PAGE),))
    ids = [str(one.get("id") or "") for one in resources]
    known = {one for one in ids if PATIENT_ID.fullmatch(one)}
    return known, why or (_WITHOUT_ID if len(known) < len(set(ids)) else "")


def read_patient(reach: Reach, plan: Plan, patient: str, sleep: Sleep = time.sleep) -> Record:
    """Read one patient as a hook does, with more patience: what passes (429, 503, a time-out) is tried again.

    Args:
        reach: opens the server for so many seconds.
        plan: what is needed.
        patient: the id.
        sleep: waits for so many seconds.

    Raises:
        GatherError: the Patient, or everything else, could not be read.
    """
    for pause in (*PAUSES, None):
        try:
            record = read_chart({}, plan, patient, reach(READ_SECONDS))
            passing = any(str(read.why) in _PASSING for read in record.reads.values())
        except GatherError as error:
            if pause is None or not any(why in str(error) for why in _PASSING):
                raise
            passing = True
        if pause is None or not passing:
            return record
        sleep(pause)
    raise AssertionError("the last try returns or raises")  # pragma: no cover


def in_reach(reach: Reach) -> bool:
    """Say whether the server answers at all, be it with a refusal; no record is asked for."""
    answer = reach(READ_SECONDS).ask("Patient", (("_summary", "count"),))
    return answer.why not in (NO_CONNECTION, TIME_OUT)


def _all_of(client: FhirClient, kind: str, query: Query) -> tuple[list[dict[str, Any]], str]:
    """Return every resource of one type that a search finds, and why that may not be all."""
    found = client.whole(kind, query)
    if found.read.completeness is Completeness.FAILED:
        raise GatherError(f"{kind} could not be searched ({found.read.why}).")
    why = str(found.read.why)
    resources = []
    for _, one in found.entries:
        if not isinstance(one, dict):
            why = why or "an entry could not be read"
        elif one.get("resourceType") == kind:
            resources.append(one)
        elif one.get("resourceType") == "OperationOutcome" and outcome_error(one):
            why = why or "the answer reports an error"
    return resources, why

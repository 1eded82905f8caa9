"""A trial's lists as FHIR R4: a transaction that a server can take as it is, and take again after the next run.

Every resource has an id of its own that the next run gives again, so a second load replaces and does not double.
Patients are named by the references that they came with; one without an id, whom nothing could refer to, by name only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Final
from uuid import NAMESPACE_URL, uuid5

from cds_service.evaluation.outcome import Status
from cds_service.present import wording
from cds_service.present.cohort.funnel import Funnel, Step
from cds_service.present.cohort.lists import Cohort, TrialList
from cds_service.present.cohort.private_file import private_file
from cds_service.present.json_text import to_json
from cds_service.present.safe_text import plain
from cds_service.trials.model import Trial

# The system of ClinicalTrials.gov numbers. Source: HL7 R4 example ResearchStudy, and the registry's own address.
_REGISTRY: Final = "http://clinicaltrials.gov"
# Source: http://hl7.org/fhir/R4/codesystem-research-study-phase.html
_PHASE_SYSTEM: Final = "http://terminology.hl7.org/CodeSystem/research-study-phase"
_PHASES: Final = {
    "1": "phase-1",
    "1/2": "phase-1-phase-2",
    "2": "phase-2",
    "2/3": "phase-2-phase-3",
    "3": "phase-3",
} | {"4": "phase-4"}
# A status must be given, and no rule file knows whether a trial recruits.
# Source: http://hl7.org/fhir/R4/extension-data-absent-reason.html
_UNKNOWN: Final = {
    "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
}
_ORDER: Final = {"system": "http://terminology.hl7.org/CodeSystem/list-order", "code": "priority"}
_POPULATION: Final = "http://terminology.hl7.org/CodeSystem/measure-population"
_SCORING: Final = "http://terminology.hl7.org/CodeSystem/measure-scoring"


def write_fhir(cohort: Cohort, one: TrialList, path: Path) -> None:
    """Write a trial's Bundle, one resource after the other.

    ResearchStudy; List of the candidates in their order; Group of the candidates and of those who need data, whom to
    read again; ResearchSubject for each candidate; MeasureReport of each funnel, with its Measure.

    Args:
        cohort: the run.
        one: the trial's list.
        path: the file.
    """
    with private_file(path) as file:
        write_transaction(file, _resources(cohort, one))


def write_transaction(file: IO[bytes], resources: Iterable[dict[str, Any]]) -> None:
    """Write a Bundle that a server takes as it is, and takes again in place of the one before.

    Args:
        file: open for writing.
        resources: each with its id.
    """
    file.write(b'{"resourceType":"Bundle","type":"transaction","entry":[\n')
    for number, resource in enumerate(resources):
        url = f"{resource['resourceType']}/{resource['id']}"
        text = to_json({"resource": resource, "request": {"method": "PUT", "url": url}})
        file.write(((",\n" if number else "") + text).encode("utf-8", "replace"))
    file.write(b"\n]}\n")


def _resources(cohort: Cohort, one: TrialList) -> Iterator[dict[str, Any]]:
    trial, day = one.trial, cohort.run.manifest.as_of.isoformat()
    study = study_of(trial)
    yield study
    candidates: list[str] = []
    waiting: list[str] = []
    for row in cohort.ranked(one):
        if row.outcome.status is Status.CANDIDATE:
            candidates.append(row.patient.patient)
        elif row.outcome.status is Status.NEEDS_DATA:
            waiting.append(row.patient.patient)
        else:
            break  # the ranking puts the others after them
    yield _list(trial, day, candidates)
    yield _group(trial, [*candidates, *waiting])
    for patient in candidates:
        yield _subject(trial, study["id"], patient)
    for funnel in one.funnels:
        yield _measure(trial, funnel)
        yield _report(trial, funnel, day)


def _id(*parts: str) -> str:
    return str(uuid5(NAMESPACE_URL, "/".join(("urn:cds-service:prescreen", *parts))))


def not_encoded(trial: Trial) -> list[dict[str, str]]:
    """Return what must be noted on everything that comes of a trial: none where its exclusions are encoded."""
    return [{"text": f"For review by people; {wording.NOT_ENCODED}."}] if trial.exclusions == "not-published" else []


def reference_of(name: str) -> dict[str, str]:
    """Refer to a patient by id; a ``fullUrl`` such as ``urn:uuid:..`` would lead nowhere in the transaction."""
    return {"reference": name} if name.startswith("Patient/") else {"display": plain(name)}


def filled(resource: dict[str, Any]) -> dict[str, Any]:
    """Return a resource without what is empty: FHIR has no empty lists and texts."""
    return {name: value for name, value in resource.items() if value not in ([], "", None)}


def study_of(trial: Trial) -> dict[str, Any]:
    """Return a trial as ResearchStudy."""
    phase = _PHASES.get(trial.phase)
    coded = {"coding": [{"system": _PHASE_SYSTEM, "code": phase}]} if phase else None
    link = {"type": "documentation", "display": "Registry record", "url": trial.url} if trial.url else None
    return filled(
        {
            "resourceType": "ResearchStudy",
            "id": _id("study", trial.id),
            "identifier": [
                {"system": _REGISTRY, "value": trial.id} if trial.id.startswith("NCT") else {"value": trial.id}
            ],
            "title": plain(trial.title.get("en") or trial.id, 400),
            "_status": _UNKNOWN,
            "phase": coded,
            "sponsor": {"display": plain(trial.sponsor)} if trial.sponsor else None,
            "relatedArtifact": [link] if link else [],
            "note": not_encoded(trial),
        }
    )


def _list(trial: Trial, day: str, candidates: list[str]) -> dict[str, Any]:
    return filled(
        {
            "resourceType": "List",
            "id": _id("list", trial.id),
            "status": "current",
            "mode": "snapshot",
            "title": f"Candidates for {trial.id}, for review",
            "date": day,
            "orderedBy": {"coding": [_ORDER]},
            "note": not_encoded(trial),
            "entry": [{"item": reference_of(patient)} for patient in candidates],
        }
    )


def _group(trial: Trial, members: list[str]) -> dict[str, Any]:
    return filled(
        {
            "resourceType": "Group",
            "id": _id("group", trial.id),
            "active": True,
            "type": "person",
            "actual": True,
            "name": f"{trial.id}: candidates and patients who need data",
            "quantity": len(members),
            "member": [{"entity": reference_of(patient)} for patient in members],
        }
    )


def _subject(trial: Trial, study: str, patient: str) -> dict[str, Any]:
    return {
        "resourceType": "ResearchSubject",
        "id": _id("subject", trial.id, patient),
        "status": "candidate",
        "study": {"reference": f"ResearchStudy/{study}"},
        "individual": reference_of(patient),
    }


def _url(trial: Trial, funnel: Funnel) -> str:
    return f"urn:uuid:{_id('measure', trial.id, funnel.gate)}"


def _measure(trial: Trial, funnel: Funnel) -> dict[str, Any]:
    return {
        "resourceType": "Measure",
        "id": _id("measure", trial.id, funnel.gate),
        "url": _url(trial, funnel),
        "status": "active",
        "title": f"Funnel of {trial.id}, {plain(funnel.label)}",
        "description": (
            "How many patients come to each step, and how many of them pass, are unknown and fail. "
            "After the trigger only those who pass it go on, then all who do not fail."
        ),
        "scoring": {"coding": [{"system": _SCORING, "code": "cohort"}]},
    }


def _report(trial: Trial, funnel: Funnel, day: str) -> dict[str, Any]:
    return {
        "resourceType": "MeasureReport",
        "id": _id("report", trial.id, funnel.gate),
        "status": "complete",
        "type": "summary",
        "measure": _url(trial, funnel),
        "date": day,
        "period": {"start": day, "end": day},
        "group": [_step(step) for step in funnel.steps],
    }


def _step(step: Step) -> dict[str, Any]:
    entered = {"code": {"coding": [{"system": _POPULATION, "code": "initial-population"}]}, "count": step.entered}
    verdicts = (("pass", step.passed), ("unknown", step.unknown), ("fail", step.failed))
    return {
        "id": step.criterion,
        "code": {"text": plain(step.label)},
        "population": [entered, *({"code": {"text": name}, "count": number} for name, number in verdicts)],
    }

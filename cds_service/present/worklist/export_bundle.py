"""An export as FHIR R4: the study, and a List whose entries are flagged with what people decided."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, Any, Final
from uuid import NAMESPACE_URL, uuid5

from cds_service.present.cohort.fhir_bundle import filled, not_encoded, reference_of, study_of, write_transaction
from cds_service.present.safe_text import plain
from cds_service.present.worklist import words
from cds_service.present.worklist.export_table import Export
from cds_service.present.worklist.listed import Listed
from cds_service.present.worklist.rows import counts_until, names, results_lapsed
from cds_service.trials.model import Trial

# What FHIR keeps is in English, as the bundles of prescreening are.
_ORDER: Final = {"system": "http://terminology.hl7.org/CodeSystem/list-order", "code": "priority"}


def write_fhir(file: IO[bytes], export: Export, entries: Iterable[Listed], trial: Trial) -> None:
    """Write the Bundle: a transaction that a server can take, and take again after the next export.

    Args:
        file: open for writing.
        export: what it is.
        entries: in order.
        trial: as in the rule file.
    """
    write_transaction(file, [study_of(trial), _list(export, entries, trial)])


def _list(export: Export, entries: Iterable[Listed], trial: Trial) -> dict[str, Any]:
    when = export.at.isoformat(timespec="seconds")
    taken = f"{words.NOTICE_TEXT} Exported by {plain(export.by)} on {when}, for: {plain(export.why, 500)}."
    return filled(
        {
            "resourceType": "List",
            # Named and coded ones are two lists: to load one does not replace the other.
            "id": str(
                uuid5(NAMESPACE_URL, f"urn:cds-service:worklist/{trial.id}/{'named' if export.named else 'coded'}")
            ),
            "status": "current",
            "mode": "snapshot",
            "title": f"Worklist of {trial.id}, for review",
            "date": when,
            "orderedBy": {"coding": [_ORDER]},
            "note": [{"text": taken}, *not_encoded(trial)],
            "entry": [_entry(one, export) for one in entries],
        }
    )


def _entry(entry: Listed, export: Export) -> dict[str, Any]:
    item = reference_of(export.patient(entry))
    called = "; ".join(names(entry)) if export.named else ""
    if called:
        item["display"] = called
    flag = f"{words.state(entry.state)}; {entry.latest.status}, judged as of {entry.latest.as_of.isoformat()}"
    if results_lapsed(entry, export.today):
        flag += f", results lapsed after {counts_until(entry)}"
    if entry.latest.anchor is not None:
        flag += f", planned first dose {entry.latest.anchor}"
    return {"flag": {"text": flag}, "item": item}

"""What the record shows around a trial's verdicts: laboratory results over time, and the treatments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from cds_service.evaluation.frame import chart_of, stand_of
from cds_service.evaluation.judge import check_asked
from cds_service.evaluation.lab_series import LabPoint, LabSeries, Limit, lab_series
from cds_service.evaluation.treatment_line import Timeline, Treatment, treatment_line
from cds_service.facts.record import Record
from cds_service.trials.model import Library

__all__ = ["LabPoint", "LabSeries", "Limit", "Seen", "Timeline", "Treatment", "what_is_seen"]


@dataclass(frozen=True)
class Seen:
    """What the record shows.

    Args:
        labs: one series for each laboratory fact that the gate's criteria read, in the rule file's order.
        timeline: the treatments.
    """

    labs: tuple[LabSeries, ...]
    timeline: Timeline


def what_is_seen(record: Record, library: Library, trial: str, *, as_of: date, anchor: date | None = None) -> Seen:
    """Return what the record shows around the verdicts of a trial at the gate the patient stands at.

    Args:
        record: everything read about the patient.
        library: the rules.
        trial: registry number.
        as_of: the day; nothing dated later is shown.
        anchor: as :func:`cds_service.evaluation.judge.judge` takes it.

    Raises:
        RequestError: the anchor is before ``as_of``, or the trial is not in the library (404).
    """
    check_asked(library, [trial], as_of, anchor)
    asked = library.trials[trial]
    stand = stand_of(asked, chart_of(record, library, as_of), library, anchor)
    return Seen(tuple(lab_series(stand.chart, asked.at(stand.gate.id))), treatment_line(asked, stand))

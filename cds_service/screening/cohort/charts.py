"""``charts.jsonl``: the charts of a run's patients who may be of some trial's disease, kept for the worklist.

One line for each patient of whom some trial's trigger passes, in the order of ``results.jsonl``. A person can then look
at the chart that the judgement rests on, and it can be judged again with what people attest.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cds_service.errors import RequestError
from cds_service.evaluation.outcome import PatientOutcome, Verdict
from cds_service.facts.record import Record
from cds_service.gather.person_names import names_of, number_of
from cds_service.gather.snapshot import pack
from cds_service.present.cohort.ranking import trigger_of
from cds_service.present.json_text import to_json

CHARTS: Final = "charts.jsonl"


@dataclass(frozen=True)
class KeptChart:
    """One line of it.

    Args:
        patient: what the results call the patient.
        fingerprint: of the chart's content.
        body: as packed.
        names: of the person, official first.
        birth_date: as recorded; "" for none.
        gender: as recorded; "" for none.
        number: of the medical record; "" for none.
    """

    patient: str
    fingerprint: str
    body: bytes
    names: tuple[str, ...]
    birth_date: str
    gender: str
    number: str

    def __repr__(self) -> str:
        """Show nothing of the person."""
        return "KeptChart(...)"


def wanted(outcome: PatientOutcome) -> bool:
    """Say whether the patient's chart is kept."""
    return any(trigger_of(one) is Verdict.PASS for one in outcome.trials)


def kept_chart(record: Record) -> KeptChart:
    """Return what is kept of a record."""
    chart, body = pack(record), record.patient.body
    return KeptChart(
        record.patient.reference,
        chart.fingerprint,
        chart.body,
        names_of(body),
        _text(body.get("birthDate")),
        _text(body.get("gender")),
        number_of(body),
    )


def chart_line(chart: KeptChart) -> str:
    """Return a line, without a line end."""
    return to_json(
        {
            "patient": chart.patient,
            "fingerprint": chart.fingerprint,
            "names": list(chart.names),
            "birth_date": chart.birth_date,
            "gender": chart.gender,
            "number": chart.number,
            "chart": base64.b64encode(chart.body).decode("ascii"),
        }
    )


def read_charts(folder: Path) -> Iterator[KeptChart]:
    """Yield the charts of a finished run.

    Raises:
        RequestError: it kept none, or they cannot be read.
    """
    try:
        with (folder / CHARTS).open(encoding="utf-8", errors="surrogatepass") as lines:
            for line in lines:
                yield _chart(line)
    except FileNotFoundError:
        raise RequestError("The run kept no charts; prescreen with --keep-charts.", field="RUN_DIR") from None
    except (OSError, KeyError, TypeError, ValueError, RecursionError, binascii.Error):
        raise RequestError("The run's charts.jsonl cannot be read.", field="RUN_DIR") from None


def _chart(line: str) -> KeptChart:
    body = json.loads(line)
    return KeptChart(
        str(body["patient"]),
        str(body["fingerprint"]),
        base64.b64decode(body["chart"], validate=True),
        tuple(str(one) for one in body["names"]),
        str(body["birth_date"]),
        str(body["gender"]),
        str(body.get("number", "")),  # runs of older versions have none
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""

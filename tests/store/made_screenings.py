"""Made-up persons, charts and screenings for the tests of the worklist's store."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from cds_service.evaluation.attested import Attestation
from cds_service.evaluation.outcome import Verdict
from cds_service.store import Store
from cds_service.store.worklist import Chart, Entry, NewScreening, Person

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
DAY = date(2026, 3, 1)
TRIAL = "NCT1"


def person(number: int = 1, *names: str, source: str = "https://ehr.invalid/fhir") -> Person:
    return Person(source, f"Patient/{number}", names or (f"Wang {number}", f"王{number}"), "1970-02-03", "female")


def chart(content: str = "a") -> Chart:
    return Chart(f"sha256:{content}", content.encode())


def screening(**changes: Any) -> NewScreening:
    fields: dict[str, Any] = {
        "trial": TRIAL,
        "rules_digest": "sha256:rules",
        "as_of": DAY,
        "anchor": None,
        "attested": "",
        "gate": "screening",
        "status": "needs-data",
        "decided": 13,
        "total": 17,
        "missing": ("bilirubin_total",),
        "lapses": None,
        "result": {"status": "needs-data"},
    }
    return NewScreening(**{**fields, **changes})


def differs(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Look at the status alone."""
    return bool(before["status"] != after["status"])


def judged(status: str, **changes: Any) -> NewScreening:
    return screening(status=status, **{"result": {"status": status}, **changes})


def taken(
    store: Store, new: NewScreening | None = None, who: Person | None = None, content: str = "a", minutes: float = 0
) -> Entry:
    """Take one screening; return its entry."""
    new = new or screening()
    now = NOW + timedelta(minutes=minutes)
    found = store.worklist.take(who or person(), chart(content), [new], differs=differs, now=now)
    entry = store.worklist.entry(found[new.trial])
    assert entry is not None
    return entry


def attestation(criterion: str = "life-expectancy", verdict: Verdict = Verdict.PASS, **changes: Any) -> Attestation:
    fields: dict[str, Any] = {
        "trial": TRIAL,
        "criterion": criterion,
        "gate": "screening",
        "verdict": verdict,
        "by": "Dr Li",
        "on": DAY,
        "until": DAY + timedelta(days=14),
        "reason": "seen today",
    }
    return Attestation(**{**fields, **changes})

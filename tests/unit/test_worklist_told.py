"""The worklist's pages tell the day, what lapsed, what was decided and why, and that exclusions are not encoded."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from entry_pages import STORIES, TRIAL, rules
from flask.testing import FlaskClient

from cds_service.bootstrap import Services, build
from cds_service.gather.bundle import read_bundle
from cds_service.present.pages.differences import change_rows
from cds_service.present.speaker import speaker
from cds_service.screening.held_rules import HeldRules
from cds_service.screening.worklist.changes import Change, Told, Value
from cds_service.screening.worklist.intake import take_outcome
from cds_service.settings import load_settings
from cds_service.trials.model import Library
from cds_service.web import create_app

DAY = date(2026, 3, 1)
LATER = date(2026, 3, 13)  # the day after the first result of the example candidate lapsed
NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
LIST = f"/worklist/trials/{TRIAL}"
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


class Clinic:
    """The service with one patient, read on any day."""

    def __init__(self) -> None:
        self.today = DAY
        settings = load_settings(mode="open")
        self.services: Services = build(settings, clock=lambda: self.today, now=lambda: NOW, rules=rules())
        self.client: FlaskClient = create_app(self.services).test_client()
        self.post("/worklist/me", who="Dr Li")

    def take(self, name: str, anchor: date | None = None) -> str:
        bundle = json.loads((STORIES / name / "bundle.json").read_text(encoding="utf-8"))
        record = read_bundle(bundle)
        outcome = rules().judge(record, rules().library, as_of=DAY, anchor=anchor)
        store = self.services.store.worklist
        given: dict[str, Any] = {"anchor": anchor} if anchor else {}
        return str(take_outcome(store, record, outcome, source="", now=NOW, **given)[TRIAL])

    def know(self, library: Library) -> None:
        """Read the same worklist by other rules."""
        self.services = replace(self.services, held=HeldRules(replace(rules(), library=library)))
        self.client = create_app(self.services).test_client()
        self.post("/worklist/me", who="Dr Li")

    def get(self, path: str) -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200
        return html.unescape(answer.text)

    def post(self, path: str, **fields: str) -> Any:
        token = html.unescape(TOKEN.search(self.client.get("/worklist/me").text)[1])  # type: ignore[index]
        return self.client.post(path, data={"csrf_token": token, **fields})

    def decide(self, entry: str, **fields: str) -> None:
        found = self.services.store.worklist.entry(entry)
        assert found is not None
        told = {"version": str(found.version), "screening": str(found.latest.id), **fields}
        assert self.post(f"/worklist/entries/{entry}/decision", **told).status_code == 303


@pytest.fixture
def clinic() -> Iterator[Clinic]:
    found = Clinic()
    yield found
    found.services.store.close()


def exported(clinic: Clinic, query: str = "") -> list[dict[str, str]]:
    answer = clinic.post(f"{LIST}/export{query}", format="csv", reason="check")
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.get_data().decode("utf-8-sig"))))


def test_list_page_report_and_export_say_that_results_lapsed(clinic: Clinic) -> None:
    entry = clinic.take("candidate")
    for path in (LIST, f"/worklist/entries/{entry}", f"/worklist/entries/{entry}/report"):
        assert "lapsed" not in clinic.get(path)
    assert exported(clinic)[0]["Results lapsed"] == ""
    clinic.today = LATER
    shown = clinic.get(LIST)
    assert "◈</span> candidate as of 1 Mar 2026" in shown
    assert "lapsed after 12 Mar 2026" in shown
    assert f'href="{LIST}?lapsed=1"' in shown
    for path in (f"/worklist/entries/{entry}", f"/worklist/entries/{entry}/report"):
        page = clinic.get(path)
        assert "<b>Candidate as of 1 Mar 2026</b></span> · results lapsed after 12 Mar 2026" in page
        assert "May be a candidate" not in page
    assert entry in clinic.get(f"{LIST}?lapsed=1")
    assert exported(clinic, "?lapsed=1")[0]["Results lapsed"] == "yes"
    clinic.today = DAY
    assert "Nobody fits these filters" in clinic.get(f"{LIST}?lapsed=1")


def test_the_criterion_of_not_suitable_is_shown_and_goes_with_another_state(clinic: Clinic) -> None:
    entry = clinic.take("candidate")
    page = f"/worklist/entries/{entry}"
    clinic.decide(entry, state="not-suitable", criterion="ecog", reason="tired all day")
    short = next(one.short for one in rules().library.trials[TRIAL].criteria if one.id == "ecog")
    shown = clinic.get(page)
    assert f"because of: {short}" in shown
    assert "tired all day" in shown
    clinic.decide(entry, state="reviewing", criterion="ecog", reason="better now")
    found = clinic.services.store.worklist.entry(entry)
    assert found is not None
    assert (found.state_criterion, found.state_reason) == ("", "better now")
    assert "because of:" not in clinic.get(page)


def test_exclusions_are_said_not_to_be_encoded_on_every_page_and_in_every_export(
    clinic: Clinic,
) -> None:
    said = "Exclusion criteria not encoded."
    assert [one["Exclusion criteria"] for one in exported(clinic)] == ["not encoded"]  # nobody is on the list
    entry = clinic.take("candidate")
    pages = ("/worklist/", "/worklist/audit", "/worklist/me", LIST, f"/worklist/entries/{entry}/history")
    for path in pages:
        assert said in clinic.get(path), path
    assert said in clinic.client.get("/worklist/nowhere").text
    empty = exported(clinic, "?status=excluded")
    assert [(one["Trial"], one["Patient"], one["Exclusion criteria"]) for one in empty] == [(TRIAL, "", "not encoded")]
    library = clinic.services.rules.library
    encoded = {name: replace(one, exclusions="encoded") for name, one in library.trials.items()}
    clinic.know(replace(library, trials=encoded))
    assert said not in clinic.get("/worklist/")
    clinic.know(replace(library, trials={}))
    assert said in clinic.get(LIST)  # a list whose rules are gone
    assert [one["Exclusion criteria"] for one in exported(clinic)] == ["not encoded"]


def test_the_planned_first_dose_is_told_wherever_a_screening_is(clinic: Clinic) -> None:
    entry = clinic.take("candidate", anchor=date(2026, 3, 9))
    for path in (LIST, f"/worklist/entries/{entry}/history"):
        assert "planned first dose 9 Mar 2026" in clinic.get(path)
    for path in (f"/worklist/entries/{entry}", f"/worklist/entries/{entry}/report"):
        assert "Planned first dose 9 Mar 2026." in clinic.get(path)
    assert exported(clinic)[0]["Planned first dose"] == "2026-03-09"


def test_sides_that_read_alike_say_what_differs() -> None:
    trial, spoken = rules().library.trials[TRIAL], speaker("en", rules().library)
    value = Value("12", "umol/L", "2026-02-26", "upper limit 21 µmol/L")

    def row(before: Told, after: Told) -> tuple[str, str]:
        (found,) = change_rows([Change("criterion", "bilirubin", before, after)], trial, spoken)
        return found.before.told, found.after.told

    old = Told("pass", values=(value,))
    cases = {
        "can change": replace(old, can_change=False),
        "upper limit 21": Told("pass", values=(replace(value, note="upper limit 20 µmol/L"),)),
        "a newer result is not final": Told("pass", values=(value,), notes=("newer-result-not-final",)),
        "rests on other details": Told("pass", values=(value,), notes=("assumed-absent",)),
    }
    for words, other in cases.items():
        before, after = row(old, other)
        assert before != after
        assert words in f"{before} {after}"
    unknown = Told("unknown", reasons=(("a", "stale"), ("b", "no-record")))
    before, after = row(unknown, replace(unknown, reasons=(("a", "stale"),)))
    assert "nothing on record" in before
    assert "nothing on record" not in after
    before, after = row(old, Told("fail", values=(value,)))
    assert "can change" not in before + after, "what differs is said already"

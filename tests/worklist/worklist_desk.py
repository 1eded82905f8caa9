"""Patients on the worklist, and somebody at a browser: what the tests of its pages share."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path

from cds_service.bootstrap import load_rules
from cds_service.gather.bundle import read_bundle
from cds_service.screening.worklist.intake import take_outcome

AS_OF = date(2026, 3, 1)
NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
TRIAL = "NCT07235319"
LIST = f"/worklist/trials/{TRIAL}"
PATIENTS = Path(__file__).resolve().parents[2] / "fhir_examples" / "patients"
RULES = load_rules()
EDIT = re.compile(r"/worklist/entries/([0-9a-f]{32})/[a-z]+")
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{7*7}}"
FORMULA = '=HYPERLINK("http://evil.invalid","x")'


def story(name):
    return json.loads((PATIENTS / name / "bundle.json").read_text(encoding="utf-8"))


def patient_of(bundle):
    return next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")


def take(services, bundle, source="", as_of=AS_OF):
    record = read_bundle(bundle)
    outcome = services.rules.judge(record, services.rules.library, as_of=as_of)
    return take_outcome(services.store.worklist, record, outcome, source=source, now=NOW).get(TRIAL)


def entry_of(services, entry):
    return services.store.worklist.entry(entry)


def listed(page):
    return re.findall(r'<th scope="row" class="name"><a href="/worklist/entries/([0-9a-f]{32})"', page)


def exported(person, **fields):
    return person.post(f"{LIST}/export", reason="for the board", **fields)


class Person:
    """Somebody at a browser of their own."""

    def __init__(self, app, name=""):
        self.client = app.test_client()
        self.name = name
        if name:
            assert self.post("/worklist/me", who=name).status_code == 303

    def get(self, path, **options):
        return self.client.get(path, **options)

    @cached_property
    def token(self):
        return html.unescape(TOKEN.search(self.get("/worklist/me").text)[1])

    def post(self, path, headers=None, **fields):
        edited = EDIT.fullmatch(path)
        if edited and "screening" not in fields:  # the form of the page as it is now
            entry = self.client.application.extensions["desk"].entry(edited[1])
            fields["screening"] = entry.latest.id if entry else 1
        return self.client.post(path, data={"csrf_token": self.token, **fields}, headers=headers or {})

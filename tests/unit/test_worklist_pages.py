"""The worklist's pages over HTTP: who may change what, what is noted, what hostile text does, what is never said."""

from __future__ import annotations

import csv
import html
import io
import json
import logging
import re
import time
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from door_fakes import hook
from fhir.resources.R4B.bundle import Bundle
from openpyxl import load_workbook
from werkzeug.http import parse_cookie

from cds_service.bootstrap import build, load_rules
from cds_service.errors import UnavailableError
from cds_service.gather.bundle import read_bundle
from cds_service.screening.worklist.intake import take_outcome
from cds_service.settings import load_settings
from cds_service.store.worklist import EntryState
from cds_service.web import create_app
from cds_service.web.worklist.asked import LABELS

AS_OF = date(2026, 3, 1)
NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
TRIAL = "NCT07235319"
LIST = f"/worklist/trials/{TRIAL}"
PATIENTS = Path(__file__).resolve().parents[2] / "fhir_examples" / "patients"
RULES = load_rules()
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
UNKNOWN = "0" * 32
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


@pytest.fixture
def services():
    built = build(load_settings(mode="open"), clock=lambda: AS_OF, now=lambda: NOW, rules=RULES)
    yield built
    built.store.close()


@pytest.fixture
def app(services):
    return create_app(services)


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
        return self.client.post(path, data={"csrf_token": self.token, **fields}, headers=headers or {})


@pytest.fixture
def li(app):
    return Person(app, "Dr Li")


@pytest.fixture
def candidate(services):
    return take(services, story("candidate"))


def entry_of(services, entry):
    return services.store.worklist.entry(entry)


def test_every_page_answers_and_is_noted(services, app, candidate, li):
    pages = {
        LIST: "list",
        f"{LIST}/funnel": "funnel",
        f"{LIST}/export": "export asked",
        f"/worklist/entries/{candidate}": "entry",
        f"/worklist/entries/{candidate}/history": "history",
        f"/worklist/entries/{candidate}/report": "report",
        "/worklist/audit": "audit",
    }
    for path, what in pages.items():
        answer = li.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        newest = services.store.worklist.audit(limit=1)[0]
        assert (newest.what, newest.who) == (what, "Dr Li"), path
        assert newest.entry == (candidate if "/entries/" in path else "")
        if path == LIST:
            assert newest.detail["entries"] == candidate
    for path in ("/worklist", "/worklist/", "/worklist/me"):
        assert li.get(path).status_code == 200
    assert services.store.worklist.verify_audit() is None


@pytest.mark.parametrize("language", ["en", "zh"])
def test_pages_in_both_languages_hold_no_inline_code_and_a_strict_policy(app, candidate, li, language):
    assert li.post("/worklist/language", language=language, next="/worklist/").status_code == 303
    entry = f"/worklist/entries/{candidate}"
    for path in ("/worklist", LIST, f"{LIST}/funnel", f"{LIST}/export", entry, f"{entry}/history", f"{entry}/report",
                 "/worklist/audit", "/worklist/me", "/worklist/nothing"):  # fmt: skip
        answer = li.get(path)
        page = answer.text
        assert f'<html lang="{"zh-Hans" if language == "zh" else "en"}">' in page, path
        assert answer.headers["Content-Language"] == ("zh-Hans" if language == "zh" else "en")
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page), path
        assert set(re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL)) <= {""}, path
        rules = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
        assert rules["frame-ancestors"] == rules["base-uri"] == rules["default-src"] == "'none'"
        assert rules["script-src"] == rules["style-src"] == rules["form-action"] == "'self'"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "same-origin"


def test_in_verified_mode_there_is_nothing_of_it(services, candidate):
    app = create_app(replace(services, settings=services.settings.model_copy(update={"mode": "verified"})))
    client = app.test_client()
    for path in ("/worklist", "/worklist/", LIST, f"/worklist/entries/{candidate}", "/worklist/audit", "/worklist/me",
                 "/worklist/static/worklist.css"):  # fmt: skip
        answer = client.get(path)
        assert (answer.status_code, answer.mimetype) == (404, "application/fhir+json"), path
    for path in (LIST, f"{LIST}/export", f"/worklist/entries/{candidate}/decision", "/worklist/me"):
        assert client.post(path).status_code == 404, path


def test_hooks_and_the_other_addresses_know_no_session(app, li):
    cookie = li.get("/worklist/me").request.headers.get("Cookie") or "worklist=x"
    calls = [
        app.test_client().get("/cds-services", headers={"Cookie": cookie}),
        app.test_client().post("/cds-services/npc-trials-patient-view", json=hook(), headers={"Cookie": cookie}),
        app.test_client().post("/cds-services/npc-trials-patient-view", json=hook()),
        app.test_client().get("/simulator"),
        app.test_client().get("/"),
        app.test_client().get("/livez"),
    ]
    for answer in calls:
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers
        assert "Cookie" not in answer.headers.get("Vary", "")


def test_the_cookie_is_strict_and_stays_here(app):
    answer = app.test_client().get("/worklist/me")
    attributes = answer.headers["Set-Cookie"]
    assert "worklist" in parse_cookie(attributes.partition(";")[0])
    assert {"HttpOnly", "SameSite=Strict", "Path=/worklist"} <= {part.strip() for part in attributes.split(";")}
    assert "Secure" not in attributes
    assert "Secure" in app.test_client().get("/worklist/me", base_url="https://localhost").headers["Set-Cookie"]


def test_a_link_of_another_site_ends_no_session(app, candidate, li):
    """Browsers keep the strict cookie back from it: what answers must not set another in its place."""
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    answer = app.test_client().get(f"/worklist/entries/{candidate}", headers=headers)
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert 'http-equiv="refresh" content="0"' in answer.text
    assert candidate not in answer.text
    assert "Dr Li" in li.get(f"/worklist/entries/{candidate}", headers=headers).text


# Forged forms.


def forgeries(li, other):
    """Every way in which a form may come from elsewhere, as headers and fields."""
    good = li.token
    return {
        "no token": ({}, {}),
        "an empty token": ({}, {"csrf_token": ""}),
        "made up": ({}, {"csrf_token": "x" * len(good)}),
        "of another session": ({}, {"csrf_token": other.token}),
        "another site": ({"Sec-Fetch-Site": "cross-site"}, {"csrf_token": good}),
        "another port": ({"Sec-Fetch-Site": "same-site"}, {"csrf_token": good}),
        "another origin": ({"Origin": "http://evil.invalid"}, {"csrf_token": good}),
        "no origin": ({"Origin": "null"}, {"csrf_token": good}),
        "https, not http": ({"Origin": "https://localhost"}, {"csrf_token": good}),
    }


def test_forged_forms_change_nothing(services, app, candidate, li):
    before, history = entry_of(services, candidate), services.store.worklist.history(candidate)
    paths = {
        f"/worklist/entries/{candidate}/decision": {"state": "enrolled", "version": before.version},
        f"/worklist/entries/{candidate}/note": {"text": "x"},
        f"/worklist/entries/{candidate}/assignee": {"assignee": "x", "version": before.version},
        f"/worklist/entries/{candidate}/seen": {"screening": before.latest.id, "version": before.version},
        f"/worklist/entries/{candidate}/attest": {"version": before.version},
        f"/worklist/entries/{candidate}/withdraw": {"version": before.version},
        f"{LIST}/export": {"format": "csv", "reason": "x", "names": "1"},
        LIST: {"text": "x", "query": ""},
        "/worklist/me": {"who": "x"},
        "/worklist/language": {"language": "zh"},
    }
    forged = forgeries(li, Person(app))
    for path, fields in paths.items():
        for name, (headers, token) in forged.items():
            answer = li.client.post(path, data={**fields, **token}, headers=headers)
            assert answer.status_code == 400, (path, name)
            assert "not sent by a page of this service" in answer.text, (path, name)
            assert "Content-Disposition" not in answer.headers
    assert entry_of(services, candidate) == before
    assert services.store.worklist.history(candidate) == history
    assert "Dr Li" in li.get("/worklist/me").text
    assert {row.what for row in services.store.worklist.audit(limit=50)} == {"screened"}


def test_a_page_of_ours_is_taken_as_browsers_send_it(app, candidate, li):
    headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert li.post(f"/worklist/entries/{candidate}/note", headers, text="seen").status_code == 303


def test_a_token_outlives_an_hour_and_a_worker(services, app, candidate, li, monkeypatch):
    token = li.token
    later = time.time() + 9 * 3600
    monkeypatch.setattr("time.time", lambda: later)
    other = create_app(services).test_client()  # another worker on the same database
    other.set_cookie("worklist", li.client.get_cookie("worklist", path="/worklist").value, path="/worklist")
    answer = other.post(f"/worklist/entries/{candidate}/note", data={"csrf_token": token, "text": "late"})
    assert answer.status_code == 303
    assert services.store.worklist.history(candidate)[0].who == "Dr Li"


# What people do.


def test_a_decision_a_note_and_an_assignee(services, candidate, li):
    path, version = f"/worklist/entries/{candidate}", entry_of(services, candidate).version
    answer = li.post(f"{path}/decision", version=version, state="contacted", reason="called on Monday")
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith(path)
    assert li.post(f"{path}/assignee", version=version + 1, assignee=" Sister  Wang ").status_code == 303
    assert li.post(f"{path}/note", text="first line\r\nsecond\x07 line").status_code == 303
    entry = entry_of(services, candidate)
    assert (entry.state, entry.state_by, entry.assignee) == (EntryState.CONTACTED, "Dr Li", "Sister Wang")
    page = li.get(f"{path}/history").text
    for words in ("called on Monday", "Sister Wang", "second line", "Dr Li"):
        assert words in page
    assert {row.who for row in services.store.worklist.audit(limit=50) if row.what in ("decided", "noted")} == {"Dr Li"}
    assert "contacted" in li.get(LIST).text


def test_two_people_at_the_same_entry_lose_nothing(services, app, candidate, li):
    path, version = f"/worklist/entries/{candidate}", entry_of(services, candidate).version
    wang = Person(app, "Sister Wang")
    assert (
        wang.post(f"{path}/decision", version=version, state="declined", reason="does not want to").status_code == 303
    )
    answer = li.post(f"{path}/decision", version=version, state="contacted", reason="I have called <b>her</b>")
    assert answer.status_code == 409
    assert entry_of(services, candidate).state is EntryState.DECLINED
    for words in ("Sister Wang", "does not want to", "I have called &lt;b&gt;her&lt;/b&gt;"):
        assert words in answer.text
    fields = dict(re.findall(r'name="(version|csrf_token)" value="([^"]+)"', answer.text))
    again = li.client.post(
        f"{path}/decision", data={**fields, "state": "contacted", "reason": "I have called <b>her</b>"}
    )
    assert again.status_code == 303
    assert entry_of(services, candidate).state is EntryState.CONTACTED
    assert [one.who for one in services.store.worklist.history(candidate) if one.what == "decided"] == [
        "Dr Li",
        "Sister Wang",
    ]


def test_who_has_no_name_is_asked_and_loses_nothing(services, app, candidate):
    nobody, path = Person(app), f"/worklist/entries/{candidate}/note"
    answer = nobody.post(path, text="a long note\nof two lines")
    assert answer.status_code == 400
    assert "a long note\nof two lines" in answer.text
    assert 'name="who"' in answer.text
    assert [one.what for one in services.store.worklist.history(candidate)] == ["screened"]
    assert nobody.post(path, text="a long note", who="Dr Zhao").status_code == 303
    assert services.store.worklist.history(candidate)[0].who == "Dr Zhao"
    assert "You are Dr Zhao." in nobody.get("/worklist/me").text
    assert nobody.post("/worklist/me", forget="1").status_code == 303
    assert "Dr Zhao" not in nobody.get("/worklist/me").text


@pytest.mark.parametrize(
    ("action", "fields", "named"),
    [
        ("decision", {"state": "eligible"}, "state"),
        ("decision", {"state": ""}, "state"),
        ("decision", {"state": "not-suitable"}, "reason"),
        ("decision", {"state": "declined", "reason": "x" * 2001}, "reason"),
        ("decision", {"state": "declined", "criterion": "no-such"}, "criterion"),
        ("note", {"text": " \n "}, "text"),
        ("note", {"text": "x" * 4001}, "text"),
        ("assignee", {"assignee": "x" * 81}, "assignee"),
        ("seen", {"screening": "one"}, "screening"),
        ("seen", {"screening": "999999"}, "screening"),
        ("attest", {"criterion": "hemoglobin", "verdict": "pass", "until": "2026-04-01"}, "criterion"),
        ("attest", {"criterion": "hemoglobin", "verdict": "unknown", "until": "2026-04-01"}, "verdict"),
        ("attest", {"criterion": "hemoglobin", "verdict": "pass", "until": "2026-02-28"}, "until"),
        ("attest", {"criterion": "hemoglobin", "verdict": "pass", "until": "tomorrow"}, "until"),
        ("attest", {"verdict": "pass", "until": "2026-04-01"}, "criterion"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_kept(services, candidate, li, action, fields, named):
    before = services.store.worklist.history(candidate)
    version = entry_of(services, candidate).version
    answer = li.post(f"/worklist/entries/{candidate}/{action}", version=version, **fields)
    assert answer.status_code == 400
    alert = html.unescape(re.search(r'role="alert">(.*?)</p>', answer.text, re.DOTALL)[1])
    assert LABELS[named].lower() in alert.lower() or named in alert
    assert services.store.worklist.history(candidate) == before
    if action == "note":
        assert "x" * 4000 in answer.text or not fields["text"].strip()


def test_no_version_is_no_way_round_the_lock(services, candidate, li):
    for version in ("", "-1", "1e3", "９"):
        answer = li.post(f"/worklist/entries/{candidate}/decision", version=version, state="enrolled")
        assert answer.status_code == 400, version
    assert li.post(f"/worklist/entries/{candidate}/decision", version=10**8, state="enrolled").status_code == 409
    assert entry_of(services, candidate).state is EntryState.NEW


def test_a_large_form_is_refused(candidate, li):
    assert li.post(f"/worklist/entries/{candidate}/note", text="x" * 70_000).status_code == 413


def test_attest_and_withdraw(services, app, li):
    entry = take(services, story("candidate"))
    asked = entry_of(services, entry).latest.result["to_confirm"]
    assert asked
    path = f"/worklist/entries/{entry}"
    fields = {"criterion": asked[0], "verdict": "fail", "until": "2026-04-01", "reason": "told me so"}
    answer = li.post(f"{path}/attest", version=entry_of(services, entry).version, **fields)
    assert answer.status_code == 303
    after = entry_of(services, entry)
    assert after.latest.status == "not-now"
    assert asked[0] not in after.latest.result["to_confirm"]
    page = li.get(path).text
    assert "attested by Dr Li" in page
    assert "told me so" in page
    answer = li.post(f"{path}/withdraw", version=after.version, criterion=asked[0])
    assert answer.status_code == 303
    assert entry_of(services, entry).latest.status == "candidate"
    assert li.post(f"{path}/withdraw", version=entry_of(services, entry).version, criterion=asked[0]).status_code == 404


def test_attesting_a_chart_of_last_week(services, app, li):
    entry = take(services, story("candidate"), as_of=date(2026, 2, 25))
    asked = entry_of(services, entry).latest.result["to_confirm"]
    fields = {"criterion": asked[0], "verdict": "fail", "until": "2026-04-01"}
    answer = li.post(f"/worklist/entries/{entry}/attest", version=entry_of(services, entry).version, **fields)
    assert answer.status_code == 303
    assert asked[0] not in entry_of(services, entry).latest.result["to_confirm"]


def test_what_changed_is_shown_and_acknowledged(services, li, candidate):
    path = f"/worklist/entries/{candidate}"
    li.post(f"{path}/note", text="looked at")
    changed = story("candidate")
    for one in changed["entry"]:
        resource = one["resource"]
        if resource["resourceType"] == "Observation" and any(
            c.get("code") == "718-7" for c in resource["code"]["coding"]
        ):
            resource["valueQuantity"]["value"] = 70
            resource["valueQuantity"]["unit"] = resource["valueQuantity"]["code"] = "g/L"
    assert take(services, changed) == candidate
    entry = entry_of(services, candidate)
    assert entry.changed
    assert "data changed" in li.get(LIST).text
    assert "What changed" in li.get(path).text
    assert li.post(f"{path}/seen", version=entry.version, screening=entry.latest.id).status_code == 303
    assert not entry_of(services, candidate).changed


# Addresses.


def test_what_is_not_there_and_what_is_no_id_of_ours(services, candidate, li):
    patient = patient_of(story("candidate"))["id"]
    for one in (
        UNKNOWN,
        patient,
        candidate[:-1],
        candidate.upper() + "0",
        candidate.upper(),
        f"{candidate}x",
        "..",
        "%00",
    ):
        for rest in ("", "/report", "/history"):
            answer = li.get(f"/worklist/entries/{one}{rest}")
            assert answer.status_code == 404, one
            assert candidate not in answer.text
            assert one not in answer.text.replace("<", "") or len(one) < 5
        assert li.post(f"/worklist/entries/{one}/note", text="x").status_code in (404, 405), one
    for path in ("/worklist/trials/NCT00000000", "/worklist/trials/NCT00000000/funnel", "/worklist/nothing/here"):
        assert li.get(path).status_code == 404
    assert li.get(f"/worklist/entries/{candidate}/note").status_code in (404, 405)


def test_no_address_takes_what_identifies_a_patient(candidate, li):
    for path in (LIST, f"/worklist/entries/{candidate}", f"/worklist/entries/{candidate}/report", "/worklist/audit",
                 f"{LIST}/export", f"{LIST}/funnel", "/worklist/me", "/worklist"):  # fmt: skip
        for query in ("patient=Patient/5550177", "text=Kanarienvogl", "name=Quetzalina", "birthdate=1963-07-19"):
            answer = li.get(f"{path}?{query}")
            assert answer.status_code == 400, (path, query)
            assert query.partition("=")[2] not in answer.text
    assert li.post(f"/worklist/entries/{candidate}/note?patient=1", text="x").status_code == 400


def test_addresses_on_pages_hold_nothing_of_a_patient(services, candidate, li):
    person = patient_of(story("candidate"))
    told = {
        f"Patient/{person['id']}",
        person["birthDate"],
        *(name.get("text") or name["family"] for name in person["name"]),
    }
    for path in (LIST, f"/worklist/entries/{candidate}", f"/worklist/entries/{candidate}/history", "/worklist/audit"):
        page = li.get(path).text
        for address in re.findall(r'(?:href|action|src|value)="([^"]*)"', page):
            if address.startswith(("/", "http")):
                assert not [one for one in told if one in html.unescape(address)], (path, address)
    answer = li.post(LIST, text=person["name"][0].get("text") or "x", query="sort=name")
    assert answer.status_code == 200
    assert person["name"][0]["text"] in html.unescape(answer.text)
    row = services.store.worklist.audit(limit=1)[0]
    assert (row.what, row.detail["by_name"]) == ("list", 1)
    assert person["name"][0]["text"] not in json.dumps(row.detail, ensure_ascii=False)


def test_the_language_form_leads_nowhere_else(li):
    for path in ("//evil.invalid", "https://evil.invalid/worklist/", "/worklist/../simulator", "/worklistx", "",
                 "/worklist\\..", "/worklist/me\r\nX: y", "/worklist/entries/x/note", "/simulator"):  # fmt: skip
        answer = li.post("/worklist/language", language="zh", next=path)
        assert answer.status_code == 303
        assert urlsplit(answer.headers["Location"]).netloc == ""
        assert answer.headers["Location"] == "/worklist/", path
    kept = li.post("/worklist/language", language="en", next=f"{LIST}?status=candidate&lang=zh")
    assert kept.headers["Location"] == f"{LIST}?status=candidate"
    assert li.post("/worklist/language", language="tlh", next="").status_code == 400


# Lists.


@pytest.fixture
def many(services):
    """All stories, and their entries."""
    found = {folder.name: take(services, story(folder.name)) for folder in sorted(PATIENTS.iterdir())}
    return {name: entry for name, entry in found.items() if entry}


def listed(page):
    return re.findall(r'<th scope="row" class="name"><a href="/worklist/entries/([0-9a-f]{32})"', page)


def test_filters_sorts_and_counts(services, li, many):
    by_id = {entry: entry_of(services, entry) for entry in many.values()}
    whole = listed(li.get(LIST).text)
    assert sorted(whole) == sorted(by_id)
    for status in ("candidate", "needs-data", "not-now", "excluded"):
        shown = listed(li.get(f"{LIST}?status={status}").text)
        assert sorted(shown) == sorted(one for one, entry in by_id.items() if entry.latest.status == status)
    both = listed(li.get(f"{LIST}?status=candidate&status=needs-data").text)
    assert {by_id[one].latest.status for one in both} == {"candidate", "needs-data"}
    fact = next(entry.latest.missing[0] for entry in by_id.values() if entry.latest.missing)
    shown = listed(li.get(f"{LIST}?missing={fact}").text)
    assert sorted(shown) == sorted(one for one, entry in by_id.items() if fact in entry.latest.missing)
    up, down = listed(li.get(f"{LIST}?sort=name").text), listed(li.get(f"{LIST}?sort=-name").text)
    assert up == down[::-1]
    first = whole[0]
    li.post(f"/worklist/entries/{first}/assignee", version=by_id[first].version, assignee="Dr Li")
    assert listed(li.get(f"{LIST}?assignee=Dr+Li").text) == [first]
    assert first not in listed(li.get(f"{LIST}?assignee=-").text)
    assert listed(li.get(f"{LIST}?changed=1").text) == []
    assert "Nobody fits these filters" in li.get(f"{LIST}?changed=1").text
    # A name is looked for together with the filters, and every way on keeps it in the form.
    name = by_id[first].person.names[0]
    found = li.post(LIST, text=name, query=f"status={by_id[first].latest.status}")
    assert first in listed(found.text)
    assert f'value="{html.escape(name)}"' in found.text
    assert 'form="find" name="query"' in found.text
    assert li.post(LIST, text=name, query="text=x").status_code == 400


@pytest.mark.parametrize(
    "query", ["status=eligible", "state=x", "sort=birth", "page=0", "page=x", "changed=yes", "sort=a&sort=b"]
)
def test_a_wrong_filter_is_refused(li, query):
    assert li.get(f"{LIST}?{query}").status_code == 400


def test_paging_keeps_the_filters(services, li, many, monkeypatch):
    monkeypatch.setattr("cds_service.web.worklist.query.SIZE", 3)
    seen, path = [], f"{LIST}?sort=-name"
    while path:
        page = li.get(path).text
        seen += listed(page)
        after = re.search(r'<a href="([^"]+)"[^>]* rel="next"', page)
        path = html.unescape(after[1]) if after else None
        assert path is None or parse_qs(urlsplit(path).query)["sort"] == ["-name"]
    assert len(seen) == len(set(seen)) == len(many)


def test_an_empty_list_says_what_to_do(li):
    for path in ("/worklist", LIST):
        page = li.get(path).text
        assert "cds-service prescreen" in page
        assert "cds-service worklist take" in page
    assert "cds-service worklist take" in li.get(f"{LIST}/funnel").text


# Hostile text.


@pytest.fixture
def hostile(services):
    bundle = story("candidate")
    person = patient_of(bundle)
    person["name"] = [{"text": HOSTILE, "family": HOSTILE}, {"text": FORMULA}]
    person["gender"] = "=1+1"
    return take(services, bundle)


def test_html_in_a_name_is_text_everywhere(services, app, hostile):
    writer = Person(app, HOSTILE[:80])
    path = f"/worklist/entries/{hostile}"
    version = entry_of(services, hostile).version
    assert writer.post(f"{path}/decision", version=version, state="declined", reason=HOSTILE).status_code == 303
    assert writer.post(f"{path}/assignee", version=version + 1, assignee=HOSTILE[:80]).status_code == 303
    assert writer.post(f"{path}/note", text=HOSTILE).status_code == 303
    conflict = writer.post(f"{path}/decision", version=version, state="declined", reason=HOSTILE)
    assert conflict.status_code == 409
    pages = [conflict.text, writer.post(LIST, text=HOSTILE[:80], query="").text]
    pages += [
        writer.get(one).text
        for one in (LIST, path, f"{path}/history", f"{path}/report", "/worklist/audit", f"{LIST}/export")
    ]
    for page in pages:
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "{{7*7}}" in page or "alert" not in page
    assert html.escape("<script>alert(1)") in pages[2]


def exported(person, **fields):
    return person.post(f"{LIST}/export", reason="for the board", **fields)


def test_exports_are_coded_unless_names_are_asked_for(services, li, many):
    people = [patient_of(story(name)) for name in many]
    secret = {f"Patient/{p['id']}" for p in people} | {p["birthDate"] for p in people if "birthDate" in p}
    secret |= {name["text"] for p in people for name in p.get("name", ())}
    for kind in ("csv", "xlsx", "fhir"):
        answer = exported(li, format=kind)
        assert answer.status_code == 200
        assert answer.headers["Content-Disposition"].startswith(f'attachment; filename="worklist-{TRIAL}-2026-03-01.')
        text = flat(answer.data) if kind == "xlsx" else answer.data.decode("utf-8-sig")
        assert not [one for one in secret if one in text], kind
        assert len(set(re.findall(r"P-[A-Z2-7]{16}", text))) == len(many)
        assert "Dr Li" in text
        assert "for the board" in text
        assert "Contains personal health data" in text
        row = services.store.worklist.audit(limit=1)[0]
        assert (row.what, row.who, row.trial) == ("export", "Dr Li", TRIAL)
        assert row.detail["reason"] == "for the board"
        assert row.detail["names"] == 0
        assert set(row.detail["entries"].split()) == set(many.values())
    named = exported(li, format="csv", names="1").data.decode("utf-8-sig")
    assert all(p["id"] in named for p in people)
    first, second = (exported(li, format="csv").data for _ in range(2))
    assert first == second


def flat(data):
    book = load_workbook(io.BytesIO(data))
    return "\n".join(
        str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None
    )


def test_no_formula_comes_of_a_name(services, app, hostile):
    writer = Person(app, "@SUM(1+1)")
    path = f"/worklist/entries/{hostile}"
    writer.post(f"{path}/decision", version=entry_of(services, hostile).version, state="declined", reason="-1+1")
    writer.post(f"{path}/assignee", version=entry_of(services, hostile).version, assignee="+1+1")
    for fields in ({"names": "1"}, {}):
        answer = writer.post(f"{LIST}/export", format="csv", reason='=cmd|" /C calc"!A0', **fields)
        cells = [cell for row in csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))) for cell in row]
        assert not [cell for cell in cells if re.match(r"\s*[=+\-@\t\r\n＝＋－＠]", cell)]
        answer = writer.post(f"{LIST}/export", format="xlsx", reason='=cmd|" /C calc"!A0', **fields)
        book = load_workbook(io.BytesIO(answer.data))
        assert {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row} <= {"s", "n", "d"}
        assert not [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.hyperlink]


@pytest.mark.parametrize("names", ["", "1"])
def test_the_fhir_list_is_fhir(services, li, many, names):
    answer = exported(li, format="fhir", names=names)
    body = json.loads(answer.data)
    Bundle.model_validate(body)
    assert [entry["resource"]["resourceType"] for entry in body["entry"]] == ["ResearchStudy", "List"]
    items = [one["item"] for one in body["entry"][1]["resource"]["entry"]]
    assert len(items) == len(many)
    assert all(("reference" in one) == bool(names) for one in items)


def test_an_export_needs_a_reason_and_a_name(services, app, li, many):
    assert li.post(f"{LIST}/export", format="csv", reason=" ").status_code == 400
    assert li.post(f"{LIST}/export", format="docx", reason="x").status_code == 400
    nobody = Person(app)
    answer = nobody.post(f"{LIST}/export", format="csv", reason="for the board")
    assert answer.status_code == 400
    assert 'value="for the board"' in answer.text
    assert not [row for row in services.store.worklist.audit(limit=100) if row.what == "export"]
    assert nobody.post(f"{LIST}/export", format="csv", reason="for the board", who="Dr Zhao").status_code == 200


def test_an_export_of_a_part(services, li, many):
    rows = list(
        csv.reader(
            io.StringIO(li.post(f"{LIST}/export?status=candidate", format="csv", reason="x").data.decode("utf-8-sig"))
        )
    )
    wanted = [entry for entry in many.values() if entry_of(services, entry).latest.status == "candidate"]
    assert len(rows) == len(wanted) + 1


# Faults.


def test_nothing_is_shown_or_changed_while_the_audit_cannot_be_written(services, li, candidate):
    """Fault 54."""
    person, version = patient_of(story("candidate")), entry_of(services, candidate).version
    before, history = entry_of(services, candidate), services.store.worklist.history(candidate)
    refuse = "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no space left'); END"
    with services.store._engine.begin() as connection:
        connection.exec_driver_sql(refuse)
    path = f"/worklist/entries/{candidate}"
    pages = (LIST, f"{LIST}/funnel", path, f"{path}/report", f"{path}/history", "/worklist/audit", f"{LIST}/export",
             f"{path}?if-hemoglobin=100")  # fmt: skip
    answers = [li.get(page) for page in pages]
    answers += [li.post(LIST, text="a", query=""), exported(li, format="csv"), exported(li, format="fhir", names="1")]
    answers += [li.post(f"{path}/note", text="x"), li.post(f"{path}/decision", version=version, state="enrolled")]
    answers += [li.post(f"{path}/decision", version=version + 1, state="enrolled", reason="kept")]
    for answer in answers:
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "1"
        assert answer.mimetype == "text/html"
        assert "Content-Disposition" not in answer.headers
        assert "Every look at a patient is noted" in answer.text
        assert person["name"][0]["text"] not in answer.text
        assert person["birthDate"] not in answer.text
    assert entry_of(services, candidate) == before
    assert services.store.worklist.history(candidate) == history
    with services.store._engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER full")
    assert li.get(path).status_code == 200  # it recovers by itself


def test_a_store_that_is_down_is_told_and_hooks_go_on(services, candidate, monkeypatch):
    def down(*_args, **_named):
        raise UnavailableError("The store is down for now.")

    monkeypatch.setattr(type(services.store), "secret", down)
    app = create_app(services)
    answer = app.test_client().get(LIST)
    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert "Set-Cookie" not in answer.headers
    assert app.test_client().post("/worklist/me", data={"who": "x"}).status_code == 503
    assert app.test_client().get("/cds-services").status_code == 200
    monkeypatch.undo()
    assert app.test_client().get(LIST).status_code == 200  # it recovers by itself


def test_a_defect_tells_where_and_not_what(services, li, candidate, monkeypatch, caplog):
    def broken(*_args, **_named):
        raise ValueError(patient_of(story("candidate"))["name"][0]["text"])

    monkeypatch.setattr("cds_service.web.worklist.entries.person_row", broken)
    with caplog.at_level(logging.ERROR):
        answer = li.get(f"/worklist/entries/{candidate}")
    assert answer.status_code == 500
    name = patient_of(story("candidate"))["name"][0]["text"]
    assert name not in answer.text
    assert name not in caplog.text
    assert "defect: ValueError" in caplog.text


def test_the_log_holds_routes_only(services, li, candidate, caplog):
    with caplog.at_level(logging.INFO):
        li.get(f"/worklist/entries/{candidate}")
        li.post(LIST, text="Kanarienvogl", query="")
    assert candidate not in caplog.text
    assert "Kanarienvogl" not in caplog.text
    assert "/worklist/entries/<entry>" in caplog.text


def test_supposing_is_stored_nowhere(services, li):
    entry = take(services, story("stale-bilirubin"))
    before = entry_of(services, entry)
    page = li.get(f"/worklist/entries/{entry}").text
    field = re.search(r'name="(if-[^"]+)"', page)[1]
    answer = li.get(f"/worklist/entries/{entry}?{field}=10")
    assert answer.status_code == 200
    assert "Supposed, not stored" in answer.text
    assert entry_of(services, entry) == before
    wrong = li.get(f"/worklist/entries/{entry}?{field}=ten+or+so")
    assert wrong.status_code == 400
    assert 'role="alert"' in wrong.text
    assert 'value="ten or so"' in wrong.text
    assert li.get(f"/worklist/entries/{entry}?if-nothing=1").status_code == 400
    assert li.get(f"/worklist/entries/{entry}?{field}=1&{field}=2").status_code == 400
    row = services.store.worklist.audit(limit=1)[0]
    assert row.entry == entry


def test_a_funnel_that_was_taken_is_drawn(services, li):
    from cds_service.present.cohort.funnel import FunnelCount, from_json, to_json
    from cds_service.store.worklist import Run

    trial = RULES.library.trials[TRIAL]
    counts = {gate.id: FunnelCount(trial, gate.id) for gate in trial.gates}
    for folder in sorted(PATIENTS.iterdir()):
        outcome = RULES.judge(read_bundle(story(folder.name)), RULES.library, as_of=AS_OF, trials=[TRIAL]).trials[0]
        counts[outcome.gate].add(outcome)
    funnels = tuple(count.funnel() for count in counts.values())
    told = json.loads(json.dumps(to_json(funnels)))
    assert from_json(told, trial) == funnels
    services.store.worklist.keep_run(Run("r1", TRIAL, AS_OF, NOW, "bundles", 20, told))
    page = li.get(f"{LIST}/funnel").text
    assert page.count("<h2") == len(funnels)
    assert 'class="unknown"' in page
    services.store.worklist.keep_run(Run("r2", TRIAL, date(2026, 3, 2), NOW, "bundles", 20, {"other": "shape"}))
    assert li.get(f"{LIST}/funnel").status_code == 200

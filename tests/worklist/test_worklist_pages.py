"""The worklist's pages over HTTP: what answers, what is noted, filters, and what no address holds."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from datetime import date
from urllib.parse import parse_qs, urlsplit

import pytest
from door_fakes import hook
from worklist_desk import (
    AS_OF,
    LIST,
    NOW,
    PATIENTS,
    RULES,
    TRIAL,
    entry_of,
    listed,
    patient_of,
    story,
    take,
)

from cds_service.gather.bundle import read_bundle
from cds_service.web import create_app


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


def test_what_is_not_there_and_what_is_no_id_of_ours(services, candidate, li):
    patient = patient_of(story("candidate"))["id"]
    for one in (
        "0" * 32,
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

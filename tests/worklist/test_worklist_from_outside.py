"""What a caller makes up, or a page of another site asks for, leaves nothing in the audit, which keeps it for ever."""

from __future__ import annotations

import json
import time

import pytest
from worklist_desk import LIST, PATIENTS, RULES, TRIAL, Person, entry_of, story

from cds_service.evaluation.what_if import names, supposable
from cds_service.gather.bundle import read_bundle


def noted(services):
    """Return all that the audit holds, as text."""
    rows = services.store.worklist.audit(limit=1000)
    return len(rows), json.dumps([(row.what, row.detail) for row in rows], ensure_ascii=False)


@pytest.mark.parametrize("page", [LIST, f"{LIST}/export"])
@pytest.mark.parametrize("query", ["missing=Kanarienvogl", "assignee=Kanarienvogl"])
def test_a_filter_that_the_caller_made_up_is_refused_before_it_is_noted(services, li, candidate, page, query):
    before = noted(services)
    answers = [li.get(f"{page}?{query}")]
    if page == LIST:
        answers.append(li.post(page, text="", query=query))
    else:
        answers.append(li.post(f"{page}?{query}", format="csv", reason="x"))
    for answer in answers:
        assert answer.status_code == 400
        assert "Kanarienvogl" not in answer.text
    assert noted(services) == before


def test_a_fact_of_the_rules_and_somebody_who_has_a_patient_may_be_asked_for(services, li, candidate):
    assert li.get(f"{LIST}?missing=hemoglobin").status_code == 200  # nobody lacks it now: a link that was kept
    assert li.get(f"{LIST}?assignee=-").status_code == 200
    version = entry_of(services, candidate).version
    li.post(f"/worklist/entries/{candidate}/assignee", version=version, assignee="Sister Wang")
    assert li.get(f"{LIST}?assignee=Sister+Wang").status_code == 200


@pytest.mark.parametrize("name", ["Kanarienvogl", "confirm-Kanarienvogl", "karnofsky-x", "", "confirm-"])
def test_a_supposed_name_that_the_trial_does_not_have_is_refused_before_it_is_noted(services, li, candidate, name):
    before = noted(services)
    answer = li.get(f"/worklist/entries/{candidate}?if-{name}=1&if-hemoglobin=100")
    assert answer.status_code == 400
    assert "Kanarienvogl" not in answer.text
    assert noted(services) == before


def test_whatever_a_page_offers_to_suppose_is_a_name_of_the_trial(services):
    for folder in sorted(PATIENTS.iterdir()):
        record = read_bundle(story(folder.name))
        for outcome in RULES.judge(record, RULES.library, as_of=services.clock()).trials:
            offered = {one.name for one in supposable(outcome, RULES.library)}
            assert offered <= names(outcome.trial, RULES.library), folder.name
    assert {"hemoglobin", "confirm-life-expectancy", "deceased"} <= names(RULES.library.trials[TRIAL], RULES.library)


ASKED_BY_OTHERS = {
    "a picture": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    "a picture of another port": {
        "Sec-Fetch-Site": "same-site",
        "Sec-Fetch-Mode": "no-cors",
        "Sec-Fetch-Dest": "image",
    },
    "a frame": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    "a frame of our own": {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "frame"},
    "an object": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "object"},
    "an embed": {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "embed"},
    "a script": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
    "a fetch": {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
    "a prefetch": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "empty"},
}


@pytest.mark.parametrize("headers", ASKED_BY_OTHERS.values(), ids=ASKED_BY_OTHERS)
def test_what_another_page_asks_for_is_refused_and_not_noted(services, app, li, candidate, headers):
    before = noted(services)
    entry = f"/worklist/entries/{candidate}"
    for person in (li, Person(app)):
        for path in (LIST, f"{LIST}/funnel", f"{LIST}/export", entry, f"{entry}/report", f"{entry}/history",
                     "/worklist/audit", "/worklist/", "/worklist/nothing"):  # fmt: skip
            for answer in (person.get(path, headers=headers), person.client.head(path, headers=headers)):
                assert answer.status_code == 403, path
                assert "Set-Cookie" not in answer.headers
                assert TRIAL not in answer.text
        sent = {"csrf_token": person.token, "text": "x"}
        assert person.client.post(f"{entry}/note", data=sent, headers=headers).status_code == 403
    assert noted(services) == before


def test_pages_in_a_window_and_our_own_files_are_answered(li, candidate):
    ours = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    with li.get("/worklist/static/icon.svg", headers=ours) as icon:
        assert icon.status_code == 200
    swapped = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
    assert li.get(LIST, headers=swapped).status_code == 200
    for site in ("none", "same-site", "cross-site"):
        window = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        assert li.get(LIST, headers=window).status_code == 200


# Sessions.


def test_a_session_ends_after_a_working_day(services, app, li, candidate, monkeypatch):
    token, later = li.token, time.time() + 8 * 3600 + 60
    monkeypatch.setattr("time.time", lambda: later)
    note = {"csrf_token": token, "text": "late"}
    assert li.client.post(f"/worklist/entries/{candidate}/note", data=note).status_code == 400
    assert "You are Dr Li" not in li.get("/worklist/me").text


@pytest.mark.parametrize("fields", [{"who": "Sister Wang"}, {"forget": "1"}])
def test_another_name_begins_another_session(services, app, li, candidate, fields):
    old = li.token
    li.post("/worklist/language", language="zh", next="")
    assert li.post("/worklist/me", **fields).status_code == 303
    note = {"csrf_token": old, "text": "of the one before", "who": "Dr Li"}
    assert li.client.post(f"/worklist/entries/{candidate}/note", data=note).status_code == 400
    assert [one.what for one in services.store.worklist.history(candidate)] == ["screened"]
    assert 'lang="zh-Hans"' in li.get("/worklist/me").text  # the language is nobody's secret
    del li.token
    assert li.post(f"/worklist/entries/{candidate}/note", text="x", who="Dr Zhao").status_code == 303


def test_the_same_name_and_the_first_one_leave_open_forms_good(services, app, candidate):
    nobody = Person(app)
    assert nobody.post("/worklist/me", who="Dr Zhao").status_code == 303
    assert nobody.post("/worklist/me", who="Dr Zhao").status_code == 303
    assert nobody.post(f"/worklist/entries/{candidate}/note", text="x").status_code == 303


def test_a_name_written_in_two_ways_is_one(services, app, candidate):
    composed, apart = "Dr M\u00fcller", "Dr Mu\u0308ller"
    assert Person(app, apart).post(f"/worklist/entries/{candidate}/note", text="x").status_code == 303
    assert services.store.worklist.history(candidate)[0].who == composed
    li = Person(app, "Dr Li")
    li.post(f"/worklist/entries/{candidate}/assignee", version=entry_of(services, candidate).version, assignee=apart)
    assert entry_of(services, candidate).assignee == composed

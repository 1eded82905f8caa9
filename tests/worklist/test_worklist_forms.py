"""Who may send what to the worklist: sessions, tokens, forged forms, links of other sites."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from werkzeug.http import parse_cookie
from worklist_desk import (
    LIST,
    Person,
    entry_of,
)

from cds_service.web import create_app


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
    later = time.time() + 7 * 3600
    monkeypatch.setattr("time.time", lambda: later)
    other = create_app(services).test_client()  # another worker on the same database
    other.set_cookie("worklist", li.client.get_cookie("worklist", path="/worklist").value, path="/worklist")
    answer = other.post(
        f"/worklist/entries/{candidate}/note", data={"csrf_token": token, "text": "late", "screening": "1"}
    )
    assert answer.status_code == 303
    assert services.store.worklist.history(candidate)[0].who == "Dr Li"


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

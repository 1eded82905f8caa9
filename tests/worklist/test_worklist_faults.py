"""The worklist while its store or audit is down or something is broken; and what its log holds."""

from __future__ import annotations

import html
import logging
import re

from worklist_desk import (
    LIST,
    Person,
    entry_of,
    exported,
    patient_of,
    story,
)

from cds_service.errors import UnavailableError
from cds_service.web import create_app


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


def test_what_was_typed_is_handed_back_while_the_store_is_down(services, app, li, candidate, monkeypatch):
    path, entry = f"/worklist/entries/{candidate}", entry_of(services, candidate)
    nobody = Person(app)
    tokens, sent = (li.token, nobody.token), {"version": entry.version, "screening": entry.latest.id}
    note, why = "called <b>twice</b>\nuntil Monday", "wants treatment at home"

    def down(*_args, **_named):
        raise UnavailableError("The store is down for now.")

    for broken in ("entry", "note", "decide", "saw"):  # before, in, and after the edit that a field is wrong in
        monkeypatch.setattr(type(services.store.worklist), broken, down)
        if broken != "decide":
            typed = note if broken != "saw" else "x" * 4001
            answer = li.post(f"{path}/note", text=typed, **sent)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1"), broken
            assert html.escape(typed[:4000]) in answer.text
            assert f'action="{path}/note"' in answer.text
        if broken != "note":
            state = "declined" if broken != "saw" else "no-such"
            answer = li.post(f"{path}/decision", state=state, reason=why, **sent)
            assert answer.status_code == 503, broken
            assert f">{why}</textarea>" in answer.text
            assert f'name="version" value="{entry.version}"' in answer.text
            assert f'value="{state}" selected' in answer.text
        assert patient_of(story("candidate"))["name"][0]["text"] not in answer.text
        assert "Every look at a patient is noted" in answer.text
        monkeypatch.undo()
    monkeypatch.setattr(type(services.store.worklist), "entry", down)
    answer = nobody.post(f"{path}/note", text=note, who="Dr Zhao", **sent)
    assert 'value="Dr Zhao"' in answer.text
    assert (li.token, nobody.token) == tokens
    monkeypatch.undo()
    fields = {
        name: html.unescape(value) for name, value in re.findall(r'name="([a-z_]+)"[^>]* value="([^"]*)"', answer.text)
    }
    assert nobody.client.post(f"{path}/note", data={**fields, "text": note}).status_code == 303
    newest = services.store.worklist.history(candidate)[0]
    assert (newest.who, newest.detail["text"]) == ("Dr Zhao", note)
    assert entry_of(services, candidate).state == entry.state


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

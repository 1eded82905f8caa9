"""What people do with an entry over HTTP: decisions, notes, attestations, two at once; nothing typed is lost."""

from __future__ import annotations

import html
import re
from datetime import date

import pytest
from worklist_desk import (
    LIST,
    Person,
    entry_of,
    story,
    take,
)

from cds_service.store.worklist import EntryState
from cds_service.web.worklist.asked import LABELS


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
    fields = dict(re.findall(r'name="(version|screening|csrf_token)" value="([^"]+)"', answer.text))
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
        ("decision", {"state": "declined", "reason": "x" * 501}, "reason"),
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
        ("attest", {"criterion": "life-expectancy", "verdict": "pass", "until": "2027-03-02"}, "until"),
        ("attest", {"criterion": "life-expectancy", "verdict": "pass", "until": "9999-12-31"}, "until"),
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


@pytest.mark.parametrize("screening", ["", " "])
@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("decision", {"state": "enrolled"}),
        ("note", {"text": "called"}),
        ("assignee", {"assignee": "Wang"}),
        ("seen", {}),
        ("attest", {"criterion": "life-expectancy", "verdict": "pass", "until": "2026-04-01"}),
        ("withdraw", {"criterion": "life-expectancy"}),
    ],
)
def test_nobody_decides_on_what_they_did_not_see(services, candidate, li, action, fields, screening):
    wang = Person(li.client.application, "Wang")
    version = entry_of(services, candidate).version
    assert wang.post(f"/worklist/entries/{candidate}/assignee", version=version, assignee="Wang").status_code == 303
    before = services.store.worklist.history(candidate)
    sent = {**fields, "version": version, "screening": screening}
    answer = li.post(f"/worklist/entries/{candidate}/{action}", **sent)
    assert answer.status_code == 409
    assert "which judgement its page showed" in answer.text
    assert "What was done meanwhile" in answer.text
    assert services.store.worklist.history(candidate) == before


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
    asked = entry_of(services, entry).latest.brief["to_confirm"]
    assert asked
    path = f"/worklist/entries/{entry}"
    fields = {"criterion": asked[0], "verdict": "fail", "until": "2026-04-01", "reason": "told me so"}
    answer = li.post(f"{path}/attest", version=entry_of(services, entry).version, **fields)
    assert answer.status_code == 303
    after = entry_of(services, entry)
    assert after.latest.status == "not-now"
    assert asked[0] not in after.latest.brief["to_confirm"]
    page = li.get(path).text
    assert "attested by Dr Li" in page
    assert "told me so" in page
    answer = li.post(f"{path}/withdraw", version=after.version, criterion=asked[0])
    assert answer.status_code == 303
    assert entry_of(services, entry).latest.status == "candidate"
    assert li.post(f"{path}/withdraw", version=entry_of(services, entry).version, criterion=asked[0]).status_code == 404


def test_an_attestation_holds_for_a_year_at_most(services, li, candidate):
    fields = {"criterion": "life-expectancy", "verdict": "pass"}
    path, version = f"/worklist/entries/{candidate}/attest", entry_of(services, candidate).version
    late = li.post(path, version=version, until="2027-03-02", **fields)
    assert late.status_code == 400
    assert "Counts until: at the latest 1 Mar 2027" in html.unescape(late.text)
    assert li.post(path, version=version, until="2027-03-01", **fields).status_code == 303


def test_attesting_a_chart_of_last_week(services, app, li):
    entry = take(services, story("candidate"), as_of=date(2026, 2, 25))
    asked = entry_of(services, entry).latest.brief["to_confirm"]
    fields = {"criterion": asked[0], "verdict": "fail", "until": "2026-04-01"}
    answer = li.post(f"/worklist/entries/{entry}/attest", version=entry_of(services, entry).version, **fields)
    assert answer.status_code == 303
    assert asked[0] not in entry_of(services, entry).latest.brief["to_confirm"]


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

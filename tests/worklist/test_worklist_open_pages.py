"""A page that is open while newer data come: what is done there is kept, and stands on what the page showed."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from datetime import timedelta

import pytest
from worklist_desk import AS_OF, NOW, entry_of, story, take

from cds_service.screening.worklist.changes import differs
from cds_service.store.worklist import Chart, EntryState, NewScreening

FORM = re.compile(r'<form method="post" action="([^"]+)">(.*?)</form>', re.DOTALL)
HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


def forms(page):
    """Return what each form of a page sends without being asked, by where it goes."""
    found = {}
    for action, inside in FORM.findall(page.text):
        found.setdefault(action.rpartition("/")[2], dict(HIDDEN.findall(inside)))
    return found


def newer(services):
    """Take a newer chart of the candidate, with another haemoglobin."""
    bundle = story("candidate")
    for one in bundle["entry"]:
        if "718-7" in str(one["resource"].get("code")):
            one["resource"]["valueQuantity"]["value"] += 1
    return take(services, bundle)


def test_every_form_says_what_its_page_showed(services, candidate, li):
    shown = str(entry_of(services, candidate).latest.id)
    page = forms(li.get(f"/worklist/entries/{candidate}"))
    assert {"decision", "assignee", "note", "attest"} <= page.keys()
    assert {one["screening"] for name, one in page.items() if name != "language"} == {shown}


@pytest.mark.parametrize(
    ("what", "typed"),
    [("decision", {"state": "contacted"}), ("note", {"text": "called"}), ("assignee", {"assignee": "Dr Wang"})],
)
def test_what_was_done_on_an_older_chart_is_kept_and_the_newer_one_is_to_be_seen(services, candidate, li, what, typed):
    path = f"/worklist/entries/{candidate}"
    sent, shown = forms(li.get(path))[what], entry_of(services, candidate).latest.id
    newer(services)
    assert not entry_of(services, candidate).changed
    assert li.post(f"{path}/{what}", **{**sent, **typed}).status_code == 303
    entry = entry_of(services, candidate)
    assert (entry.changed, entry.seen) == (True, shown)
    assert entry.latest.id != shown
    page = li.get(path)
    assert "What changed since somebody looked" in page.text
    assert li.post(f"{path}/seen", **forms(page)["seen"]).status_code == 303
    assert not entry_of(services, candidate).changed


def test_a_form_that_is_sent_again_still_says_what_was_shown(services, candidate, li):
    path = f"/worklist/entries/{candidate}"
    sent, shown = forms(li.get(path))["decision"], entry_of(services, candidate).latest.id
    newer(services)
    sent["version"] = "0"
    conflict = li.post(f"{path}/decision", **{**sent, "state": "contacted"})
    assert conflict.status_code == 409
    again = dict(HIDDEN.findall(conflict.text))
    assert again["screening"] == str(shown)
    assert li.post(f"{path}/decision", **{**again, "state": "contacted"}).status_code == 303
    assert entry_of(services, candidate).changed


def test_what_is_attested_at_another_gate_than_the_page_showed_is_not_kept(services, candidate, li):
    path = f"/worklist/entries/{candidate}"
    sent, entry = forms(li.get(path))["attest"], entry_of(services, candidate)
    result = services.store.worklist.result(candidate, entry.latest.id)
    last = {one.name: getattr(entry.latest, one.name) for one in fields(NewScreening) if one.name != "result"}
    moved = replace(NewScreening(**last, result=result), gate="another", rules_digest="sha256:other")
    chart = Chart(entry.latest.fingerprint, services.store.worklist.chart(entry.patient, entry.latest.fingerprint))
    services.store.worklist.take(entry.person, chart, [moved], differs=differs, now=NOW + timedelta(minutes=1))
    answer = li.post(f"{path}/attest", **{**sent, "verdict": "pass", "until": (AS_OF + timedelta(9)).isoformat()})
    assert answer.status_code == 409
    assert "another point of the trial" in answer.text
    assert "Somebody else" not in answer.text
    after = entry_of(services, candidate)
    assert (after.version, after.state) == (entry.version, EntryState.NEW)
    assert [one.what for one in services.store.worklist.history(candidate)] == ["screened", "screened"]

"""Counts and filters that agree: who has lapsed is no candidate, and a search by name keeps what was chosen."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import date, timedelta
from urllib.parse import parse_qs, urlsplit

from worklist_desk import AS_OF, LIST, NOW, TRIAL, Person, entry_of, listed

from cds_service.store.misses import Missed
from cds_service.web import create_app

LATER = date(2026, 3, 13)  # the day after the first result of the example candidate lapsed
CHIP = re.compile(r'id="(status-candidate|results-lapsed)"[^>]*>.*?<b>([0-9]+)</b>')


def numbers(page):
    """Return the numbers of the trial's line of the overview, by heading."""
    heads = [re.sub("<[^>]*>", "", one).strip() for one in re.findall(r"<th scope=\"col\"[^>]*>(.*?)</th>", page)]
    line = next(one for one in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL) if TRIAL in one)
    return dict(zip(heads[1:], map(int, re.findall(r'<td class="number[^>]*>([0-9]+)</td>', line)), strict=False))


def test_the_overview_counts_as_the_list_shows(services, many):
    later = replace(services, clock=lambda: LATER)
    for built, lapsed in ((services, False), (later, True)):
        li = Person(create_app(built), "Dr Li")
        overview, page = numbers(li.get("/worklist/").text), li.get(LIST).text
        shown = re.findall(r'<td class="status status-([a-z-]+)"', page)
        chips = {name: int(number) for name, number in CHIP.findall(page)}
        assert overview["◆ candidate, for review"] == shown.count("candidate") == chips["status-candidate"]
        assert overview.get("◈ results lapsed", 0) == shown.count("lapsed") == chips.get("results-lapsed", 0)
        assert (shown.count("lapsed") > 0) is lapsed
        assert overview["Patients"] == len(shown)
        assert len(listed(li.get(f"{LIST}?status=candidate").text)) == shown.count("candidate")
        assert len(listed(li.get(f"{LIST}?lapsed=1").text)) == shown.count("lapsed")


def test_status_and_lapsed_are_chosen_one_at_a_time(services, many):
    li = Person(create_app(replace(services, clock=lambda: LATER)), "Dr Li")
    page = li.get(f"{LIST}?status=candidate&state=new").text
    to = dict(re.findall(r'<a href="([^"]+)" class="chip" id="([^"]+)"', page))
    by_id = {name: parse_qs(urlsplit(html.unescape(path)).query) for path, name in to.items()}
    assert by_id["results-lapsed"] == {"lapsed": ["1"], "state": ["new"]}
    page = li.get(f"{LIST}?lapsed=1").text
    to = {name: html.unescape(path) for path, name in re.findall(r'<a href="([^"]+)" class="chip" id="([^"]+)"', page)}
    assert to["status-needs-data"] == f"{LIST}?status=needs-data"


def test_choosing_keeps_the_name_and_the_other_way_round(services, li, many):
    entry = next(one for one in map(lambda one: entry_of(services, one), many.values()) if one.latest.missing)
    name, fact = entry.person.names[0], entry.latest.missing[0]
    li.post(f"/worklist/entries/{entry.id}/assignee", **shown(services, entry.id), assignee="Dr Li")
    status = entry.latest.status
    # What the list's one form sends: the name, both choices, and the filters that were on.
    sent = {"text": name, "missing": fact, "assignee": "Dr Li", "query": f"status={status}&sort=-name"}
    page = li.post(LIST, **sent)
    assert listed(page.text) == [entry.id]
    assert f'value="{fact}" selected' in page.text
    assert 'value="Dr Li" selected' in page.text
    assert f'id="find-text" value="{html.escape(name)}"' in page.text
    # Every way on from here is a button of the same form, whose query holds all but the name.
    ways = re.findall(r'<button type="submit" form="find" name="query" value="([^"]*)" class="([^"]*)"', page.text)
    assert len(ways) > 10
    for query, _ in ways:
        kept = parse_qs(html.unescape(query))
        assert kept["missing"] == [fact]
        assert kept["assignee"] == ["Dr Li"]
        assert "text" not in kept
    assert page.text.count("<form") == 2, "the language's, and one for everything that is chosen or looked for"


def test_without_a_name_the_form_leads_to_an_address(services, li, many):
    entry = next(one for one in map(lambda one: entry_of(services, one), many.values()) if one.latest.missing)
    fact = entry.latest.missing[0]
    before = services.store.worklist.audit(limit=1)[0].number
    answer = li.post(LIST, text="  ", missing=fact, assignee="", query="status=needs-data&status=candidate&sort=name")
    assert answer.status_code == 303
    to = urlsplit(answer.headers["Location"])
    assert (to.path, to.fragment) == (LIST, "shown")
    assert parse_qs(to.query) == {"status": ["candidate", "needs-data"], "missing": [fact], "sort": ["name"]}
    assert services.store.worklist.audit(limit=1)[0].number == before, "nothing was shown yet"
    assert li.post(LIST, text="", missing="made-up", query="").status_code == 400
    assert li.post(LIST, text="", query="name=Huang").status_code == 400


def test_sorting_and_turning_keep_every_filter(services, li, many, monkeypatch):
    monkeypatch.setattr("cds_service.web.worklist.query.SIZE", 1)
    fact = next(iter(services.store.worklist.counts(TRIAL).missing))
    path = f"{LIST}?missing={fact}&state=new&sort=-status&status=needs-data"
    asked = parse_qs(urlsplit(path).query)
    page = li.get(path).text
    ways = re.findall(r'<a href="([^"]+)"[^>]* id="(sort-[a-z]+|page-after|by-rank)"', page)
    assert {name for _, name in ways} >= {"sort-name", "sort-lapses", "by-rank"}
    for way, name in ways:
        kept = parse_qs(urlsplit(html.unescape(way)).query)
        for one in ("missing", "state", "status"):
            assert kept[one] == asked[one], (name, one)
    assert re.search(r'<button type="submit" name="query" value="([^"]*)"', page)[1].count("&amp;") == 3


def shown(services, entry):
    found = entry_of(services, entry)
    return {"version": found.version, "screening": found.latest.id}


def missed(services, entry):
    """Let a run say that the patient was not found with the trial's disease."""
    person = entry_of(services, entry).person
    said = Missed(person.source, person.reference, (TRIAL,), "run-1", AS_OF, NOW + timedelta(hours=1))
    when = NOW + timedelta(hours=1)
    assert services.store.worklist.not_found(said, now=when, today=AS_OF) == [TRIAL]


TOLD = "not found with this trial's disease in the run of 1 Mar 2026"


def test_what_flagged_an_entry_is_told_for_as_long_as_it_is_flagged(services, li, candidate):
    path = f"/worklist/entries/{candidate}"
    missed(services, candidate)
    assert TOLD in html.unescape(li.get(path).text)
    # Somebody attests: that is judged and told after the run, and rests on the chart of before.
    attested = {"criterion": "life-expectancy", "verdict": "pass", "until": "2026-03-20"}
    assert li.post(f"{path}/attest", **shown(services, candidate), **attested).status_code == 303
    assert services.store.worklist.history(candidate)[0].what in ("screened", "attested")
    assert entry_of(services, candidate).changed
    page = html.unescape(li.get(path).text)
    assert "What changed since somebody looked" in page
    assert page.count(TOLD) == 2, "why it is flagged, and lately"
    assert li.post(f"{path}/seen", **shown(services, candidate)).status_code == 303
    assert not entry_of(services, candidate).changed
    assert "What changed since somebody looked" not in li.get(path).text

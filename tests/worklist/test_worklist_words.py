"""Errors speak the words of the form; a note sent twice is one; the service's own doing is under nobody's name."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import timedelta

from worklist_desk import LIST, NOW, Person, entry_of, story, take

from cds_service.web import create_app


def told(answer):
    return html.unescape(answer.text)


def test_a_sort_that_is_none(candidate, li):
    answer = li.get(f"{LIST}?sort=bogus")
    assert answer.status_code == 400
    assert "sort: one of rank, name," in told(answer)


def test_errors_of_forms_speak_the_words_of_the_form(services, candidate, li):
    path, entry = f"/worklist/entries/{candidate}", entry_of(services, candidate)
    verdict = li.post(f"{path}/attest", version=entry.version, criterion="life-expectancy", verdict="maybe")
    assert "Verdict: one of met, not met." in told(verdict)
    assert re.search(r'<option value="pass"[^>]*>met</option>', verdict.text)
    day = li.post(f"{path}/attest", version=entry.version, criterion="life-expectancy", verdict="pass", until="soon")
    assert "Counts until: a day such as" in told(day)
    state = li.post(f"{path}/decision", version=entry.version, state="maybe")
    assert "State: one of new, in review, contacted" in told(state)


def test_the_next_decision_has_no_reason_of_the_one_before(services, candidate, li):
    path, entry = f"/worklist/entries/{candidate}", entry_of(services, candidate)
    assert li.post(f"{path}/decision", version=entry.version, state="contacted", reason="by phone").status_code == 303
    page = li.get(path).text
    assert "<bdi>by phone</bdi>" in page
    assert 'value="by phone"' not in page


def test_a_judgement_stands_under_nobodys_name(services, candidate, li):
    path, entry = f"/worklist/entries/{candidate}", entry_of(services, candidate)
    fields = {"criterion": "life-expectancy", "verdict": "fail", "until": "2026-04-01"}
    assert li.post(f"{path}/attest", version=entry.version, **fields).status_code == 303
    lines = re.findall(r"<li><span class=\"quiet-text\">(.*?)</span><br>(.*?)</li>", li.get(f"{path}/history").text)
    judged = [who for who, what in lines if what.startswith("judged as of")]
    assert len(judged) == 2
    assert not any("Dr Li" in who for who in judged)
    assert any("Dr Li" in who for who, what in lines if what.startswith("attested"))


def test_a_note_sent_twice_is_one(services, app, candidate, li):
    path = f"/worklist/entries/{candidate}"

    def notes():
        return [one.detail["text"] for one in services.store.worklist.history(candidate) if one.what == "noted"]

    for _ in range(2):
        assert li.post(f"{path}/note", text="no answer").status_code == 303
    assert notes() == ["no answer"]
    sister = Person(app, "Sister Wang")
    assert sister.post(f"{path}/note", text="no answer").status_code == 303
    assert len(notes()) == 2, "of another person it is another one"
    hour_later = Person(create_app(replace(services, now=lambda: NOW + timedelta(hours=1))), "Sister Wang")
    hour_later.client.application.extensions["desk"] = services.store.worklist
    assert hour_later.post(f"{path}/note", text="no answer").status_code == 303
    assert len(notes()) == 3, "she tried again"


def test_what_if_says_how_it_stands(services, li):
    entry = take(services, story("stale-bilirubin"))
    page = li.get(f"/worklist/entries/{entry}?if-bilirubin_total=14").text
    assert "as it stands: needs data" in page


def test_a_score_is_one_in_chinese_too(services, li):
    entry = take(services, story("candidate"))
    page = li.get(f"/worklist/entries/{entry}", headers={"Accept-Language": "zh-CN"}).text
    assert "score" not in re.sub("<[^>]+>", " ", page)

"""Every page with `Accept-Language: zh-CN`: no English sentence is left but what the record or a person wrote."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
from english_left import english_left, words_of_record
from worklist_desk import LIST, PATIENTS, Person, entry_of, story, take

from cds_service.errors import UnavailableError
from cds_service.evaluation.outcome import Status
from cds_service.store.worklist import EntryState
from cds_service.web import create_app
from cds_service.web.worklist.query import SORTS

CHINESE = "zh-CN,zh;q=0.9,en;q=0.1"
HAN = re.compile(r"[\u4e00-\u9fff]")
# What a reader sees or hears of an element besides its text.
SHOWN = ("title", "aria-label", "placeholder", "alt", "label", "aria-description", "data-label")
SILENT = ("script", "style", "template")
VOID = ("meta", "link", "input", "br", "hr", "img", "col", "wbr", "source")
# Names of products, formats and levels that Chinese hospitals write so, and people of these tests.
KNOWN = (*("CDS Hooks", "FHIR", "OpenAPI", "Bundle", "Dr Li", "Sister Wang", "ULN", "AST", "CSV", "XLSX", "Excel"),)
# What an address or a form may hold, told to who wrote one by hand.
CODES = (
    ", ".join(EntryState),
    ", ".join(Status),
    "csv, xlsx, fhir",
    ", ".join(SORTS),
    ", ".join(f"-{one}" for one in SORTS),
)
RECORDED = words_of_record(*PATIENTS.glob("*/bundle.json"))
MOST_OF_A_KIND = 3


class Seen(HTMLParser):
    """Collects what a page shows; what is marked as English, such as the way to the other language, is left out."""

    def __init__(self):
        super().__init__()
        self.texts, self.links, self.forms, self._open = [], [], [], []

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag not in VOID:
            self._open.append((tag, found.get("lang") == "en" or tag in SILENT))
        if not any(aside for _tag, aside in self._open):
            self.texts += [found[name] for name in SHOWN if found.get(name)]
            self.texts += json.loads(found.get("data-words") or "{}").values()
            if tag == "input" and found.get("type") in ("submit", "button", "reset"):
                self.texts.append(found.get("value") or "")
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])

    def handle_endtag(self, tag):
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        if data.strip() and not any(aside for _tag, aside in self._open):
            self.texts.append(" ".join(data.split()))


def seen(answer):
    assert answer.mimetype == "text/html"
    assert answer.headers["Content-Language"] == "zh-Hans"
    assert '<html lang="zh-Hans"' in answer.text
    page = Seen()
    page.feed(answer.text)
    assert any(map(HAN.search, page.texts))
    return page


def left(page):
    """Return the English of a page that nothing accounts for."""
    found = [run for text in page.texts for run in english_left(text, (*KNOWN, *CODES, *RECORDED))]
    # A picture's label may be cut: what is left of a text of the record is the record's, too.
    return [run for run in found if not any(run in text for text in RECORDED)]


@pytest.fixture
def reader(app):
    """Somebody whose browser asks for Chinese."""
    person = Person(app, "Dr Li")
    person.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = CHINESE
    return person


def kind(address):
    """Tell pages apart by what made them: ids of ours and values of a query do not count."""
    parts = urlsplit(address)
    return re.sub("[0-9a-f]{32}", "ID", parts.path), frozenset(name for name, _value in parse_qsl(parts.query))


def walked(reader, *starts):
    """Open every page that links lead to, a few of each kind; yield its address and what it shows."""
    waiting, counted, known = list(starts), {}, set(starts)
    while waiting:
        address = waiting.pop(0)
        if counted.setdefault(kind(address), 0) >= MOST_OF_A_KIND:
            continue
        counted[kind(address)] += 1
        answer = reader.get(address)
        if answer.mimetype != "text/html":
            continue
        assert answer.status_code == 200, address
        page = seen(answer)
        yield address, page
        for link in page.links:
            parts = urlsplit(urljoin(f"http://localhost{address}", link))
            to = parts.path + (f"?{parts.query}" if parts.query else "")
            if parts.netloc == "localhost" and to not in known and "lang=" not in parts.query:
                known.add(to)
                waiting.append(to)


@pytest.fixture
def busy(services, reader, many):
    """Patients of whom everything was said that a page can show."""
    for name, state in (("candidate", "contacted"), ("stale-bilirubin", "declined"), ("deceased", "not-suitable")):
        path = f"/worklist/entries/{many[name]}"
        version = entry_of(services, many[name]).version
        answer = reader.post(f"{path}/decision", version=version, state=state, reason="打过电话")
        assert answer.status_code == 303
        assert reader.post(f"{path}/note", text="已联系").status_code == 303
        answer = reader.post(f"{path}/assignee", version=version + 1, assignee="Sister Wang")
        assert answer.status_code == 303
    return many


def test_every_page_that_a_link_leads_to(reader, busy):
    found, pages = {}, set()
    for address, page in walked(reader, "/", "/simulator", "/worklist", "/worklist/me", "/worklist/audit"):
        pages.add(kind(address)[0])
        if english := left(page):
            found[address] = english
    assert found == {}, "\n".join(f"{a}: {e}" for a, e in found.items())
    entry = "/worklist/entries/ID"
    assert {"/", "/worklist/audit", LIST, f"{LIST}/funnel", f"{LIST}/export", entry, f"{entry}/report"} <= pages
    assert f"{entry}/history" in pages


def english_of(found):
    return "\n".join(f"{address}: {runs}" for address, runs in found.items() if runs)


def test_every_patient_page_and_report(reader, busy, services):
    found = {}
    for name, entry in busy.items():
        for part in ("", "/report", "/history", "?hemoglobin=80&hemoglobin-on=2026-02-27"):
            answer = reader.get(f"/worklist/entries/{entry}{part}")
            assert answer.status_code in (200, 400), name
            found[name + part] = left(seen(answer))
    assert english_of(found) == ""


def attested(services, reader, entry, criterion, verdict):
    version = entry_of(services, entry).version
    return reader.post(
        f"/worklist/entries/{entry}/attest",
        version=version,
        criterion=criterion,
        verdict=verdict,
        until="2026-05-01",
        reason="已核对",
    )


def test_attested_withdrawn_changed_and_missed(reader, services, many):
    entry, found = many["candidate"], {}
    path = f"/worklist/entries/{entry}"

    def look(name):
        for address in (path, f"{path}/report", f"{path}/history", LIST, "/worklist/audit"):
            found[f"{name} {address}"] = left(seen(reader.get(address)))

    assert attested(services, reader, entry, "life-expectancy", "fail").status_code == 303
    look("attested")
    version = entry_of(services, entry).version
    assert reader.post(f"{path}/withdraw", version=version, criterion="life-expectancy").status_code == 303
    look("withdrawn")
    bundle = story("candidate")
    for one in bundle["entry"]:
        if "718-7" in str(one["resource"].get("code")):
            one["resource"]["valueQuantity"]["value"] = 60
    assert take(services, bundle) == entry
    look("changed")
    assert english_of(found) == ""


WRONG = [
    ("/worklist/nowhere", 404),
    ("/worklist/trials/NCT00000000", 404),
    ("/worklist/entries/" + "0" * 32, 404),
    ("/worklist/entries/x", 404),
    (f"{LIST}?status=odd", 400),
    (f"{LIST}?page=0", 400),
    (f"{LIST}?sort=odd", 400),
    (f"{LIST}?missing=odd", 400),
    (f"{LIST}?assignee=nobody", 400),
    (f"{LIST}?odd=1", 400),
    (f"{LIST}?page=1&page=2", 400),
    ("/worklist/audit?before=x", 400),
    ("/worklist/audit?entry=x", 404),
]


@pytest.mark.parametrize(("address", "status"), WRONG)
def test_errors_of_addresses(reader, many, address, status):
    answer = reader.get(address)
    assert answer.status_code in (status, 400, 404)
    assert left(seen(answer)) == []


FORMS = {
    "decision": [
        {"state": "odd"},
        {"state": "not-suitable"},
        {"state": "contacted", "criterion": "x", "reason": "r" * 600},
        {},
    ],
    "note": [{}, {"text": "x" * 5000}, {"text": "x", "odd": "1"}],
    "assignee": [{"assignee": "x" * 300}],
    "attest": [
        {"criterion": "x", "verdict": "pass", "until": "2026-04-01"},
        {"criterion": "life-expectancy", "verdict": "odd", "until": "2026-04-01"},
        {"criterion": "life-expectancy", "verdict": "pass", "until": "soon"},
        {"criterion": "life-expectancy", "verdict": "pass", "until": "2020-04-01"},
        {"criterion": "life-expectancy", "verdict": "pass", "until": "2030-04-01"},
        {"criterion": "ast", "verdict": "pass", "until": "2026-04-01"},
    ],
    "withdraw": [{"criterion": "life-expectancy"}, {"criterion": "x"}, {}],
    "seen": [{"screening": "99999"}, {"screening": "x"}],
}


@pytest.mark.parametrize("form", FORMS)
def test_errors_of_forms(reader, services, candidate, form):
    path = f"/worklist/entries/{candidate}/{form}"
    for fields in FORMS[form]:
        for version in (entry_of(services, candidate).version, 77, "x"):
            answer = reader.post(path, **{"version": version, **fields})
            if answer.status_code != 303:
                assert left(seen(answer)) == [], (fields, version)
    answer = reader.client.post(path, data={"version": 1})
    assert answer.status_code == 400
    assert left(seen(answer)) == []


def test_errors_of_exports_and_of_names(reader, many):
    posted = [
        *((f"{LIST}/export", fields) for fields in ({}, {"reason": "x"}, {"reason": "r" * 999, "format": "odd"})),
        *(("/worklist/me", fields) for fields in ({}, {"who": "x" * 300}, {"forget": "x"})),
        ("/worklist/language", {"language": "tlh"}),
        (LIST, {"text": "x" * 900}),
        (LIST, {"text": "x", "query": "odd=1"}),
    ]
    for address, fields in posted:
        answer = reader.post(address, **fields)
        if answer.mimetype == "text/html" and answer.status_code != 303:
            assert left(seen(answer)) == [], (address, fields)


def test_the_store_is_down(reader, services, candidate, monkeypatch):
    reader.get("/worklist/me")

    def down(*_given, **_more):
        raise UnavailableError("The store is down for now.")

    monkeypatch.setattr(type(services.store.worklist), "saw", down)
    for address in (LIST, f"/worklist/entries/{candidate}"):
        answer = reader.get(address)
        assert answer.status_code == 503
        assert left(seen(answer)) == []


def test_a_page_of_somebody_without_a_name(app, candidate):
    nobody = Person(app)
    nobody.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = CHINESE
    for address in ("/worklist", LIST, f"/worklist/entries/{candidate}", "/worklist/me", "/worklist/audit"):
        assert left(seen(nobody.get(address))) == []
    answer = nobody.post(f"/worklist/entries/{candidate}/note", text="已联系")
    assert left(seen(answer)) == []


def test_the_closed_page_of_verified_mode(services):
    settings = services.settings.model_copy(update={"mode": "verified"})
    app = create_app(replace(services, settings=settings))
    answer = app.test_client().get("/", headers={"Accept-Language": CHINESE})
    assert left(seen(answer)) == []
    answer = app.test_client().get("/")
    assert "record system" in answer.text


def test_english_that_is_left_is_seen():
    page = Seen()
    page.feed(
        '<p title="an English title here">这是 The patient may be <b>one</b></p><p lang="en">Read it in English</p>'
    )
    assert left(page) == ["an English title here", "The patient may be"]

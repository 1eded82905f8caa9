"""The simulator's addresses: in open mode only, tightly fenced, and Markdown that is never HTML."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from door_fakes import AS_OF, services
from english_left import english_left
from hypothesis import given
from hypothesis import strategies as st

from cds_service.web import create_app
from cds_service.web.example_stories import EXAMPLES, example_stories
from cds_service.web.markdown_tree import markdown_tree
from cds_service.web.simulator_words import TEMPLATES

STATIC = Path(__file__).resolve().parents[2] / "cds_service" / "web" / "static" / "simulator"
ADDRESSES = ("/simulator", "/simulator/setup", "/simulator/stories/candidate", "/simulator/static/main.js")
TAGS = {"p", "strong", "em", "code", "pre", "ul", "ol", "li", "blockquote", "hr", "br", "a", "h4", "h5", "h6"} | {
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
}


@pytest.fixture
def client():
    return create_app(services()[0]).test_client()


@pytest.mark.parametrize("address", ADDRESSES)
def test_in_open_mode_every_address_has_a_strict_policy(client, address):
    response = client.get(address)
    response.close()
    assert response.status_code == 200
    rules = dict(part.strip().split(" ", 1) for part in response.headers["Content-Security-Policy"].split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == rules["frame-ancestors"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == rules["img-src"] == "'self'"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"


def test_in_verified_mode_there_is_no_simulator():
    built, _ = services()
    app = create_app(replace(built, settings=built.settings.model_copy(update={"mode": "verified"})))
    for address in ADDRESSES:
        assert app.test_client().get(address).status_code == 404
    assert app.test_client().post("/simulator/markdown", json={"markdown": "x"}).status_code == 404
    assert "simulator" not in app.test_client().get("/").get_data(as_text=True)


def test_the_index_links_it(client):
    assert "/simulator" in client.get("/").get_data(as_text=True)


def test_the_page_holds_no_inline_code_and_asks_nobody_else(client):
    page = client.get("/simulator").get_data(as_text=True)
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)
    assert re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL) == [""]
    texts = {path.name: path.read_text(encoding="utf-8") for path in STATIC.iterdir()}
    for name, text in {**texts, "page": page}.items():
        hosts = set(re.findall(r"https?://([\w.]+)", text)) - {"www.w3.org", "snomed.info", "www.whocc.no"}
        assert hosts == set(), name
        assert "innerHTML" not in text, name
    with client.get("/simulator/static/main.js") as response:
        assert response.mimetype in ("text/javascript", "application/javascript")


def test_setup_says_the_day_and_the_stories(client):
    setup = client.get("/simulator/setup").get_json()
    assert setup["asOf"] == AS_OF.isoformat()
    assert "fhirServer" not in setup
    assert {story["name"] for story in setup["stories"]} == {path.name for path in EXAMPLES.iterdir()}
    for story in setup["stories"]:
        assert story["text"]
        assert story["expected"] in ("candidate", "needs-data", "not-now", "excluded")
        assert story["asOf"] == "2026-03-01"
        assert story["title"] == story["name"]
    named = create_app(services()[0], simulator_fhir="http://127.0.0.1:8090/fhir").test_client()
    assert named.get("/simulator/setup").get_json()["fhirServer"] == "http://127.0.0.1:8090/fhir"


def test_the_stories_are_told_in_chinese_too(client):
    english, answer = client.get("/simulator/setup"), client.get("/simulator/setup", headers={"Accept-Language": "zh"})
    assert (english.headers["Content-Language"], answer.headers["Content-Language"]) == ("en", "zh-Hans")
    told = answer.get_json()["stories"]
    for one, other in zip(english.get_json()["stories"], told, strict=True):
        for name in ("name", "asOf", "expected"):
            assert one[name] == other[name]
        assert sorted(re.findall("[0-9]+", one["text"])) == sorted(re.findall("[0-9]+", other["text"]))
        for name in ("title", "text", "status"):
            assert re.search(r"[\u4e00-\u9fff]", other[name])
            assert english_left(other[name], ("AST", "PD", "ATC")) == []
    assert len({one["title"] for one in told}) == len(told)


def test_only_stories_are_given_out(client):
    assert client.get("/simulator/stories/candidate").get_json()["resourceType"] == "Bundle"
    for name in ("nobody", "..", "%2e%2e", "..%2f..%2fpyproject.toml", "candidate%2fexpected.yaml"):
        response = client.get(f"/simulator/stories/{name}")
        assert response.status_code == 404
        assert "nobody" not in response.get_data(as_text=True)


def test_without_a_checkout_there_are_no_stories(tmp_path):
    assert example_stories(tmp_path) == ()


@pytest.mark.parametrize("body", [[], {}, {"markdown": 1}, "text"])
def test_markdown_must_be_text(client, body):
    response = client.post("/simulator/markdown", json=body)
    assert response.status_code == 400
    assert response.get_json()["issue"][0]["expression"] == ["markdown"]


def test_markdown_too_large_is_refused(client):
    assert client.post("/simulator/markdown", json={"markdown": "x" * 70_000}).status_code == 413


def test_a_table_becomes_a_tree(client):
    response = client.post("/simulator/markdown", json={"markdown": "| a |\n|---|\n| **b** |"})
    cell = {"tag": "td", "children": [{"tag": "strong", "children": ["b"]}]}
    assert response.get_json() == {
        "nodes": [
            {
                "tag": "table",
                "children": [
                    {"tag": "thead", "children": [{"tag": "tr", "children": [{"tag": "th", "children": ["a"]}]}]},
                    {"tag": "tbody", "children": [{"tag": "tr", "children": [cell]}]},
                ],
            }
        ]
    }


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<img src=x onerror=alert(1)>", ["<img src=x onerror=alert(1)>"]),
        ("<script>alert(1)</script>", ["<script>alert(1)</script>"]),
        ("&lt;b&gt;", ["<b>"]),
        ("![p](https://evil.invalid/x.png)", ["[image: p]"]),
        ("![](data:image/png;base64,AA==)", ["[image]"]),
        ("[x](JaVaScRiPt:alert(1))", ["[x](JaVaScRiPt:alert(1))"]),
        ("[x](/relative)", ["x"]),
        ("[x](//evil.invalid)", ["x"]),
        ("[x](ftp://a.invalid/)", ["x"]),
        ("[x](https://a.invalid/b?c=1)", [{"tag": "a", "children": ["x"], "href": "https://a.invalid/b?c=1"}]),
        ("<https://a.invalid>", [{"tag": "a", "children": ["https://a.invalid"], "href": "https://a.invalid"}]),
        ("`<b>`", [{"tag": "code", "children": ["<b>"]}]),
        ("a  \nb", ["a", {"tag": "br", "children": []}, "b"]),
        ("a\nb", ["a", " ", "b"]),
    ],
)
def test_what_is_dangerous_stays_text(text, shown):
    assert markdown_tree(text) == [{"tag": "p", "children": shown}]


def test_lists_headings_and_code():
    assert markdown_tree("# H\n\n- a\n- b\n\n```\n<i>\n```") == [
        {"tag": "h4", "children": ["H"]},
        {"tag": "ul", "children": [{"tag": "li", "children": ["a"]}, {"tag": "li", "children": ["b"]}]},
        {"tag": "pre", "children": ["<i>\n"]},
    ]


PIECES = [
    "<",
    ">",
    "&",
    '"',
    "[",
    "]",
    "(",
    ")",
    "!",
    "`",
    "*",
    "|",
    "-",
    "\n",
    " ",
    "#",
    "\\",
    "x",
    "://",
    "javascript:",
]


@given(st.one_of(st.text(max_size=80), st.lists(st.sampled_from([*PIECES, "https", "<img src=x>"])).map("".join)))
def test_no_text_makes_an_element_that_is_not_on_the_list(text):
    def walk(nodes):
        for node in nodes:
            if isinstance(node, str):
                continue
            assert set(node) <= {"tag", "children", "href"}
            assert node["tag"] in TAGS
            assert ("href" in node) == (node["tag"] == "a")
            assert urlsplit(node.get("href", "https://a")).scheme in ("http", "https")
            walk(node["children"])

    walk(markdown_tree(text))


def test_the_orders_are_drafts_of_nobody_with_codes():
    orders = json.loads((STATIC / "orders.json").read_text(encoding="utf-8"))["orders"]
    assert len({order["resource"]["id"] for order in orders}) == len(orders)
    for order in orders:
        assert order["resource"]["status"] == "draft"
        assert "subject" not in order["resource"]
        assert order["label"]


def test_every_word_of_the_scripts_is_brought_along():
    scripts = [path.read_text(encoding="utf-8") for path in STATIC.glob("*.js")]
    said = {word for text in scripts for word in re.findall(r'\bt\(\s*"((?:[^"\\]|\\.)*)"', text)}
    assert not [text for text in scripts if re.search(r"\bt\(\s*[`']", text)]
    labels = {order["label"] for order in json.loads((STATIC / "orders.json").read_text(encoding="utf-8"))["orders"]}
    assert said | labels == set(TEMPLATES)


def test_the_page_speaks_the_language_of_its_address_or_its_reader(client):
    def words(page: str) -> dict[str, str]:
        found = re.search(r'data-words="([^"]*)"', page)
        assert found is not None
        return json.loads(unescape(found[1]))

    for address, header, tag in (
        ("/simulator", "", "en"),
        ("/simulator", "zh-CN", "zh-Hans"),
        ("/simulator?lang=zh", "en", "zh-Hans"),
    ):
        answer = client.get(address, headers={"Accept-Language": header})
        assert answer.headers["Content-Language"] == tag
        page = answer.get_data(as_text=True)
        assert f'<html lang="{tag}">' in page
        assert ("电子病历模拟器" in page) is (tag == "zh-Hans")
        assert words(page).get("Sex") == ("性别" if tag == "zh-Hans" else None)


def test_the_index_speaks_chinese_too(client):
    page = client.get("/?lang=zh").get_data(as_text=True)
    assert '<html lang="zh-Hans">' in page
    assert "排除标准未编码" in page
    assert "exclusion criteria not encoded" in client.get("/").get_data(as_text=True)

"""Who gets a card, what it says, and that nothing from a record can break out of it."""

from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest
from door_fakes import (
    AS_OF,
    BILIRUBIN,
    CONFIRM,
    HEMOGLOBIN,
    criterion,
    decisive,
    needs_data,
    npc,
    outcome,
    spread,
    trial,
    trial_outcome,
)
from fhir.resources.R4B.servicerequest import ServiceRequest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cds_service.evaluation.outcome import Status, Verdict
from cds_service.facts.fact import Evidence, Reason
from cds_service.logic.truth import State
from cds_service.present.cards import make_cards
from cds_service.present.report import write_report
from cds_service.present.safe_text import SUMMARY_LIMIT, fit, markdown, plain

SEED = UUID("d1577c69-dfbe-44ad-ba6d-3e05e953b2ea")


def cards(*trials, **rest):
    return make_cards(outcome(*trials, **rest), seed=SEED)


# --- who speaks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "speaks"),
    [
        (trial_outcome(), True),
        (needs_data(), True),
        (trial_outcome(Status.NOT_NOW), False),
        (trial_outcome(Status.EXCLUDED), False),
        (trial_outcome(Status.NEEDS_DATA, [npc(State.UNKNOWN, Reason.NO_RECORD), spread()]), False),
        (trial_outcome(Status.NEEDS_DATA, [npc(State.UNKNOWN, Reason.NOT_FINAL), spread()]), False),
        (trial_outcome(Status.NOT_NOW, [npc(State.FALSE), spread()]), False),
        (trial_outcome(Status.CANDIDATE, [npc(State.UNKNOWN, Reason.CLINICIAN), spread()]), False),
        (trial_outcome(Status.NEEDS_DATA, [npc(), spread(State.UNKNOWN, Reason.NO_RECORD)]), False),
        (trial_outcome(Status.NEEDS_DATA, [npc(), spread(State.UNKNOWN, Reason.NOT_SPECIFIC)]), True),
        (trial_outcome(Status.NEEDS_DATA, [npc(), spread(State.UNKNOWN, Reason.NOT_FETCHED)]), True),
        (
            trial_outcome(
                Status.NEEDS_DATA,
                [npc(), spread(State.UNKNOWN, Reason.NO_RECORD), criterion("stage", State.TRUE_FOR_GOOD, sign=True)],
            ),
            True,
        ),
        (trial_outcome(of=trial(review="pending")), False),
    ],
)
def test_who_speaks(one, speaks):
    assert bool(cards(one)) is speaks


def test_the_best_trial_leads_and_the_others_are_a_line_each():
    against = criterion("surgery", State.UNKNOWN, reasons=[Reason.CLINICIAN], leaning=Verdict.FAIL)
    (card,) = cards(
        needs_data(of=trial("NCT1")),
        trial_outcome(of=trial("NCT2"), criteria=[npc(), against]),
        trial_outcome(of=trial("NCT3")),
        trial_outcome(Status.EXCLUDED, of=trial("NCT4")),
    )
    assert card["source"]["topic"]["code"] == "NCT3"
    assert card["detail"].index("Also NCT2") < card["detail"].index("Also NCT1")
    assert "NCT4" not in card["detail"]


def test_not_checked():
    chosen = [npc(State.UNKNOWN, Reason.NOT_FETCHED), spread()]
    unread = trial_outcome(Status.NEEDS_DATA, chosen, missing=[decisive()])
    (card,) = cards(unread, unread={"Condition": "time-out", "Observation": "HTTP 500"})
    assert card["summary"] == "NCT00000001 was not checked: the problem list could not be read (time-out)"
    assert card["indicator"] == "info"
    assert "suggestions" not in card


def test_several_not_checked_are_one_card_beside_the_candidate():
    unread = [
        trial_outcome(Status.NEEDS_DATA, [npc(State.UNKNOWN, Reason.NOT_FETCHED)], of=trial(f"NCT{n:08}"))
        for n in range(20)
    ]
    candidate, unchecked = cards(trial_outcome(), *unread, unread={"Condition": "x" * 300})
    assert candidate["summary"].startswith("May be a candidate")
    assert unchecked["summary"] == "NCT00000000 and 19 more were not checked"


# --- what a card says -----------------------------------------------------------------------------------------


def test_a_candidate_card():
    (card,) = cards(trial_outcome(until=date(2026, 3, 12)))
    assert card["summary"] == (
        "May be a candidate for NCT00000001, for review: all 3 computed criteria met, 1 to confirm; "
        "labs count until 12 Mar"
    )
    detail = card["detail"]
    assert "exclusion criteria not encoded" in detail
    assert "| ✔ | Hemoglobin ≥ 90 g/L | 12.10 g/dL \\= 121 g/L · 26 Feb 2026 |" in detail
    assert "- No prior anti-tumour treatment" in detail
    assert "present results count until 12 Mar 2026" in detail
    assert "*For review. Rules NCT00000001 rev. 3 (a41f9c), data as of 1 Mar 2026.*" in detail
    assert card["links"] == [
        {"label": "Registry record", "url": "https://clinicaltrials.gov/study/NCT00000001", "type": "absolute"}
    ]
    assert "selectionBehavior" not in card


def test_what_leans_against_is_named():
    against = criterion(
        "surgery", State.UNKNOWN, short="No earlier surgery", reasons=[Reason.CLINICIAN], leaning=Verdict.FAIL
    )
    (card,) = cards(trial_outcome(criteria=[npc(), spread(), against]))
    assert 'if confirmed: "No earlier surgery"' in card["summary"]
    assert "the record leans against it" in card["detail"]


def test_a_needs_data_card():
    (card,) = cards(needs_data())
    assert card["summary"] == (
        "NCT00000001: total bilirubin decides (last 12 µmol/L, 19 days ago, would pass); 3 of 4 computed criteria met"
    )
    assert (
        card["detail"].index("What decides") < card["detail"].index("For you to confirm") < card["detail"].index("|---")
    )


def test_what_could_not_be_read_is_never_a_missing_test():
    unread = decisive("procedures", "Procedures", Reason.NOT_FETCHED, kind="access", code="", evidence=())
    lab = decisive(reason=Reason.NOT_FETCHED)
    one = trial_outcome(Status.NEEDS_DATA, [npc(), spread(), BILIRUBIN], missing=[unread, lab])
    (card,) = cards(one, unread={"Procedure": "HTTP 403"})
    assert card["summary"].startswith("NCT00000001: procedures could not be read (HTTP 403)")
    assert "procedures (HTTP 403)" in card["detail"]
    assert "Could not be read, though the hospital may have it: Procedures, total bilirubin" in card["detail"]
    assert "suggestions" not in card
    assert "nothing on record" not in card["detail"]


def test_one_draft_order_for_each_test():
    labs = [
        decisive("a", "ALT", code="1742-6"),
        decisive("b", "Total bilirubin"),
        decisive("c", "Bilirubin again"),
        decisive("d", "Weight", kind="measurement", code="29463-7"),
        decisive("e", "Surgery", Reason.CLINICIAN, kind="question", code=""),
    ]
    (card,) = cards(trial_outcome(Status.NEEDS_DATA, [npc(), spread(), BILIRUBIN], missing=labs))
    assert card["selectionBehavior"] == "any"
    assert [suggestion["label"] for suggestion in card["suggestions"]] == [
        "Draft an order: ALT",
        "Draft an order: total bilirubin",
    ]
    assert [suggestion.get("isRecommended", False) for suggestion in card["suggestions"]] == [True, False]
    for suggestion in card["suggestions"]:
        (action,) = suggestion["actions"]
        assert action["type"] == "create"
        order = ServiceRequest.model_validate(action["resource"])
        assert (order.status, order.intent, order.subject.reference) == ("draft", "proposal", "Patient/p1")
        assert order.code.coding[0].system == "http://loinc.org"
    assert len({suggestion["uuid"] for suggestion in card["suggestions"]} | {card["uuid"]}) == 3


def no_empty(value):
    if isinstance(value, dict):
        return bool(value) and all(no_empty(item) for item in value.values())
    if isinstance(value, list):
        return bool(value) and all(no_empty(item) for item in value)
    return value not in (None, "")


@pytest.mark.parametrize("one", [trial_outcome(), needs_data(), trial_outcome(of=trial(url="", phase="", title={}))])
def test_the_form_of_a_card(one):
    (card,) = cards(one)
    assert no_empty(card)
    assert len(card["summary"]) < 140
    assert card["indicator"] == "info"
    assert card["source"]["topic"]["code"].isalnum()
    assert card["source"]["topic"]["system"] == "https://clinicaltrials.gov"
    assert UUID(card["uuid"])
    assert "eligible" not in str(card).lower().replace("'code': 'patient-ineligible'", "")  # HL7's own code


# --- text from a record -----------------------------------------------------------------------------------------

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "<b>bold</b> & <script>alert(1)</script>",
    "[click](javascript:alert(1))",
    "![pixel](http://evil.example/x.png)",
    "http://evil.example/a",
    "www.evil.example",
    "someone@evil.example",
    "a | b | c",
    "line\n\n# heading\n- item\n1. item",
    "`code` **bold** _em_ ~~gone~~",
    "\u202egnp.exe\u2066 \u200bhidden\u0000\x1b[31m",
    "$x^2$ ==mark== :smile: [^1]",
    "\\| \\`",
    "&lt;b&gt; &amp;",
]


def rendered(text):
    return MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_a_record_renders_as_itself(text):
    html = rendered(f"| a | b |\n|---|---|\n| x | {markdown(text)} |")
    cell = html.split("<td>")[2].split("</td>")[0]
    shown = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    assert cell == shown
    assert html.count("<td>") == 2


@given(st.text(max_size=80))
def test_any_text_renders_as_itself(text):
    html = rendered(f"x {markdown(text)} x")
    shown = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    assert html.replace("  ", " ") == f"<p>x {shown}{' ' if shown else ''}x</p>\n"


def test_autolinks_have_nothing_to_hold_on_to():
    for text in ("http://evil.example", "www.evil.example", "a@evil.example", "HTTPS://1.2.3.4", "www.1.2"):
        escaped = markdown(text)
        assert "://" not in escaped.replace("\\://", "")
        assert "www." not in escaped.lower()
        assert "@" not in escaped.replace("\\@", "")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_card_full_of_hostile_text_stays_in_form(text):
    evidence = Evidence("Observation/x", text, text, text, text)
    bad = criterion("bad", message=text, evidence=[evidence])
    told = criterion("told", State.UNKNOWN, reasons=[Reason.CLINICIAN], leaning=Verdict.FAIL, message=text)
    missing = [decisive(label=text, evidence=[evidence])]
    chosen = [npc(), spread(), bad, told, HEMOGLOBIN]
    (card,) = cards(trial_outcome(Status.NEEDS_DATA, chosen, missing=missing), unread={"Procedure": text})
    html = rendered(card["detail"])
    assert html.count("<tr>") == 5
    assert html.count("<td>") == 12
    assert not any(tag in html for tag in ("<a ", "<img", "<script", "<b>", "<h1", "<code", "<del"))
    assert len(card["summary"]) <= SUMMARY_LIMIT
    assert card["summary"] == plain(card["summary"])
    assert "\x1b" not in write_report(outcome(trial_outcome(criteria=chosen)))


@given(st.text(max_size=400), st.integers(0, 40))
def test_a_summary_always_fits(label, more):
    missing = [decisive(f"f{n}", label or "x") for n in range(more + 1)]
    (card,) = cards(trial_outcome(Status.NEEDS_DATA, [npc(), spread(), BILIRUBIN], missing=missing))
    assert 0 < len(card["summary"]) <= SUMMARY_LIMIT


def test_fit_cuts_only_the_last_choice():
    assert fit("a" * 200, "b" * 139) == "b" * 139
    assert fit("a" * 200, "b" * 140) == "b" * 138 + "…"


# --- the text report ----------------------------------------------------------------------------------------------


def test_the_report_says_what_the_contract_says():
    text = write_report(outcome(needs_data(), unread={"Procedure": "time-out"}))
    for part in (
        "Patient/p1, judged as of 1 Mar 2026",
        "NCT00000001: needs data (needs-data)",
        "exclusion criteria not encoded",
        "unknown  Total bilirubin ≤ 1.5 x ULN",
        "too old (last 12 µmol/L, 19 days ago, would pass)",
        "Could not be read: procedures (time-out).",
        "[Observation/hb]",
    ):
        assert part in text
    assert "eligible" not in text.lower()


def test_numbers_are_shown_as_recorded():
    row = criterion("x", evidence=[Evidence("Observation/x", Decimal("1E+3"), "{INR}", "2026-02")])
    (card,) = cards(trial_outcome(criteria=[npc(), spread(), row, CONFIRM]))
    assert "| 1000 INR · Feb 2026 |" in card["detail"]
    assert AS_OF.isoformat() not in card["detail"]

"""What each override reason silences, for how long, and what makes a trial speak again: with real verdicts."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from door_fakes import criterion, needs_data, npc, outcome, spread, trial, trial_outcome

from cds_service.bootstrap import load_rules
from cds_service.errors import UnavailableError
from cds_service.evaluation.effect import Effect
from cds_service.evaluation.outcome import PatientOutcome, Status
from cds_service.facts.fact import Reason
from cds_service.logic.truth import State
from cds_service.present.cards import make_cards
from cds_service.present.overrides import HL7, MOST_CRITERIA, NOT_FIT, OWN, override_reasons
from cds_service.screening.marks import changed, marks_of
from cds_service.screening.memory import OTHER, Memory, Told, kind_of, take_feedback, tenant_key
from cds_service.screening.muting import HL7_REASONS
from cds_service.screening.patient import Rules, screen_bundle
from cds_service.store import Answer, CardFeedback, Kind, Store, open_store, patient_key

ROOT = Path(__file__).resolve().parents[2]
STORIES = sorted(path.parent.name for path in (ROOT / "fhir_examples" / "patients").glob("*/bundle.json"))
NPC = "NCT07235319"
DAY = date(2026, 3, 1)
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
TENANT = tenant_key("https://ehr.example", "")

Edit = Callable[[dict[str, Any]], None]


@cache
def rules() -> Rules:
    return load_rules()


def story(name: str = "stale-bilirubin") -> dict[str, Any]:
    found = json.loads((ROOT / "fhir_examples" / "patients" / name / "bundle.json").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


@cache
def judged(*edits: Edit, name: str = "stale-bilirubin", as_of: date = DAY) -> PatientOutcome:
    bundle = story(name)
    for edit in edits:
        edit(bundle)
    return screen_bundle(rules(), bundle, as_of=as_of, trials=[NPC])


def lab(bundle: dict[str, Any], code: str) -> dict[str, Any]:
    return next(
        entry["resource"]
        for entry in bundle["entry"]
        if any(coding["code"] == code for coding in entry["resource"].get("code", {}).get("coding", ()))
    )


def newer(code: str) -> Edit:
    """Add a result of today with the same value as the one on record."""

    def edit(bundle: dict[str, Any]) -> None:
        result = copy.deepcopy(lab(bundle, code))
        result |= {"id": f"{result['id']}-newer", "effectiveDateTime": DAY.isoformat()}
        bundle["entry"].append({"resource": result})

    return edit


def unread(bundle: dict[str, Any]) -> None:
    failed = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
    bundle["entry"].append({"resource": failed})


def some_results_unread(bundle: dict[str, Any]) -> None:
    unread(bundle)
    gone = [lab(bundle, code) for code in ("718-7", "14631-6")]
    bundle["entry"] = [entry for entry in bundle["entry"] if entry["resource"] not in gone]


def no_problem_list(bundle: dict[str, Any]) -> None:
    unread(bundle)
    bundle["entry"] = [entry for entry in bundle["entry"] if entry["resource"]["resourceType"] != "Condition"]


HEMOGLOBIN, BILIRUBIN = newer("718-7"), newer("14631-6")


def memory(store: Store, kind: Kind = Kind.CANDIDATE, after: timedelta = timedelta(0)) -> Memory:
    return Memory(store, TENANT, "npc", kind, NOW + after)


def sent(store: Store, found: PatientOutcome, kind: Kind = Kind.CANDIDATE) -> dict[str, Any]:
    """Send the card of a call and return it."""
    (card,) = memory(store, kind).keep(make_cards(found, seed=uuid4()), found)
    return card


def override(store: Store, card: dict[str, Any], system: str = "", code: str = "", tenant: str = TENANT) -> None:
    told = Told(CardFeedback(card["uuid"], Answer.OVERRIDDEN, NOW, NOW), system, code)
    assert take_feedback(store, tenant, [told]) == (1, 0)


# What each kind of reason silences. Columns: days after the override with the same data (0, 2, 8, 15, 400), then on
# the same day a new hemoglobin, a new bilirubin (which decides), results that cannot be read, the other kind of card,
# and the card that says that nothing was checked. "x" is silence.
CLASSES = {
    "decided": "xxxxx xxxxx",
    "judged": "xxxxx --xx-",
    "by criterion": "xxxxx x-xx-",
    "later": "xxx-- x-x--",
    "unsaid": "xx--- --x--",
    "moment": "x---- x-x--",
    "never": "----- -----",
}

OWN_REASONS = {
    "declined": "decided",
    "on-a-trial": "decided",
    "not-now": "later",
    "not-fit.bilirubin": "by criterion",
    "not-fit.unheard-of": "unsaid",
    "made-up": "unsaid",
}
HL7_CLASSES = {
    "cds-not-applicable": "judged",
    "patient-ineligible": "judged",
    "indication-order-exists": "later",
    "action-completed": "later",
    "action-unsuccessful": "judged",
    "action-performed-no-adverse-effect": "judged",
    "action-not-priority": "later",
    "cds-suboptimal-context": "moment",
    "limited-time": "moment",
    "wrong-time-workflow": "moment",
    "inappropriate-recipient": "never",
    "need-more-info": "later",
    "recipient-disagrees-evidence": "judged",
    "does-not-align-latest-evidence": "judged",
    "expert-contradicts": "judged",
    "policy-contradicts": "judged",
    "recipient-does-not-trust": "judged",
    "recipient-concerns-outcomes": "judged",
    "risk-benefit-ratio": "judged",
    "mitigate-risk-negative-outcome": "judged",
    "likely-negative-health-outcomes": "judged",
    "patient-contraindication": "judged",
    "does-not-align-preferences": "decided",
    "patient-fears-discomfort": "decided",
    "patient-does-not-want-change": "decided",
    "cultural-religious-reason": "decided",
    "prefers-alternative": "decided",
    "patient-refuses": "decided",
    "not-convenient-feasible": "judged",
    "inadequate-support": "judged",
    "service-not-available": "judged",
    "implementation-challenges": "moment",
    "too-costly-uncovered": "judged",
    "recipient-does-not-understand": "moment",
    "comorbidity-disability": "judged",
}
TABLE = [
    *((OWN, code, expected) for code, expected in OWN_REASONS.items()),
    *((HL7, code, expected) for code, expected in HL7_CLASSES.items()),
    ("", "", "unsaid"),
    ("urn:somebody-else", "declined", "unsaid"),
    (HL7, "declined", "unsaid"),
]


@pytest.mark.parametrize(("system", "code", "expected"), TABLE)
def test_what_a_reason_silences(system: str, code: str, expected: str) -> None:
    store = open_store("sqlite://")
    override(store, sent(store, judged()), system, code)
    days = [timedelta(days=number) for number in (0, 2, 8, 15, 400)]
    silent = [
        *(memory(store, after=after).silent(judged()) for after in days),
        memory(store).silent(judged(HEMOGLOBIN)),
        memory(store).silent(judged(BILIRUBIN)),
        memory(store).silent(judged(some_results_unread)),
        memory(store, Kind.CONFLICT).silent(judged()),
        memory(store).silent(judged(no_problem_list)),
    ]
    assert set(silent) <= {frozenset(), frozenset([NPC])}
    assert "".join("x" if one else "-" for one in silent) == CLASSES[expected].replace(" ", "")


def test_every_code_of_hl7_has_its_place() -> None:
    assert set(HL7_REASONS) == set(HL7_CLASSES)
    assert len(HL7_REASONS) == 35  # as the 3.0.0-ballot's value set counts them


def test_a_silent_trial_sends_no_card_and_another_takes_its_place() -> None:
    store = open_store("sqlite://")
    found = outcome(trial_outcome(), needs_data(of=trial("NCT2")))
    card = sent(store, found)
    assert card["source"]["topic"]["code"] == "NCT00000001"
    override(store, card, OWN, "declined")
    silent = memory(store).silent(found)
    assert silent == {"NCT00000001"}
    (second,) = make_cards(found, seed=uuid4(), silent=silent)
    assert second["source"]["topic"]["code"] == "NCT2"


def test_only_this_patient_and_this_tenant() -> None:
    store = open_store("sqlite://")
    found = outcome(trial_outcome())
    override(store, sent(store, found), OWN, "declined")
    assert memory(store).silent(found)
    elsewhere = Memory(store, tenant_key("https://ehr.example", "other"), "npc", Kind.CANDIDATE, NOW)
    assert not elsewhere.silent(found)
    another = PatientOutcome("Patient/p2", found.as_of, found.trials, {}, {})
    assert not memory(store).silent(another)
    assert patient_key(TENANT, "Patient/p1") != patient_key(tenant_key("", ""), "Patient/p1")


def test_an_accepted_card_mutes_nothing() -> None:
    store = open_store("sqlite://")
    found = judged()
    card = sent(store, found)
    taken = [one["uuid"] for one in card["suggestions"]]
    told = Told(CardFeedback(card["uuid"], Answer.ACCEPTED, NOW, NOW, suggestions=[*taken, "not ours"]))
    assert take_feedback(store, TENANT, [told]) == (1, 0)
    assert not memory(store).silent(found)


def test_the_same_reason_said_again_is_about_the_newer_data() -> None:
    store = open_store("sqlite://")
    override(store, sent(store, judged()), OWN, "not-fit.bilirubin")
    assert not memory(store).silent(judged(BILIRUBIN))
    override(store, sent(store, judged(BILIRUBIN)), OWN, "not-fit.bilirubin")
    assert memory(store).silent(judged(BILIRUBIN))
    assert memory(store).silent(judged(BILIRUBIN, HEMOGLOBIN))


def test_one_reason_lifted_leaves_the_others() -> None:
    store = open_store("sqlite://")
    override(store, sent(store, judged()), OWN, "not-fit.bilirubin")
    override(store, sent(store, judged()), OWN, "declined")
    assert memory(store).silent(judged(BILIRUBIN))


def test_a_conflict_warning_set_aside_in_haste_leaves_the_candidate_card() -> None:
    store = open_store("sqlite://")
    override(store, sent(store, judged(), Kind.CONFLICT), OWN, "not-now")
    assert memory(store, Kind.CONFLICT).silent(judged())
    assert not memory(store).silent(judged())


def ordering(*orders: str, more: int = 0) -> list[Effect]:
    (before,) = judged().trials
    return [Effect(before, before, orders, more)]


@pytest.mark.parametrize("code", ["", "not-now", "limited-time"])
def test_a_warning_set_aside_for_one_order_is_heard_for_another(code: str) -> None:
    store = open_store("sqlite://")
    order_sign = memory(store, Kind.CONFLICT)
    for orders in ["Extraction"], ["A", "B"]:
        (card,) = order_sign.keep(make_cards(judged(), seed=uuid4()), judged(), ordering(*orders))
        override(store, card, {"": "", "not-now": OWN}.get(code, HL7), code)
    for same in ["Extraction"], ["B", "A"], ["B"]:  # order-select, then order-sign, perhaps with less
        assert order_sign.silent(judged(), ordering(*same)) == {NPC}
    for other in ["Radiotherapy"], ["Extraction", "Radiotherapy"], ["Extraction", "A"]:
        assert not order_sign.silent(judged(), ordering(*other))
    assert not order_sign.silent(judged(), ordering("Extraction", more=1))
    assert not memory(store).silent(judged())


def test_a_judgement_about_the_patient_holds_for_every_order() -> None:
    store = open_store("sqlite://")
    order_sign = memory(store, Kind.CONFLICT)
    (card,) = order_sign.keep(make_cards(judged(), seed=uuid4()), judged(), ordering("Extraction"))
    override(store, card, HL7, "patient-ineligible")
    assert order_sign.silent(judged(), ordering("Radiotherapy")) == memory(store).silent(judged()) == {NPC}
    assert not order_sign.silent(judged(HEMOGLOBIN), ordering("Extraction"))


def test_no_order_is_kept_readable(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    order_sign = memory(open_store(f"sqlite:///{path}"), Kind.CONFLICT)
    order_sign.keep(make_cards(judged(), seed=uuid4()), judged(), ordering("canary4711"))
    assert all(b"canary4711" not in file.read_bytes() for file in tmp_path.iterdir())


def test_a_mute_of_one_criterion_ends_with_the_gate_that_asks_for_it() -> None:
    store = open_store("sqlite://")
    before = outcome(trial_outcome(criteria=[npc(), spread(), criterion("old", State.UNKNOWN, reasons=[Reason.STALE])]))
    override(store, sent(store, before), OWN, f"{NOT_FIT}old")
    assert memory(store).silent(before)
    after = outcome(trial_outcome(criteria=[npc(), spread(), criterion("new", State.UNKNOWN)]))
    assert not memory(store).silent(after)


@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize("days", [1, 6, 12, 20, 33, 90])
def test_time_alone_changes_no_mark(name: str, days: int) -> None:
    then, now = (judged(name=name, as_of=DAY + timedelta(days=n)).trials[0] for n in (0, days))
    # An older final result comes to decide once the preliminary one is out of the window.
    excused = {"platelets"} if name == "preliminary-platelets" else set()
    names = frozenset(one.criterion.id for one in then.criteria) - excused
    assert not changed(marks_of(then, "p"), now, "p", names)


@pytest.mark.parametrize("name", ["candidate", "stale-bilirubin", "after-5-cycles-pr"])
@pytest.mark.parametrize(
    ("code", "criterion_id"), [("718-7", "hemoglobin"), ("14631-6", "bilirubin"), ("14682-9", "renal")]
)
def test_a_new_result_changes_the_marks_of_its_criterion_only(name: str, code: str, criterion_id: str) -> None:
    then, now = judged(name=name).trials[0], judged(newer(code), name=name).trials[0]
    before = marks_of(then, "p")
    assert {one for one in before if changed(before, now, "p", frozenset([one]))} == {criterion_id}


def test_one_of_two_results_renewed_is_a_change_though_the_other_is_too_old() -> None:
    """AST and ALT stand in one criterion; three weeks later only AST is measured anew."""
    later = DAY + timedelta(days=21)
    before = marks_of(judged().trials[0], "p")

    def renewed(bundle: dict[str, Any]) -> None:
        newer("1920-8")(bundle)
        bundle["entry"][-1]["resource"]["effectiveDateTime"] = later.isoformat()

    (found,) = judged(renewed, as_of=later).trials
    assert Reason.STALE in {one.reason for one in found.of("transaminases").reasons}
    assert changed(before, found, "p", frozenset(["transaminases"]))


def test_marks_tell_patients_and_values_apart_and_show_none() -> None:
    (found,) = judged().trials
    mine, theirs = marks_of(found, "p"), marks_of(found, "q")
    assert not {mark for marks in mine.values() for mark in marks} & {m for marks in theirs.values() for m in marks}
    assert "Observation" not in json.dumps(mine)

    def corrected(bundle: dict[str, Any]) -> None:
        lab(bundle, "718-7")["valueQuantity"]["value"] += 1

    def rewritten(bundle: dict[str, Any]) -> None:
        bundle["entry"].reverse()

    assert changed(mine, judged(corrected).trials[0], "p", frozenset(["hemoglobin"]))
    assert not changed(mine, judged(rewritten).trials[0], "p", frozenset(mine))


# --- the reasons that a card offers ---------------------------------------------------------------------------


def test_a_card_offers_the_criteria_that_are_not_settled() -> None:
    (found,) = judged().trials
    offered = override_reasons(found)
    assert all(set(one) == {"code", "system", "display"} and all(one.values()) for one in offered)
    assert [one["code"] for one in offered] == [
        "declined",
        "on-a-trial",
        *(f"{NOT_FIT}{name}" for name in (*found.to_confirm, "bilirubin")),
        "patient-ineligible",
        "not-now",
        "action-completed",
        "inappropriate-recipient",
    ]
    assert {one["system"] for one in offered if one["code"] in HL7_REASONS} == {HL7}
    short = found.of("bilirubin").criterion.short
    assert f"Known not to fit: {short}" in [one["display"] for one in offered]


def test_the_list_of_reasons_stays_short() -> None:
    many = [criterion(f"c{number}", State.UNKNOWN, reasons=[Reason.CLINICIAN]) for number in range(30)]
    reasons = override_reasons(trial_outcome(criteria=many))
    assert len([one for one in reasons if one["code"].startswith(NOT_FIT)]) == MOST_CRITERIA
    assert len(reasons) == MOST_CRITERIA + 6


def test_a_card_that_was_not_checked_asks_for_no_reason_and_is_not_kept() -> None:
    store = open_store("sqlite://")
    card = sent(store, judged(no_problem_list))
    assert "not checked" in card["summary"]
    assert "overrideReasons" not in card
    assert store.counts() == []


# --- the memory -----------------------------------------------------------------------------------------------


class Down(Store):
    """A store that is down."""

    def __init__(self) -> None:
        """Open nothing."""

    def overrides(self, patient: str | None = None) -> Any:
        raise UnavailableError("The store is down for now.")

    def remember(self, tenant: str, cards: Any) -> None:
        raise UnavailableError("The store is down for now.")


def test_a_store_that_is_down_costs_no_card() -> None:
    found = judged()
    seed = UUID(int=7)
    down = memory(Down())
    assert down.silent(found) == frozenset()
    (card,) = make_cards(found, seed=seed, silent=down.silent(found))
    (bare,) = down.keep([card], found)
    assert bare == {name: value for name, value in card.items() if name not in ("uuid", "overrideReasons")}


def test_a_call_repeated_keeps_each_card_once() -> None:
    store = open_store("sqlite://")
    found = judged()
    for _ in range(3):
        memory(store).keep(make_cards(found, seed=UUID(int=7)), found)
    (count,) = store.counts()
    assert count.sent == 1


def test_what_is_kept_of_a_card() -> None:
    """Keys and hashes; neither the patient nor a value."""
    store = open_store("sqlite://")
    found = judged()
    card = sent(store, found)
    (kept,) = store.cards(TENANT, {card["uuid"]}).values()
    assert kept.patient == patient_key(TENANT, found.patient)
    assert kept.suggestions == tuple(one["uuid"] for one in card["suggestions"])
    assert "bilirubin" in kept.unsettled
    assert "hemoglobin" not in kept.unsettled
    text = repr(kept)
    assert found.patient not in text
    assert "umol" not in text


def test_reasons_are_kept_only_in_words_that_the_card_knew() -> None:
    store = open_store("sqlite://")
    card = sent(store, judged())
    override(store, card, "urn:hospital", "Zhang Wei does not want this")
    (kept,) = store.overrides()
    assert kept.reason == OTHER


def test_order_hooks_send_conflict_cards() -> None:
    assert {hook: kind_of(hook) for hook in ("patient-view", "order-select", "order-sign")} == {  # type: ignore[arg-type]
        "patient-view": Kind.CANDIDATE,
        "order-select": Kind.CONFLICT,
        "order-sign": Kind.CONFLICT,
    }


def test_the_story_is_what_these_tests_take_it_for() -> None:
    (found,) = judged().trials
    assert found.status is Status.NEEDS_DATA
    assert [one.fact for one in found.decisive] == ["bilirubin_total"]

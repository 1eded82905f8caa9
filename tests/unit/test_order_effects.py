"""Which orders are named, how often is judged, and the cards of several trials; the judge is a stand-in."""

from dataclasses import replace
from uuid import UUID

import pytest
from door_fakes import AS_OF, TRIAL, criterion, npc, outcome, spread, trial, trial_outcome

from cds_service.evaluation.effect import Effect, OrdersOutcome
from cds_service.evaluation.outcome import Status, Verdict
from cds_service.facts.fact import Evidence, Reason
from cds_service.facts.record import Record, Source
from cds_service.gather.draft_orders import TakenAsGiven
from cds_service.gather.plan import make_plan
from cds_service.logic.truth import State
from cds_service.present.conflict import order_cards
from cds_service.screening.conflict import judge_orders
from cds_service.screening.patient import Rules
from cds_service.trials.model import Library

SEED = UUID(int=1)
RECORD = Record(Source("Patient/p1", {"resourceType": "Patient", "id": "p1"}), {}, {})


def order(name, at=0):
    return TakenAsGiven(name, Source(f"draft-order:{name}{at}", {"resourceType": "Procedure", "name": name, "at": at}))


def judged(orders, breaks, cited):
    """Judge with a trial that is closed by some sets of orders, and whose evidence cites some of them."""
    calls = []

    def judge(record, library, *, as_of, anchor=None, trials=None):
        sources = record.resources.get("Procedure", ())
        calls.append(len(sources))
        if not breaks({one.body["name"] for one in sources}):
            return outcome(trial_outcome())
        evidence = [Evidence(one.reference) for one in sources if one.body["name"] in cited]
        broken = criterion("untreated", State.FALSE_FOR_GOOD, evidence=evidence)
        return outcome(trial_outcome(Status.EXCLUDED, (npc(), spread(), broken)))

    library = Library({TRIAL: trial()}, {}, {})  # type: ignore[arg-type]
    return judge_orders(Rules(library, make_plan({}), judge), RECORD, orders, as_of=AS_OF), calls


ABC = [order("a"), order("b"), order("c")]


@pytest.mark.parametrize(
    ("breaks", "cited", "named"),
    [
        (lambda given: "b" in given, "b", ("b",)),
        (lambda given: "b" in given, "abc", ("b",)),
        (lambda given: "b" in given, "", ("b",)),
        (lambda given: given & {"a", "c"}, "abc", ("a", "c")),
        (lambda given: given >= {"a", "c"}, "ac", ("a", "c")),
        (lambda given: given >= {"a", "c"}, "", ("a", "b", "c")),
    ],
)
def test_only_orders_that_break_it_are_named(breaks, cited, named):
    found, _calls = judged(ABC, breaks, cited)
    (conflict,) = found.conflicts
    assert (conflict.orders, conflict.more) == (named, 0)
    assert [one.criterion.id for one in conflict.broken] == ["untreated"]


def test_no_order_breaks_it():
    found, calls = judged(ABC, lambda given: False, "abc")
    assert (found.conflicts, found.inductions, found.unchecked) == ((), (), frozenset())
    assert calls[0] == 0
    found, calls = judged([], lambda given: True, "")
    assert calls == [0]


def test_the_number_of_judgements_is_bounded():
    found, calls = judged([order("a", at) for at in range(500)], lambda given: "a" in given, "a")
    assert len(calls) <= 12
    assert (found.conflicts[0].orders, found.conflicts[0].more) == (("a",), 492)


def test_the_same_order_twice_is_one():
    found, calls = judged([order("a")] * 3, lambda given: "a" in given, "a")
    assert max(calls) == 1
    assert (found.conflicts[0].orders, found.conflicts[0].more) == (("a",), 0)


# --- cards of several trials ----------------------------------------------------------------------------------


def effect(trial_id, *orders, status=Status.CANDIDATE, more=0):
    before = trial_outcome(status, of=trial(trial_id))
    broken = criterion("untreated", State.FALSE_FOR_GOOD, short="Untreated")
    after = trial_outcome(Status.EXCLUDED, (npc(), spread(), broken), of=trial(trial_id))
    return Effect(before, after, orders or ("radiotherapy",), more)


def cards(conflicts=(), inductions=(), unchecked=(), silent=()):
    trials = [one.before for one in (*conflicts, *inductions)]
    trials += [
        trial_outcome(Status.NEEDS_DATA, [npc(State.UNKNOWN, Reason.NOT_FETCHED)], of=trial(t)) for t in unchecked
    ]
    found = OrdersOutcome(
        outcome(*trials, unread={"Condition": "time-out"}), tuple(conflicts), tuple(inductions), frozenset(unchecked)
    )
    return order_cards(found, seed=SEED, silent=frozenset(silent))


def test_one_card_led_by_the_best_trial():
    (card,) = cards([effect("NCT1", status=Status.NEEDS_DATA), effect("NCT2")])
    assert card["source"]["topic"]["code"] == "NCT2"
    assert "- It would also close NCT1: needs data" in card["detail"]
    (card,) = cards(inductions=[effect("NCT1", status=Status.NEEDS_DATA), effect("NCT2")])
    assert card["source"]["topic"]["code"] == "NCT2"


def test_a_warning_is_enough():
    (card,) = cards([effect("NCT1")], [effect("NCT2")])
    assert card["indicator"] == "warning"
    (card,) = cards([effect("NCT1")], [effect("NCT2")], silent=["NCT1"])
    assert card["indicator"] == "info"
    assert "NCT2" in card["summary"]


def test_what_was_not_checked_is_said_beside_and_muted_too():
    warning, unchecked = cards([effect("NCT1")], unchecked=["NCT2"])
    assert warning["indicator"] == "warning"
    assert unchecked["summary"].startswith("NCT2 was not checked")
    assert len({warning["uuid"], unchecked["uuid"]}) == 2
    assert len(cards([effect("NCT1")], unchecked=["NCT2"], silent=["NCT2"])) == 1


@pytest.mark.parametrize(
    ("orders", "more", "said"),
    [
        (["IMRT"], 0, "This order would close NCT1 for a possible candidate: IMRT before induction"),
        (["a", "b"], 0, "These orders would close NCT1 for a possible candidate: a and b before induction"),
        (["a", "b", "c"], 0, "These orders would close NCT1 for a possible candidate: a and 2 more before induction"),
        (["a"], 4, "These orders would close NCT1 for a possible candidate: a and 4 more before induction"),
        ([""], 0, "This order would close NCT1 for a possible candidate: an order before induction"),
    ],
)
def test_the_summary(orders, more, said):
    assert cards([effect("NCT1", *orders, more=more)])[0]["summary"] == said


def test_what_does_not_fit_is_left_out_before_anything_is_cut():
    (card,) = cards([effect("NCT1", "x" * 70)])
    assert card["summary"].endswith(": " + "x" * 70)
    (card,) = cards([effect("NCT1", "x" * 200, "y" * 200)])
    assert card["summary"].endswith("… and 1 more before induction")
    assert len(card["summary"]) < 140


def test_how_sure_it_is():
    against = criterion("surgery", State.UNKNOWN, reasons=[Reason.CLINICIAN], leaning=Verdict.FAIL)
    one = effect("NCT1")
    doubtful = replace(one, before=trial_outcome(criteria=[npc(), spread(), against], of=trial("NCT1")))
    assert "the record leans against" not in cards([one])[0]["detail"]
    assert "1 for a person to confirm · the record leans against 1 of these" in cards([doubtful])[0]["detail"]
    assert "For you to confirm" not in cards(inductions=[one])[0]["detail"]
    assert "(the record leans against it)" in cards(inductions=[doubtful])[0]["detail"]
    encoded = replace(one, before=trial_outcome(of=trial("NCT1", exclusions="encoded")))
    assert "exclusion criteria not encoded" in cards([one])[0]["detail"]
    assert "exclusion criteria" not in cards([encoded])[0]["detail"]

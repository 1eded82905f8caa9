"""The index of many trials says of every patient what judging each trial says."""

from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from drawn_charts import AS_OF, bundle_of, library, patients
from drawn_logic import LITERALS, ORDER, numbers
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.many_trials import many_trials
from cds_service.evaluation.index import TrialIndex
from cds_service.evaluation.judge import judge, judge_where_it_may_apply
from cds_service.evaluation.outcome import Verdict
from cds_service.facts.chart import Chart, read_entries
from cds_service.facts.fact import Moment
from cds_service.gather.bundle import read_bundle
from cds_service.gather.json_text import read_json
from cds_service.logic.compiled import compare
from cds_service.logic.thresholds import OPPOSITE, Thresholds
from cds_service.logic.values import ANY_NUMBER, Value

STORIES = sorted(Path(__file__).resolve().parents[2].glob("fhir_examples/patients/*/bundle.json"))
ANCHORS = (None, date(2026, 3, 8))


@cache
def drawn(count=30):
    rules = many_trials(library(), count)
    return rules, TrialIndex(rules)


@cache
def real():
    return library(), TrialIndex(library())


def told(record, rules, anchor):
    """What judging every trial says."""
    outcome = judge(record, rules, as_of=AS_OF, anchor=anchor, trials=list(rules.trials))
    return [(one.trial.id, one.gate, one.status, _trigger(one)) for one in outcome.trials]


def _trigger(outcome):
    verdicts = [one.verdict for one in outcome.criteria if one.criterion.trigger]
    worst = [verdict for verdict in (Verdict.FAIL, Verdict.UNKNOWN) if verdict in verdicts]
    return worst[0] if worst else Verdict.PASS


def indexed(record, rules, index, anchor):
    chart = Chart(read_entries(record), rules.facts, rules.value_sets, Moment(AS_OF, AS_OF, ""))
    standings = index.standings(chart, anchor)
    found = [(one.trial, one.gate, one.status, one.trigger) for one in standings]
    return found


@pytest.mark.parametrize("story", STORIES, ids=lambda path: path.parent.name)
@pytest.mark.parametrize("anchor", ANCHORS)
def test_the_index_says_of_a_story_what_judging_says(story, anchor):
    record = read_bundle(read_json(story.read_bytes(), max_bytes=10**7))
    for rules, index in (real(), drawn()):
        assert indexed(record, rules, index, anchor) == told(record, rules, anchor)


@given(patients(), st.sampled_from(ANCHORS))
@settings(max_examples=30)
def test_the_index_says_of_a_random_chart_what_judging_says(patient, anchor):
    record = read_bundle(bundle_of(patient))
    for rules, index in (real(), drawn()):
        assert indexed(record, rules, index, anchor) == told(record, rules, anchor)


@given(patients(), st.sampled_from(ANCHORS))
@settings(max_examples=20)
def test_what_is_explained_to_a_cohort_is_what_judging_says(patient, anchor):
    """The trials whose trigger may pass, explained as ever; the others in short."""
    record = read_bundle(bundle_of(patient))
    for rules, index in (real(), drawn()):
        some, others = judge_where_it_may_apply(record, rules, index, as_of=AS_OF, anchor=anchor)
        whole = judge(record, rules, as_of=AS_OF, anchor=anchor, trials=list(rules.trials))
        assert (some.patient, some.set_aside, some.unread, some.site) == (
            whole.patient,
            whole.set_aside,
            whole.unread,
            whole.site,
        )
        contract = {one["trial"]: one for one in whole.to_json()["results"]}
        assert some.to_json()["results"] == [contract[one.trial.id] for one in some.trials]
        assert [one.trial.id for one in some.trials] == [
            one.trial.id for one in whole.trials if _trigger(one) is not Verdict.FAIL
        ]
        assert [(one.trial, one.gate, one.status) for one in others] == [
            (one.trial.id, one.gate, one.status) for one in whole.trials if _trigger(one) is Verdict.FAIL
        ]


def test_some_of_the_drawn_trials_disagree_about_somebody():
    """Or the tests above would prove little."""
    seen = set()
    for story in STORIES:
        record = read_bundle(read_json(story.read_bytes(), max_bytes=10**7))
        seen |= {(gate, status) for _, gate, status, _ in indexed(record, *drawn(), None)}
    assert len(seen) >= 6


values = st.builds(lambda now, wide: Value(now, ANY_NUMBER if wide else now), numbers(), st.booleans())


@given(st.sampled_from(sorted(ORDER)), st.lists(st.sampled_from(LITERALS), min_size=1, unique=True), values)
def test_thresholds_say_what_each_comparison_says(sign, limits, value):
    missed = Thresholds(sign, {limit: 1 << at for at, limit in enumerate(limits)}).missed(value)
    states = [compare(value, sign, limit) for limit in limits]
    for mask, state in ((missed.for_good, -2), (missed.now, -1), (missed.unknown, 0)):
        assert mask == sum(1 << at for at, found in enumerate(states) if found == state)
    assert [compare(value, OPPOSITE[sign], limit) for limit in limits] == [-state for state in states]


def test_one_who_asks_twice_is_missed_by_either_limit():
    thresholds = Thresholds("<=", {Decimal(1): 0b11, Decimal(5): 0b01})
    assert thresholds.missed(Value.fixed(ANY_NUMBER)).unknown == 0b11
    assert thresholds.missed(Value(Value.scalar(Decimal(3)).now, ANY_NUMBER)).now == 0b11

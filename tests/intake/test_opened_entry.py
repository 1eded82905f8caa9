"""An entry, opened: what was judged is what is shown, and nothing supposed is stored."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from cds_service.errors import RequestError
from cds_service.evaluation.outcome import Status
from cds_service.gather.bundle import read_bundle
from cds_service.screening.patient import Rules
from cds_service.screening.worklist.intake import take_outcome
from cds_service.screening.worklist.opened import open_entry, suppose
from cds_service.store.worklist import Entry
from cds_service.store.worklist_store import WorklistStore
from tests.intake.opened_charts import DAY, NOW, NPC, STORIES, bundle


@pytest.mark.parametrize("story", sorted(one.name for one in STORIES.iterdir() if (one / "bundle.json").exists()))
def test_an_opened_entry_is_what_was_judged(story: str, worklist: WorklistStore, rules: Rules) -> None:
    record = read_bundle(bundle(story))
    outcome = rules.judge(record, rules.library, as_of=DAY, trials=[NPC])
    for entry_id in take_outcome(worklist, record, outcome, source="", now=NOW).values():
        entry = worklist.entry(entry_id)
        assert entry is not None
        opened = open_entry(worklist, rules, entry)
        assert (opened.outcome, opened.same_rules, opened.changes) == (outcome.trials[0], True, ())
        assert opened.patient.unread == outcome.unread
        assert repr(opened).count("Patient") == 0
        assert bool(opened.supposable) or opened.outcome.status in (Status.EXCLUDED, Status.NOT_NOW)


def test_supposing_is_never_stored(worklist: WorklistStore, rules: Rules, taken: Callable[..., Entry]) -> None:
    entry = taken("stale-bilirubin")
    opened = open_entry(worklist, rules, entry)
    (bilirubin,) = (one for one in opened.supposable if one.name == "bilirubin_total")
    assert bilirubin.kind == "number"
    rows = worklist.audit(limit=100)
    assert suppose(opened, rules, {bilirubin.name: "10"}).status is Status.CANDIDATE
    with pytest.raises(RequestError) as told:
        suppose(opened, rules, {bilirubin.name: "ten"})
    assert "ten" not in str(told.value)
    assert worklist.entry(entry.id) == entry
    assert worklist.audit(limit=100) == rows


def test_where_the_rules_have_changed_the_stored_result_stands(
    worklist: WorklistStore, rules: Rules, taken: Callable[..., Entry]
) -> None:
    entry = taken()
    trial = replace(rules.library.trials[NPC], digest="sha256:other")
    others = replace(rules, library=replace(rules.library, trials={**rules.library.trials, NPC: trial}))
    opened = open_entry(worklist, others, entry)
    assert (opened.same_rules, opened.supposable) == (False, ())
    assert (opened.outcome.status.value, opened.outcome.decided) == (entry.latest.status, entry.latest.decided)
    # A criterion that the rules no longer have: judged anew, and still told to be of other rules.
    fewer = replace(trial, criteria=tuple(one for one in trial.criteria if one.id != "hemoglobin"))
    gone = replace(rules, library=replace(rules.library, trials={**rules.library.trials, NPC: fewer}))
    opened = open_entry(worklist, gone, entry)
    assert not opened.same_rules
    assert "hemoglobin" not in {one.criterion.id for one in opened.outcome.criteria}


def test_an_entry_of_a_trial_that_is_gone_is_not_there(
    worklist: WorklistStore, rules: Rules, taken: Callable[..., Entry]
) -> None:
    entry = taken()
    none = replace(rules, library=replace(rules.library, trials={}))
    with pytest.raises(RequestError) as told:
        open_entry(worklist, none, entry)
    assert told.value.status == 404

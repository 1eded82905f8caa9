"""The law of faults, over random patients and random faults: a failure to read concludes nothing.

Compared with the answer without a fault, a criterion may become unknown, ``not-fetched``; or there is no answer (412).
One thing more may happen, and is what the contract says of an incomplete read (section 3): only what would be absent or
stale is ``not-fetched``; a record that was seen counts as it does in any record. So where a record was lost that
superseded, contradicted or dated a seen one (a newer result on a lost page; a metastasis in a problem list that was not
read, beside an M0; the staging that dates the diagnosis), the verdict has to be the one that the seen records give by
themselves: it rests on records, never on an absence in what was not read, and the card says that not all was read.
"""

import os
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import fault_plays as plays
import pytest
from fake_socket import Stage
from fault_chart import Chart, next_link
from fault_kinds import OTHERS, added, always, circle, endless, first, line, linked, overlapping, page, paged, status
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cds_service.errors import GatherError
from cds_service.evaluation.judge import judge, needed_codes
from cds_service.evaluation.outcome import Status, Verdict
from cds_service.facts.fact import Reason
from cds_service.facts.record import Read
from cds_service.facts.treatment import TREATMENT_TYPES
from cds_service.gather.chart import read_chart
from cds_service.gather.plan import KEYS, make_plan
from cds_service.screening.shorthand import PATIENT

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "property"))
from drawn_charts import AS_OF, TRIAL, bundle_of, library, patients

RUNS = int(os.environ.get("FAULT_RUNS", "500"))

LOSING = {  # some records are seen, others not
    "next-500": paged(status(500), 2),
    "next-410": paged(status(410), 2),
    "next-html": paged(always(plays.LOGIN, 200, "text/html"), 2),
    "next-stalls": paged(line(plays.stall_midway), 2),
    "next-cut": paged(line(plays.cut), 2),
    "next-outcome": paged(always(plays.OUTCOME), 2),
    "next-foreign": linked(lambda asked: "http://evil.invalid/fhir"),
    "next-above": linked(lambda asked: asked.base + "/../admin"),
    "circle": circle,
    "fewer": lambda chart, asked: plays.plain(chart.searchset(asked, size=1, link=[])),
}
OTHER = {
    "endless": endless,
    "overlapping": overlapping,
    "pages": paged(None, 2),
    "error-entry": added({"resource": plays.OUTCOME}),
    "warning-entry": added({"resource": plays.outcome("warning")}),
    "no-resource": added({}),
    "text-entry": added("text"),
    "foreign-record": added({"resource": OTHERS}),
    "nobody's": added({"resource": {"resourceType": "Condition", "id": "x"}}),
    "total": page(total=99),
    "bad-link": page(link=next_link("")),
    **{f"status-{code}": status(code) for code in (204, 400, 401, 403, 404, 410, 429, 500, 501, 503)},
    "retry-after": status(429, retry_after=1),
    "redirect": status(302, location="http://evil.invalid/"),
    "html": always(plays.LOGIN, 200, "text/html"),
    "outcome": always(plays.OUTCOME),
    "all-is-well": always(plays.outcome("information")),
    "parameters": always({"resourceType": "Parameters"}),
    "nothing": always(b""),
    "not-json": always(b'{"resourceType": "Bundle", "total": NaN}'),
    **{
        play.__name__: line(play)
        for play in (
            *(plays.stall_after_headers, plays.silence, plays.stall_midway, plays.drip_body, plays.drip_headers),
            *(plays.cut, plays.cut_without_length, plays.reset_midway, plays.hang_up, plays.no_http),
            *(plays.chunks_that_stop, plays.wrong_chunks, plays.no_gzip),
        )
    },
}
FAULTS = LOSING | OTHER
one_fault = st.tuples(
    st.sampled_from(sorted(LOSING)) | st.sampled_from(sorted(FAULTS)), st.sampled_from([False, False, True])
)
some_kinds = st.lists(st.sampled_from(["Observation", "Condition", "Observation", *KEYS]), min_size=1, max_size=3)
faults = st.builds(
    lambda kinds, drawn, patient: dict(zip([*kinds, *(["Patient"] if patient == 9 else [])], drawn, strict=False)),
    some_kinds,
    st.lists(one_fault, min_size=4, max_size=4),
    st.integers(0, 9),
)


@pytest.fixture(scope="module")
def stage():
    with pytest.MonkeyPatch.context() as patch:
        yield Stage(lambda asked: (), patch)


@pytest.fixture(scope="module")
def plan():
    return make_plan(needed_codes(library()))


def read(stage, plan, script):
    """The record and the judgement; None and None for a 412."""
    stage.script, stage.asked, stage.reads = script, [], []
    try:
        record = read_chart({}, plan, PATIENT, stage.client(4.0, max_pages=6))
    except GatherError:
        return None, None
    return record, judged(record)


def judged(record):
    return judge(record, library(), as_of=AS_OF, trials=[TRIAL]).trials[0]


def played(chart, drawn):
    plays_of = {kind: first(FAULTS[name]) if once else FAULTS[name] for kind, (name, once) in drawn.items()}

    def script(asked):
        play = plays_of.get(asked.kind)
        return chart.script(asked) if play is None else play(chart, asked)

    return script


def verdict(outcome):
    return outcome.verdict, outcome.state.can_change


def not_fetched(outcome):
    return outcome.verdict is Verdict.UNKNOWN and any(m.reason is Reason.NOT_FETCHED for m in outcome.reasons)


SEEN = Counter()
OTHER_HALF = library().facts["response"].options["other_half"]
# What a status may become when verdicts become unknown: who is excluded by one of two fails may be not-now by the
# other.
MAY_BECOME = {
    Status.CANDIDATE: {Status.CANDIDATE, Status.NEEDS_DATA},
    Status.NEEDS_DATA: {Status.NEEDS_DATA},
    Status.NOT_NOW: {Status.NOT_NOW, Status.NEEDS_DATA},
    Status.EXCLUDED: {Status.EXCLUDED, Status.NOT_NOW, Status.NEEDS_DATA},
}


# A failure is told as it was drawn: to shrink a whole patient takes minutes.
@settings(
    max_examples=RUNS,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(patient=patients(), drawn=faults)
def test_a_fault_makes_unknown_and_nothing_else(stage, plan, patient, drawn):
    chart = Chart(bundle_of(patient))
    _, free = read(stage, plan, chart.script)
    assert free is not None
    record, faulted = read(stage, plan, played(chart, drawn))
    SEEN["runs"] += 1
    if record is None or faulted is None:
        SEEN["no answer"] += 1
        return
    lost = {kind: [one for one in chart.records if one["resourceType"] == kind] for kind in unread(record)}
    alone = {one.criterion.id: one for one in judged(all_read(record)).criteria}
    before = {one.criterion.id: one for one in free.criteria}
    contradicted = False
    for after in faulted.criteria:
        was = before.get(after.criterion.id)
        if was is None or verdict(after) == verdict(was):
            continue
        if not_fetched(after):
            SEEN["made unknown"] += 1
            continue
        told = (after.criterion.id, verdict(was), verdict(after), drawn)
        assert any(lost.values()), told
        assert verdict(after) == verdict(alone[after.criterion.id]), told
        # An absence in what was read (no anticoagulant, say) stands beside the verdict with the fault and without.
        assert "assumed-absent" not in after.notes or "assumed-absent" in was.notes, told
        if after.verdict is Verdict.UNKNOWN:
            # Where the date of diagnosis was lost, the treatments' own dates tell too little: safe, if oddly worded.
            reasons = {missing.reason for missing in after.reasons}
            absent = {missing.fact for missing in after.reasons if missing.reason in (Reason.NO_RECORD, Reason.STALE)}
            # "No PD-1 inhibitor" may be said where everything that could name one was read.
            assert not absent or (absent == {OTHER_HALF} and not set(unread(record)) & set(TREATMENT_TYPES)), told
            SEEN[f"unknown for {', '.join(sorted(reasons))}: {after.criterion.id}"] += 1
            continue
        assert after.evidence, told
        contradicted = True
        SEEN[f"{was.verdict.value} -> {after.verdict.value}"] += 1
        SEEN[f"superseded or contradicted by what was lost: {after.criterion.id}"] += 1
    SEEN["runs with such a verdict"] += contradicted
    assert not contradicted or faulted_says_so(record)
    if not contradicted and free.gate == faulted.gate:
        assert faulted.status in MAY_BECOME[free.status]
    if free.gate != faulted.gate:
        assert unread(record)
        assert faulted.status is not Status.CANDIDATE


def faulted_says_so(record):
    """Whether whoever reads the answer is told that something was not read."""
    return bool(judge(record, library(), as_of=AS_OF, trials=[TRIAL]).unread)


def unread(record):
    return [kind for kind in KEYS if not record.read(kind).complete]


def all_read(record):
    """The record as if nothing had been lost."""
    return replace(record, reads=dict.fromkeys(record.reads, Read()))


def test_the_law_was_put_to_the_test():
    """Runs after the one above, in this module's order."""
    assert SEEN["runs"] >= RUNS
    assert SEEN["made unknown"] > RUNS / 10
    assert SEEN["no answer"] > RUNS / 100
    print(dict(SEEN))

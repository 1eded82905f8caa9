"""Runs, secrets, and a person forgotten, on every database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from cds_service.errors import RequestError
from cds_service.store import Answer, CardFeedback, Kind, SentCard, Store, open_store, patient_key
from cds_service.store.worklist import Run, WhyForgotten
from tests.store.made_screenings import (
    DAY,
    NOW,
    TRIAL,
    attestation,
    chart,
    differs,
    judged,
    person,
    screening,
    taken,
)

LATER = NOW + timedelta(hours=1)


def test_a_run_is_kept_once(store: Store) -> None:
    run = Run(
        "sha256:m", TRIAL, DAY, NOW, "/data", 300, {"steps": [{"id": "a", "unknown": 3, "share": Decimal("0.1")}]}
    )
    store.worklist.keep_run(run)
    store.worklist.keep_run(replace(run, taken=LATER, patients=1))
    newer = replace(run, id="sha256:n", as_of=DAY + timedelta(days=1))
    store.worklist.keep_run(newer)
    store.worklist.keep_run(replace(run, trial="NCT2"))
    assert store.worklist.runs(TRIAL) == [newer, run]
    assert store.worklist.trials() == [TRIAL, "NCT2"]
    assert [one.what for one in store.worklist.audit()] == ["took-run"] * 3


def test_a_secret_is_made_once(store: Store) -> None:
    assert len(store.secret("sessions")) == 32
    assert store.secret("sessions") == store.secret("sessions")
    assert store.secret("pseudonyms") != store.secret("sessions")


def test_forgetting_leaves_nothing_but_the_audit(store: Store) -> None:
    worklist = store.worklist
    both = [judged("candidate", trial="NCT2"), judged("needs-data")]
    found = worklist.take(person(), chart(), both, differs=differs, now=NOW)
    entry = worklist.attest(found[TRIAL], 1, attestation(), now=NOW)
    worklist.note(entry.id, text="x", who="Li", now=NOW)
    other = taken(store, who=person(2))
    before = worklist.audit()
    worklist.forget(entry.patient, who="Li", reason=WhyForgotten.RETENTION, now=LATER)
    assert worklist.entry(entry.id) is None
    assert worklist.history(entry.id) == worklist.screenings(entry.id) == []
    assert worklist.chart(entry.patient, "sha256:a") is None
    assert worklist.trials() == [TRIAL]
    assert worklist.entry(other.id) == other
    assert worklist.attestations(person().source, person().reference, DAY) == {}
    row, *rest = worklist.audit()
    assert rest == before
    assert (row.what, row.who, row.patient, row.detail) == ("forgot", "Li", entry.patient, {"reason": "retention"})
    assert worklist.verify_audit() is None
    with pytest.raises(RequestError, match="patient"):
        worklist.forget(entry.patient, who="Li", reason=WhyForgotten.OTHER, now=LATER)
    again = taken(store)
    assert (again.id, again.patient, again.version) != (entry.id, entry.patient, entry.version)
    assert again.latest.id > other.latest.id  # an id that the audit names is not given again


def test_forgetting_takes_the_cards_and_the_comments_on_them(store: Store) -> None:
    def sent(tenant: str, patient: str, number: int) -> SentCard:
        uuid = str(UUID(int=number))
        card = SentCard(uuid, "npc", Kind.CANDIDATE, TRIAL, patient, NOW, (), {}, ())
        store.remember(tenant, [card])
        store.add_feedback(tenant, [CardFeedback(uuid, Answer.OVERRIDDEN, NOW, NOW, "other", f"canary {number}")])
        store.revoke(patient, TRIAL, NOW - timedelta(days=1))
        return card

    one, two = person(), person(2)
    hers = {tenant: patient_key(tenant, one.reference, one.source) for tenant in ("t1", "t2")}
    for number, (tenant, key) in enumerate(hers.items()):
        sent(tenant, key, number)
    # The same uuid at another tenant, another person, and a call that named no server.
    others = [
        ("t2", sent("t2", patient_key("t2", two.reference, two.source), 0)),
        ("t3", sent("t3", patient_key("t3", one.reference), 3)),
    ]
    store.worklist.forget(taken(store).patient, who="Li", reason=WhyForgotten.REQUEST, now=LATER)
    assert [store.overrides(key) for key in hers.values()] == [[], []]
    assert store.cards("t1", {str(UUID(int=0))}) == {}
    assert {card.uuid: card for _, card in others} == {
        card.uuid: card
        for tenant, _ in others
        for card in store.cards(tenant, {str(UUID(int=n)) for n in range(4)}).values()
    }
    assert len(store.overrides()) == 2
    assert sum(one.commented for one in store.counts()) == 2


def test_what_was_forgotten_cannot_be_read_from_the_files(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = open_store(f"sqlite:///{path}")
    taken(store, who=person(2, "Zhang"))
    entry = taken(store, screening(result={"status": "canary-result"}), person(1, "canary-name"), "canary-chart")
    store.worklist.note(entry.id, text="canary-note", who="Li", now=NOW)
    told = b"".join(one.read_bytes() for one in tmp_path.iterdir())
    assert all(word in told for word in (b"canary-result", b"canary-name", b"canary-chart", b"canary-note"))
    store.worklist.forget(entry.patient, who="Li", reason=WhyForgotten.REQUEST, now=NOW)
    assert b"canary" not in b"".join(one.read_bytes() for one in tmp_path.iterdir())
    store.close()

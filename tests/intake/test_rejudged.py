"""Attested or withdrawn: the chart that stands is judged again, and the status follows."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError

from cds_service.bootstrap import Services
from cds_service.errors import EditedMeanwhileError, UnavailableError
from cds_service.evaluation.attested import digest_of
from cds_service.evaluation.outcome import Verdict
from cds_service.screening.patient import Rules
from cds_service.screening.worklist import rejudge
from cds_service.screening.worklist.opened import open_entry
from cds_service.store.worklist import Entry
from cds_service.store.worklist_store import WorklistStore
from cds_service.web import create_app
from tests.intake.opened_charts import DAY, NOW, bundle, call, hemoglobin, on_list, said


def test_an_attestation_changes_the_status_and_withdrawn_it_is_as_before(
    worklist: WorklistStore, rules: Rules, taken: Callable[..., Entry]
) -> None:
    entry = taken()
    attestation = said(entry, Verdict.FAIL)
    after = rejudge.attest(worklist, rules, entry, entry.version, attestation, now=NOW)
    assert (after.latest.status, after.changed) == ("not-now", False)
    assert after.latest.attested == digest_of([attestation])
    assert after.latest.decided == entry.latest.decided + 1
    again = rejudge.withdraw(worklist, rules, after, after.version, attestation.criterion, who="Dr Li", now=NOW)
    assert (again.latest.id, again.latest.status, again.changed) == (entry.latest.id, "candidate", False)
    assert [one.what for one in worklist.history(entry.id)].count("attested") == 1


def test_what_is_attested_today_of_a_chart_of_last_week_counts(
    worklist: WorklistStore, rules: Rules, taken: Callable[..., Entry]
) -> None:
    entry = taken(day=DAY - timedelta(days=1))
    after = rejudge.attest(worklist, rules, entry, entry.version, said(entry, Verdict.FAIL), now=NOW)
    assert (after.latest.status, after.latest.as_of) == ("not-now", entry.latest.as_of)


def test_an_edit_in_between_keeps_nothing(worklist: WorklistStore, rules: Rules, taken: Callable[..., Entry]) -> None:
    entry = taken()
    worklist.assign(entry.id, entry.version, assignee="Chen", who="Chen", now=NOW)
    with pytest.raises(EditedMeanwhileError):
        rejudge.attest(worklist, rules, entry, entry.version, said(entry), now=NOW)
    assert worklist.attestations("", entry.person.reference, DAY) == {}


def test_newer_data_that_nobody_saw_stay_to_be_seen(
    worklist: WorklistStore, rules: Rules, taken: Callable[..., Entry]
) -> None:
    entry = taken()
    entry = worklist.assign(entry.id, entry.version, assignee="Chen", who="Chen", now=NOW)
    body = bundle("candidate")
    hemoglobin(body)["valueQuantity"]["value"] += 1
    changed = taken(body=body)
    assert changed.changed
    after = rejudge.attest(worklist, rules, changed, changed.version, said(changed), now=NOW)
    assert after.changed
    assert {one.criterion for one in open_entry(worklist, rules, after).changes} == {
        "hemoglobin",
        changed.latest.brief["to_confirm"][0],
    }


@pytest.mark.parametrize("what", ["attest", "withdraw"])
def test_where_the_screening_cannot_be_kept_nothing_is(
    what: str, worklist: WorklistStore, rules: Rules, taken: Callable[..., Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = taken()
    attestation = said(entry, Verdict.FAIL)
    if what == "withdraw":
        entry = rejudge.attest(worklist, rules, entry, entry.version, attestation, now=NOW)
    before = (worklist.history(entry.id), worklist.attestations("", entry.person.reference, DAY), worklist.audit())

    def full(*_args: Any, **_named: Any) -> Any:
        raise OperationalError("INSERT INTO screenings", {}, Exception("disk full"))

    monkeypatch.setattr("cds_service.store.screenings._let_stand", full)
    edits: dict[str, Callable[[], Entry]] = {
        "attest": lambda: rejudge.attest(worklist, rules, entry, entry.version, attestation, now=NOW),
        "withdraw": lambda: rejudge.withdraw(
            worklist, rules, entry, entry.version, attestation.criterion, who="Dr Li", now=NOW
        ),
    }
    with pytest.raises(UnavailableError):
        edits[what]()
    assert worklist.entry(entry.id) == entry
    after = (worklist.history(entry.id), worklist.attestations("", entry.person.reference, DAY), worklist.audit())
    assert after == before


def test_a_rule_that_fails_attests_nothing(worklist: WorklistStore, rules: Rules, taken: Callable[..., Entry]) -> None:
    entry = taken()

    def broken(*_args: Any, **_named: Any) -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        rejudge.attest(worklist, replace(rules, judge=broken), entry, entry.version, said(entry), now=NOW)
    assert worklist.entry(entry.id) == entry
    assert worklist.attestations("", entry.person.reference, DAY) == {}


def test_one_edit_is_one_version_and_what_it_does_is_seen(
    worklist: WorklistStore, rules: Rules, taken: Callable[..., Entry]
) -> None:
    entry = taken()
    after = rejudge.attest(worklist, rules, entry, entry.version, said(entry, Verdict.FAIL), now=NOW, shown=entry.seen)
    assert (after.version, after.changed, after.seen) == (entry.version + 1, False, after.latest.id)
    assert [one.what for one in worklist.history(entry.id)] == ["screened", "attested", "screened"]


def test_a_chart_that_comes_while_another_is_judged_again_is_what_is_judged(
    worklist: WorklistStore, rules: Rules, taken: Callable[..., Entry]
) -> None:
    entry = taken()
    body = bundle("candidate")
    hemoglobin(body)["valueQuantity"]["value"] += 1
    came: list[Entry] = []

    def judge(*args: Any, **named: Any) -> Any:
        if not came:
            came.append(entry)  # the take below does not come here: it has the rules as they are
            came.append(taken(body=body))
        return rules.judge(*args, **named)

    after = rejudge.attest(
        worklist,
        replace(rules, judge=judge),
        entry,
        entry.version,
        said(entry, Verdict.FAIL),
        now=NOW + timedelta(minutes=1),
        shown=entry.latest.id,
    )
    assert after.latest.fingerprint == came[1].latest.fingerprint != entry.latest.fingerprint
    assert (after.latest.status, after.latest.attested) == ("not-now", digest_of([said(entry, Verdict.FAIL)]))
    assert (after.changed, after.seen) == (True, entry.latest.id)  # the new haemoglobin is nobody's yet
    assert "hemoglobin" in {one.criterion for one in open_entry(worklist, rules, after).changes}


def test_what_is_judged_again_is_no_newer_than_its_chart(
    worklist: WorklistStore, rules: Rules, taken: Callable[..., Entry]
) -> None:
    entry = taken()
    later = NOW + timedelta(hours=1)
    after = rejudge.attest(worklist, rules, entry, entry.version, said(entry, Verdict.FAIL), now=later)
    assert (after.latest.at, after.latest.taken) == (NOW, later)
    # A call that had read its chart before the attesting, and was slow to keep it.
    body = bundle("candidate")
    hemoglobin(body)["valueQuantity"]["value"] += 1
    slow = taken(body=body)
    assert slow.latest.fingerprint != after.latest.fingerprint
    assert slow.changed


def test_the_hook_judges_with_what_is_attested_until_its_last_day(
    services: Services, client: FlaskClient, rules: Rules
) -> None:
    call(client, rules, "candidate")
    worklist = services.store.worklist
    (entry,) = on_list(worklist)
    rejudge.attest(worklist, rules, entry, entry.version, said(entry, Verdict.FAIL, until=DAY), now=NOW)
    assert call(client, rules, "candidate") == []
    assert call(client, rules, "candidate", hook="order-sign") == []
    assert on_list(worklist)[0].latest.status == "not-now"
    later = create_app(replace(services, clock=lambda: DAY + timedelta(days=1))).test_client()
    assert call(later, rules, "candidate")
    (after,) = on_list(worklist)
    # A status that goes back by time alone is a change that somebody should see.
    assert (after.latest.status, after.changed) == ("candidate", True)

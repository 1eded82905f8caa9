"""Hostile, missing and strange words on an entry's page stay text."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from entry_pages import NAMES, PREFIX, TRIAL, Shown, rules, story
from entry_parts import EVIL, ast, get, harmless, judged

from cds_service.evaluation.seen import Seen, Timeline
from cds_service.present.pages.entry_view import entry_view
from cds_service.present.pages.people import event_rows, person_row
from cds_service.present.speaker import ENGLISH, speaker


def spoilt(value: object, key: str = "") -> object:
    """Put hostile words where a record has words for people."""
    if isinstance(value, dict):
        return {name: spoilt(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [spoilt(one, key) for one in value]
    return f"{value}{EVIL}" if key in ("text", "display", "unit") and isinstance(value, str) else value


@pytest.mark.parametrize("name", ["candidate", "after-5-cycles-pr", "preliminary-platelets", "sintilimab-by-name"])
def test_hostile_words_of_a_record_are_text_only(name: str) -> None:
    record, _, _ = story(name)
    resources = {kind: spoilt(one) for kind, one in record.resources.items()}
    hostile = replace(record, resources=resources)
    shown = Shown(
        names=(EVIL, "\u202e", "x" * 500),
        record=hostile,
        events=[SimpleNamespace(at=datetime(2026, 3, 1, tzinfo=UTC), who=EVIL, what="noted", detail={"text": EVIL})],
    )
    for path in (PREFIX, f"{PREFIX}?lang=zh&if-x=", f"{PREFIX}/report"):
        page = get(name, path, shown)
        assert "onerror" in page, "it is shown"
        assert harmless(page)
        assert "x" * 121 not in page


def test_a_person_without_a_name_and_events_of_every_kind() -> None:
    nobody = person_row(SimpleNamespace(names=(), birth_date="", gender="", number="", reference="Patient/7"), ENGLISH)
    assert (nobody.names, nobody.born, nobody.gender) == (["(no name on record)"], "", "")
    someone = person_row(
        SimpleNamespace(names=NAMES, birth_date="1979", gender="other", number="7", reference="Patient/p"),
        speaker("zh"),
    )
    assert (someone.names, someone.born, someone.gender) == (list(NAMES), "1979", "其他")
    details = [
        ("screened", {"status": "needs-data", "as_of": "2026-03-01"}, "judged as of 1 Mar 2026: needs data"),
        ("decided", {"state": "not-suitable", "criterion": "age", "reason": "r"}, "set to: not suitable; Age 18-70; r"),
        ("noted", {"text": "called"}, "called"),
        ("assigned", {"assignee": "Li"}, "assigned to Li"),
        ("assigned", {"assignee": "", "was": "Li"}, "assigned to nobody"),
        (
            "attested",
            {"criterion": "age", "verdict": "pass", "until": "2026-03-09"},
            "attested Age 18-70: pass, until 9 Mar 2026",
        ),
        ("withdrawn", {"criterion": "age"}, "withdrew what was attested: Age 18-70"),
        ("seen", {"screening": 3}, "saw what changed"),
    ]
    at = datetime(2026, 3, 1, 9, 5, tzinfo=UTC)
    events = [SimpleNamespace(at=at, who="Na", what=what, detail=detail) for what, detail, _ in details]
    rows = event_rows(events, rules().library.trials[TRIAL], ENGLISH)
    assert [row.told for row in rows] == [told for *_, told in details]
    assert {row.at for row in rows} == {"1 Mar 2026 09:05 UTC"}


def test_rules_of_another_day_are_named_by_their_digest() -> None:
    outcome, patient = judged("candidate")
    today = entry_view(outcome, patient, None, ENGLISH, judged_by=outcome.trial.digest)
    other = entry_view(outcome, patient, None, ENGLISH, judged_by="sha256:" + "a" * 64)
    assert today.rules.startswith(f"{TRIAL} rev. {outcome.trial.revision} (")
    assert (other.rules, other.digest) == (f"{TRIAL} (aaaaaaaaaaaa)", "sha256:" + "a" * 64)


def test_an_empty_picture_of_the_record() -> None:
    seen = Seen((ast(),), Timeline((), (), None, "screening", (("screening", "before induction"),)))
    page = get("candidate", PREFIX, Shown(seen=seen))
    assert "No result on record: AST" in page
    assert "No anti-tumour treatment is on record." in page

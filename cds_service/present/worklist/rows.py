"""One line of a trial's list: who, how it stands, what decides or lapses, and what people decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from cds_service.evaluation.outcome import DECEASED, LEANS_AGAINST, Status, Verdict
from cds_service.facts import shown
from cds_service.facts.phrase import joined, say, words_of_rules
from cds_service.present import wording
from cds_service.present.cohort import words as lists
from cds_service.present.pages.people import number_of
from cds_service.present.pages.words import LAPSED_MARK, STATUS_MARK, candidate_as_of
from cds_service.present.safe_text import plain
from cds_service.present.worklist import words
from cds_service.present.worklist.listed import Listed
from cds_service.trials.model import Library, Trial

MOST: Final = 3
"""Reasons in a line; the entry's own page has all."""


_KINDS: Final = {Status.CANDIDATE.value: words.TO_CONFIRM, Status.NEEDS_DATA.value: words.MISSING}


@dataclass(frozen=True)
class ListRow:
    """A line. Texts are phrases, or words of the record; neither is escaped yet.

    Args:
        entry: id of ours.
        names: as recorded, each script one.
        birth_date: for people.
        gender: as recorded.
        number: of the medical record, else the record system's id.
        status: as in the contract.
        status_words: for people.
        mark: its shape.
        kind: whether the reasons are missing, stand against, or are to be confirmed; "" without reasons.
        reasons: the first few.
        more: how many are left out.
        day: until when results count, or when to look again; or that they have lapsed, or the day has come.
        lapsed: whether the results of a candidate no longer count.
        state: what people decided.
        state_words: for people.
        assignee: who has it; "" for nobody.
        changed: whether the data changed since people looked.
        as_of: the day of the judgement.
        anchor: the planned first dose, where one was named.
    """

    entry: str
    names: Sequence[str]
    birth_date: str
    gender: str
    number: str
    status: str
    status_words: str
    mark: str
    kind: str
    reasons: Sequence[str]
    more: int
    day: str
    lapsed: bool
    state: str
    state_words: str
    assignee: str
    changed: bool
    as_of: date
    anchor: date | None

    def __repr__(self) -> str:
        """Show no patient."""
        return f"ListRow({self.entry})"


def row(entry: Listed, library: Library, today: date) -> ListRow:
    """Return an entry's line.

    Args:
        entry: as stored.
        library: for the names of facts and criteria; those that it no longer knows keep their ids.
        today: the day it is read.
    """
    latest, gone = entry.latest, lapsed(entry, today)
    found = list(reasons(entry, library))
    return ListRow(
        entry=entry.id,
        names=names(entry),
        birth_date=shown.day(plain(entry.person.birth_date, 10)),
        gender=plain(entry.person.gender, 20),
        number=number_of(entry.person),
        status=latest.status,
        status_words=status_of(entry, today),
        mark=LAPSED_MARK if gone else status_mark(latest.status),
        kind=_KINDS.get(latest.status, words.AGAINST) if found else "",
        reasons=found[:MOST],
        more=max(len(found) - MOST, 0),
        day=day(entry, today),
        lapsed=gone,
        state=entry.state,
        state_words=words.state(entry.state),
        assignee=plain(entry.assignee),
        changed=entry.changed,
        as_of=latest.as_of,
        anchor=latest.anchor,
    )


def names(entry: Listed) -> list[str]:
    """Return the patient's names, one line each; what the record calls nobody by is not made up."""
    return [name for name in (plain(one, 120) for one in entry.person.names) if name]


def status_words(status: str) -> str:
    """Say a status; one of a newer version of the service as it stands."""
    known = next((one for one in Status if one.value == status), None)
    return lists.STATUS[known] if known is not None else status


def status_mark(status: str) -> str:
    """Return a status's shape."""
    return next((mark for one, mark in STATUS_MARK.items() if one.value == status), "?")


def lapsed(entry: Listed, today: date) -> bool:
    """Say whether the results of a candidate no longer count."""
    last = entry.latest.lapses
    return entry.latest.status == Status.CANDIDATE and last is not None and last < today


def counts_until(entry: Listed) -> date | None:
    """Return the last day on which all results count of who may still enter; None where time does not matter."""
    latest = entry.latest
    if latest.status == Status.CANDIDATE:
        return latest.lapses
    told = latest.brief.get("valid_until") if latest.status != Status.EXCLUDED else None
    return date.fromisoformat(str(told)) if told else None


def results_lapsed(entry: Listed, today: date) -> bool:
    """Say whether some result no longer counts, of whatever status."""
    last = counts_until(entry)
    return last is not None and last < today


def status_of(entry: Listed, today: date) -> str:
    """Say the status of an entry; of a candidate whose results no longer count, on which day it was one."""
    if lapsed(entry, today):
        return candidate_as_of(shown.day(entry.latest.as_of))
    return status_words(entry.latest.status)


def day(entry: Listed, today: date) -> str:
    """Say until when a candidate's results count, or when "not now" may turn, or that it passed; "" for neither.

    That results have lapsed is said of all who may still enter.
    """
    latest, last = entry.latest, counts_until(entry)
    gone = words.lapsed(shown.day(last)) if last is not None and last < today else ""
    if latest.lapses is None or (gone and latest.status == Status.CANDIDATE):
        return gone
    told = shown.day(latest.lapses)
    if latest.status == Status.CANDIDATE:
        return words.until(told)
    return joined([gone, words.since(told) if latest.lapses <= today else words.again(told)])


def reasons(entry: Listed, library: Library) -> Iterator[str]:
    """Yield what an entry waits for: the missing facts, what stands against it, or what people must confirm."""
    latest, result = entry.latest, entry.latest.brief
    trial = library.trials.get(entry.trial)
    if latest.status == Status.NEEDS_DATA:
        for fact in latest.missing:
            yield fact_name(fact, library)
    elif latest.status == Status.CANDIDATE:
        yield from to_confirm(result, trial)
    else:
        yield from blocked(result)
        for one in _criteria(result):
            if one.get("verdict") == "fail":
                yield criterion_name(str(one.get("id")), trial)


def to_confirm(result: Mapping[str, Any], trial: Trial | None) -> Iterator[str]:
    """Yield what people must confirm, and what they attested against the record; each says whether the record leans."""
    told = {str(one.get("id")): one for one in _criteria(result)}
    asked = [str(one) for one in result.get("to_confirm", ())]
    doubted = [name for name, one in told.items() if LEANS_AGAINST in one.get("notes", ())]
    for name in (*asked, *doubted):
        short = criterion_name(name, trial)
        if name in doubted:
            short = say("{criterion}, attested", criterion=short)
        leans = name in doubted or told.get(name, {}).get("leaning") == Verdict.FAIL
        yield say("{sentence} (the record leans against it)", sentence=short) if leans else short


def blocked(result: Mapping[str, Any]) -> list[str]:
    """Name what excludes apart from any criterion."""
    return [wording.BLOCKED.get(str(cause), plain(cause)) for cause in result.get("blocked", ())]


def fact_name(fact: str, library: Library) -> str:
    """Return a fact's name for people."""
    if fact == DECEASED:
        return say("Whether the patient has died")
    known = library.facts.get(fact)
    return words_of_rules(known.label["en"]) if known is not None else plain(fact)


def criterion_name(criterion: str, trial: Trial | None) -> str:
    """Return a criterion's short text."""
    found = next((one for one in trial.criteria if one.id == criterion), None) if trial is not None else None
    return words_of_rules(found.short) if found is not None else plain(criterion)


def _criteria(result: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found = result.get("criteria", ())
    return found if isinstance(found, list | tuple) else ()

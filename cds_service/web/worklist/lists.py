"""The lists: all trials, one trial's patients, and the funnel of its newest run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import parse_qsl

from flask import Blueprint, Response, request
from werkzeug.datastructures import MultiDict

from cds_service.bootstrap import Services
from cds_service.errors import RequestError
from cds_service.evaluation.outcome import Status
from cds_service.facts.phrase import say
from cds_service.present.cohort import words as cohort_words
from cds_service.present.cohort.funnel import from_json
from cds_service.present.cohort.page_parts import BAR_WIDTH, Key, shown_funnel
from cds_service.present.cohort.run_folder import WRONG_SHAPE
from cds_service.present.pages.words import LAPSED_MARK
from cds_service.present.worklist import words
from cds_service.present.worklist.rows import fact_name, row, status_mark, status_words
from cds_service.store.worklist import MOST_NAME, Counts, EntryPage, EntryState, Wanted
from cds_service.trials.model import Library
from cds_service.web.worklist import query
from cds_service.web.worklist.asked import line, only
from cds_service.web.worklist.shown import address, go_on, known_trial, noted, page, reader, title_of

_HEADINGS: Final = {
    "name": say("Patient"),
    "status": say("Status"),
    "missing": say("What decides"),
    "lapses": say("Day to watch"),
    "state": say("State"),
    "updated": say("Updated"),
    "rank": say("Rank"),
}


_SELECTS: Final = ("missing", "assignee")  # fields of the form, besides the name


@dataclass(frozen=True)
class Chip:
    """A count that is also a filter.

    Args:
        value: of the filter.
        words: for people.
        mark: its shape, "" for none.
        count: how many.
        on: whether it filters now.
        query: the list with it turned.
    """

    value: str
    words: str
    mark: str
    count: int
    on: bool
    query: str


def add(blueprint: Blueprint, services: Services) -> None:
    """Add the lists' addresses."""

    @blueprint.get("")
    @blueprint.get("/")
    def trials() -> Response:
        only(frozenset({query.LANG}))
        # Trials that have patients first: the others are only to be known of.
        lines = sorted((_summary(services, name) for name in _trials(services)), key=lambda one: not one["total"])
        return page(
            services,
            "trials.html",
            trials=lines,
            statuses=[{"mark": status_mark(one), "words": cohort_words.STATUS[one]} for one in Status],
            lapsed={"mark": LAPSED_MARK, "words": words.LAPSED_CHIP},
            any_entries=any(one["total"] for one in lines),
        )

    @blueprint.get("/trials/<trial>")
    def entries(trial: str) -> Response:
        only(query.PARAMETERS | {query.LANG})
        return _list(services, trial, request.args)

    @blueprint.post("/trials/<trial>")
    def find(trial: str) -> Response:
        """Show the list of those whose name holds a text: as a form, for names have no place in addresses.

        Without a name it is a list as any other, and has an address.
        """
        only()
        source = MultiDict(parse_qsl(line("query", 2000)))
        if not source.keys() <= query.PARAMETERS:
            raise RequestError(say("{field}: this page does not know it.", field="query"), field="query")
        for name in _SELECTS:  # as they were chosen now
            if name in request.form:
                source.setlist(name, request.form.getlist(name))
        text = line("text", MOST_NAME)
        if text:
            return _list(services, trial, source, text=text)
        known_trial(services, trial)
        wanted = query.read(source, services.store.worklist.counts(trial), services.rules.library)
        asked = MultiDict(parse_qsl(query.written(wanted))).to_dict(flat=False)
        return go_on("entries", trial=trial, **asked, _anchor="shown")

    @blueprint.get("/trials/<trial>/funnel")
    def funnel(trial: str) -> Response:
        only(frozenset({query.LANG}))
        known = known_trial(services, trial)
        noted(services, "funnel", trial=trial)
        run = next(iter(services.store.worklist.runs(trial)), None)
        translate = reader(services).translate
        try:
            funnels = from_json(run.funnel, known) if run is not None and known is not None else ()
        except WRONG_SHAPE:
            funnels = ()  # of another version of the service
        return page(
            services,
            "funnel.html",
            trial=trial,
            here="funnel",
            heading=title_of(services, trial),
            run=run,
            taken=services.local(run.taken).date() if run is not None else None,
            funnels=[shown_funnel(one, translate) for one in funnels],
            keys=[Key(one.value, cohort_words.verdict(one, translate)) for one in cohort_words.VERDICT_ORDER],
            bar_width=BAR_WIDTH,
            note=cohort_words.FUNNEL_NOTE,
        )


def _trials(services: Services) -> list[str]:
    """Return every trial that has rules, then those that only have a list left."""
    names = list(services.rules.library.trials)
    return names + [one for one in services.store.worklist.trials() if one not in names]


def _summary(services: Services, name: str) -> dict[str, Any]:
    counts = services.store.worklist.counts(name, today=services.clock())
    known = services.rules.library.trials.get(name)
    return {
        "id": name,
        "title": title_of(services, name),
        "address": address("entries", trial=name),
        "numbers": [_now(counts, one) for one in Status],
        "lapsed": counts.lapsed,
        "changed": counts.changed,
        "total": counts.total,
        "exclusions": cohort_words.ENCODED[known.exclusions] if known is not None else say("its rules are gone"),
    }


def _list(services: Services, trial: str, source: MultiDict[str, str], text: str = "") -> Response:
    """Show a part of a trial's list; who looked is noted before."""
    known_trial(services, trial)
    library, today = services.rules.library, services.clock()
    counts: Counts = services.store.worklist.counts(trial, today=today)
    wanted = replace(query.read(source, counts, library, text), today=today)
    found: EntryPage = services.store.worklist.entries(trial, wanted=wanted)
    wanted = replace(wanted, page=found.page)
    # Whose names were shown, by ids of ours; that a name was looked for, not which.
    noted(
        services,
        "list",
        trial=trial,
        query=query.written(wanted),
        by_name=int(bool(wanted.text)),
        entries=" ".join(one.id for one in found.entries),
    )
    headings = {
        sort: {"words": _HEADINGS[sort], "now": now, "query": query.sorted_by(wanted, sort)}
        for sort, now in query.columns(wanted)
    }
    return page(
        services,
        "list.html",
        trial=trial,
        here="list",
        heading=title_of(services, trial),
        rows=[row(one, library, today) for one in found.entries],
        found=found,
        counts=counts,
        wanted=wanted,
        headings=headings,
        statuses=_statuses(wanted, counts),
        states=_states(wanted, counts),
        facts=_facts(wanted, counts, library),
        assignees=[one for one in counts.assignees if one],
        nobody=query.NOBODY,
        assignee=query.NOBODY if wanted.assignee == "" else wanted.assignee or "",
        changed=Chip(
            "1",
            words.CHANGED_CHIP,
            "",
            counts.changed,
            bool(wanted.changed),
            query.written(replace(wanted, changed=None if wanted.changed else True, page=1)),
        ),
        lapsed=Chip(
            "1",
            words.LAPSED_CHIP,
            LAPSED_MARK,
            counts.lapsed,
            bool(wanted.lapsed),
            query.with_lapsed(wanted),
        ),
        query=query.written(replace(wanted, page=1)),
        filtered=bool(query.written(replace(wanted, page=1, sort="rank", descending=False)) or wanted.text),
        before=query.turned_to(wanted, found.page - 1) if found.page > 1 else None,
        after=query.turned_to(wanted, found.page + 1) if found.page < found.pages else None,
    )


def _now(counts: Counts, status: str) -> int:
    """Return how many have a status today: who was a candidate until the results lapsed has none."""
    return counts.status.get(status, 0) - (counts.lapsed if status == Status.CANDIDATE else 0)


def _statuses(wanted: Wanted, counts: Counts) -> list[Chip]:
    known = [one.value for one in Status]
    others = [one for one in counts.status if one not in known]
    return [
        Chip(
            one,
            status_words(one),
            status_mark(one),
            _now(counts, one),
            one in wanted.status,
            query.with_status(wanted, one),
        )
        for one in [*known, *others]
    ]


def _states(wanted: Wanted, counts: Counts) -> list[Chip]:
    return [
        Chip(
            one.value,
            words.state(one.value),
            "",
            counts.state.get(one, 0),
            one in wanted.state,
            query.with_state(wanted, one),
        )
        for one in EntryState
    ]


def _facts(wanted: Wanted, counts: Counts, library: Library) -> list[dict[str, Any]]:
    """Return the missing facts that may be asked for, with how many wait for each."""
    names = dict.fromkeys([*counts.missing, *([wanted.missing] if wanted.missing else [])])
    return [{"value": one, "words": fact_name(one, library), "count": counts.missing.get(one, 0)} for one in names]

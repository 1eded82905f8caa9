"""One patient on one trial's list: the page, the report for the paper file, the history. Who looks is noted before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flask import Blueprint, Response, request

from cds_service.bootstrap import Services
from cds_service.errors import RequestError
from cds_service.evaluation import what_if
from cds_service.evaluation.outcome import TrialOutcome
from cds_service.facts.phrase import say
from cds_service.present.pages.entry_view import EntryView, entry_view
from cds_service.present.pages.people import at_words, person_row
from cds_service.present.worklist.rows import fact_name, status_mark, status_words
from cds_service.screening.worklist.opened import OpenedEntry, open_entry, suppose
from cds_service.store.worklist import Entry
from cds_service.web.worklist.asked import entry_id, nothing_here, number, only
from cds_service.web.worklist.query import LANG
from cds_service.web.worklist.shown import address, events_told, noted, page, reader

IF: Final = "if-"
_VALUE: Final = 40  # characters of a supposed value
_LATELY: Final = 6
_ROWS: Final = 100  # of a history, on a page
_OLDER: Final = ("before", "judged-before")  # the number of an event, the id of a judgement
_DIGEST: Final = 19  # "sha256:" and twelve digits


def add(blueprint: Blueprint, services: Services) -> None:
    """Add the addresses that show an entry."""

    @blueprint.get("/entries/<entry>")
    def entry(entry: str) -> Response:
        only(frozenset({LANG}), prefix=IF)
        found = there(services, entry)
        supposed = _supposed(services, found.trial)
        noted(services, "supposed" if supposed else "entry", entry_id=found.id, names=" ".join(sorted(supposed)))
        opened, spoken = _open(services, found), reader(services)
        fault = ""
        try:
            view = _view(services, opened, supposed, suppose(opened, services.rules, supposed) if supposed else None)
        except RequestError as error:
            if not supposed:
                raise
            fault, view = error.args[0], _view(services, opened, supposed)
        known = services.rules.library.trials.get(found.trial)
        missed = services.store.worklist.missed(found.id) if found.changed else None
        return page(
            services,
            "entry.html",
            status=400 if fault else 200,
            trial=found.trial,
            entry=found,
            view=view,
            fault=fault,
            person=person_row(found.person, spoken),
            state_day=services.local(found.state_at).date() if found.state_at else None,
            missed=[one.told for one in events_told(services, [missed] if missed else [], known)],
            events=events_told(services, services.store.worklist.history(found.id, limit=_LATELY), known),
            same_rules=opened.same_rules,
        )

    @blueprint.get("/entries/<entry>/report")
    def report(entry: str) -> Response:
        only(frozenset({LANG}))
        found = there(services, entry)
        noted(services, "report", entry_id=found.id)
        opened = _open(services, found)
        return page(
            services,
            "report.html",
            trial=found.trial,
            entry=found,
            view=_view(services, opened),
            person=person_row(found.person, reader(services)),
            printed=services.clock(),
            same_rules=opened.same_rules,
        )

    @blueprint.get("/entries/<entry>/history")
    def history(entry: str) -> Response:
        only(frozenset({*_OLDER, LANG}))
        before, judged_before = (number(one, least=1, source=request.args, default=0) for one in _OLDER)
        found = there(services, entry)
        noted(services, "history", entry_id=found.id)
        library, spoken, store = services.rules.library, reader(services), services.store.worklist
        events = store.history(found.id, limit=_ROWS + 1, before=before or None)
        judged = store.screenings(found.id, limit=_ROWS + 1, before=judged_before or None)
        screenings = [
            {
                "as_of": one.as_of,
                "anchor": one.anchor,
                "since": one.since,
                "days": one.days,
                "taken": at_words(services.local(one.taken), spoken),
                "status": one.status,
                "mark": status_mark(one.status),
                "words": status_words(one.status),
                "decided": one.decided,
                "total": one.total,
                "missing": [fact_name(fact, library) for fact in one.missing],
                "digest": one.rules_digest[:_DIGEST],
                "seen": one.id == found.seen,
            }
            for one in judged[:_ROWS]
        ]
        return page(
            services,
            "history.html",
            trial=found.trial,
            entry=found,
            back=address("entry", entry=found.id),
            person=person_row(found.person, spoken),
            events=events_told(services, events[:_ROWS], library.trials.get(found.trial)),
            older=events[_ROWS - 1].number if len(events) > _ROWS else None,
            screenings=screenings,
            judged_before=judged[_ROWS - 1].id if len(judged) > _ROWS else None,
        )


def there(services: Services, entry: str) -> Entry:
    """Return an entry.

    Raises:
        RequestError: there is none of this id, or it is no id of ours (404).
    """
    found = services.store.worklist.entry(entry_id(entry))
    if found is None:
        raise nothing_here()
    return found


def _open(services: Services, entry: Entry) -> OpenedEntry:
    return open_entry(services.store.worklist, services.rules, entry, language=reader(services).language)


def _view(
    services: Services,
    opened: OpenedEntry,
    supposed: Mapping[str, str] | None = None,
    if_outcome: TrialOutcome | None = None,
) -> EntryView:
    return entry_view(
        opened.outcome,
        opened.patient,
        opened.seen,
        reader(services),
        today=services.clock(),
        anchor=opened.entry.latest.anchor,
        changes=opened.changes,
        supposable=opened.supposable,
        supposed=supposed,
        if_outcome=if_outcome,
        judged_by=opened.entry.latest.rules_digest,
    )


def _supposed(services: Services, trial: str) -> dict[str, str]:
    """Return what is supposed, by name, as typed; what was left empty is not.

    The audit keeps the names for ever, so each is one of the trial's own.

    Raises:
        RequestError: the trial knows no such name; or a value is too long or there twice.
    """
    library = services.rules.library
    known = what_if.names(library.trials[trial], library) if trial in library.trials else frozenset()
    found: dict[str, str] = {}
    for name, values in request.args.lists():
        if not name.startswith(IF):
            continue
        if name.removeprefix(IF) not in known:
            message = say("The address supposes something that this trial does not ask about.")
            raise RequestError(message, field="if")
        if len(values) > 1 or len(values[0]) > _VALUE:
            message = say("A supposed value is given once, with at most {most} characters.", most=_VALUE)
            raise RequestError(message, field="if")
        if values[0].strip():
            found[name.removeprefix(IF)] = values[0].strip()
    return found

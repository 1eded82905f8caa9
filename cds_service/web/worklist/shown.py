"""A page of the worklist, put together: its language, who reads it, and what every template is given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from flask import Response, redirect, render_template, request, session, url_for
from flask.sessions import NullSession

from cds_service.bootstrap import Services
from cds_service.errors import RequestError
from cds_service.facts.phrase import say
from cds_service.present.pages.people import EventRow, event_rows
from cds_service.present.speaker import Speaker, speaker
from cds_service.store.worklist import MOST_NAME, MOST_NOTE, MOST_REASON, Event
from cds_service.trials.model import Trial
from cds_service.web.language import language_of, say_language
from cds_service.web.worklist.asked import TOKEN

BLUEPRINT: Final = "worklist"
_WHO: Final = "who"


def who() -> str:
    """Return the name that the reader gave; "" for none. Nobody checks it in open mode."""
    found = session.get(_WHO)
    return found if isinstance(found, str) else ""


def call_me(name: str) -> None:
    """Keep the reader's name in the session; "" forgets it.

    Another one than before begins a new session, with a new token: what the one before had open is no form of theirs.
    The first name does not, since forms may be open in other windows.
    """
    before = who()
    if name == before:
        return
    if before:
        session.pop(TOKEN, None)
    session[_WHO] = name


def reader(services: Services) -> Speaker:
    """Return who speaks the reader's language."""
    return speaker(language_of(services.settings), services.rules.library)


def page(services: Services, template: str, *, status: int = 200, trial: str = "", **given: Any) -> Response:
    """Render a page.

    Args:
        services: for the rules, whose words are said in the reader's language.
        template: in the worklist's folder.
        status: of HTTP.
        trial: that the page is about; "" for none.
        given: what the template needs besides.
    """
    spoken = reader(services)
    known = services.rules.library.trials.get(trial)
    shown = status == 200 and request.method == "GET"
    # A page of no one trial is of all of them; one whose rules are gone says nothing of its exclusions.
    meant = list(services.rules.library.trials.values()) if not trial else [known] if known is not None else []
    frame: dict[str, Any] = {
        "t": spoken.t,
        "say": spoken,
        "language": spoken.language,
        "other_language": "en" if spoken.language == "zh" else "zh",
        "who": who(),
        "static": static,
        "zone": services.settings.time_zone,
        "trial": trial,
        "most_name": MOST_NAME,
        "most_reason": MOST_REASON,
        "most_note": MOST_NOTE,
        # Where the language form comes back to: a page that was shown. An error repeats nothing of what was sent.
        "here_path": f"{request.script_root}{request.full_path.rstrip('?')}" if shown else address("trials"),
        "exclusions_encoded": all(one.exclusions == "encoded" for one in meant) and bool(meant),
    }
    if isinstance(session, NullSession):  # the store is down: the page has forms, but none that could be sent
        frame["csrf_token"] = str
    text = render_template(f"worklist/{template}", **{**frame, **given})
    response = Response(text, status=status, content_type="text/html; charset=utf-8")
    return say_language(response, spoken.language)


def static(name: str) -> str:
    """Return the address of a file of ours."""
    return url_for(f"{BLUEPRINT}.static", filename=name)


def address(view: str, **values: Any) -> str:
    """Return the address of a page of ours."""
    return url_for(f"{BLUEPRINT}.{view}", **values)


def go_on(view: str, **values: Any) -> Response:
    """Send the browser on to a page, as after every change: to load it again changes nothing again."""
    response: Any = redirect(address(view, **values), 303)
    return response  # type: ignore[no-any-return]


def title_of(services: Services, trial: str) -> str:
    """Return a trial's title in the reader's language; "" for a trial whose rules are gone."""
    known = services.rules.library.trials.get(trial)
    return reader(services).rules(known.title.get("en") or "") if known is not None else ""


def known_trial(services: Services, trial: str) -> Trial | None:
    """Return a trial that has a list; None for one that has a list, but no rules any more.

    Raises:
        RequestError: there is no such trial (404).
    """
    found = services.rules.library.trials.get(trial)
    if found is None and trial not in services.store.worklist.trials():
        raise RequestError(say("There is no list of such a trial."), field="trial", status=404)
    return found


def events_told(services: Services, events: Iterable[Event], trial: Trial | None) -> list[EventRow]:
    """Write what happened to an entry, at the times of the hospital's clocks."""
    return event_rows((replace(one, at=services.local(one.at)) for one in events), trial, reader(services))


def noted(services: Services, what: str, *, entry_id: str | None = None, trial: str = "", **detail: str | int) -> None:
    """Write who reads what into the audit; before anything of it is shown.

    Raises:
        UnavailableError: it cannot be written: nothing may be shown.
    """
    services.store.worklist.saw(who=who(), what=what, entry_id=entry_id, trial=trial, detail=detail, now=services.now())

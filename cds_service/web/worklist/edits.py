"""What people do with an entry: decide, note, assign, say that they saw, attest and withdraw. Nothing typed is lost.

Every form names the version of the entry and the screening that its page showed. Where somebody else was faster, where
a field is wrong, nobody said who they are, or the store is down, the answer holds what was typed, to be sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from flask import Blueprint, Response, request

from cds_service.bootstrap import Services
from cds_service.errors import EditedMeanwhileError, RequestError, UnavailableError
from cds_service.evaluation.attested import Attestation
from cds_service.evaluation.outcome import Verdict
from cds_service.facts import shown
from cds_service.facts.phrase import say
from cds_service.present.pages.words import STATES
from cds_service.screening.worklist import rejudge
from cds_service.screening.worklist.changes import differs
from cds_service.screening.worklist.opened import open_entry
from cds_service.store.worklist import MOST_NAME, MOST_REASON, Entry, EntryState, Event
from cds_service.web.worklist.asked import choice, day, entry_id, label, line, lines, nothing_here, number, only
from cds_service.web.worklist.retyped import Retyped, again, unkept, verdict_words
from cds_service.web.worklist.shown import call_me, go_on, who

_STATES: Final = tuple(one.value for one in EntryState)
# What raises the version, and so is what somebody else did meanwhile.
_EDITS: Final = frozenset({"decided", "assigned", "attested", "withdrawn", "seen"})

Act = Callable[[Services, Entry, str], object]
"""Reads its fields from the form and does it, as a person."""


@dataclass(frozen=True)
class _Door:
    """One kind of edit.

    Args:
        act: does it.
        fields: of its form, besides version, screening, token and name.
        place: on the entry's page, where to go on.
    """

    act: Act
    fields: tuple[str, ...]
    place: str


def add(blueprint: Blueprint, services: Services) -> None:
    """Add the addresses that change an entry."""
    for name, door in _DOORS.items():
        blueprint.add_url_rule(f"/entries/<entry>/{name}", name, _view(services, name, door), methods=["POST"])


def _view(services: Services, name: str, door: _Door) -> Callable[[str], Response]:
    fields = (*door.fields, "screening")

    def view(entry: str) -> Response:
        only()
        try:
            return edited(entry_id(entry))
        except UnavailableError:
            return unkept(services, name, fields, entry)

    def edited(entry: str) -> Response:
        found = services.store.worklist.entry(entry)
        if found is None:
            raise nothing_here()
        retyped = Retyped(found, name, fields)
        try:
            person = who() or line("who", MOST_NAME)
            if not person:
                message = say("Say who you are first: it is kept with what you do.")
                return again(services, retyped, message, ask_name=True)
            call_me(person)
            if not line("screening"):
                message = say(
                    "The form does not say which judgement its page showed. Nothing of yours was kept: look at the "
                    "patient's page first, and do it there."
                )
                done = _meanwhile(services, found)
                return again(services, retyped, message, status=409, meanwhile=done or None)
            door.act(services, found, person)
        except EditedMeanwhileError:
            now = services.store.worklist.entry(found.id) or found
            retyped = replace(retyped, entry=now)
            if request.form.get("version") == str(now.version):
                message = say(
                    "Newer data put the patient at another point of the trial while you had the page open. Nothing of "
                    "yours was kept: look at the patient's page first."
                )
                return again(services, retyped, message, status=409)
            message = say("Somebody else changed this entry while you had it open. Nothing of yours was kept yet.")
            return again(services, retyped, message, status=409, meanwhile=_meanwhile(services, now))
        except RequestError as error:
            if error.status != 400:
                raise
            return again(services, retyped, error.args[0])
        return go_on("entry", entry=found.id, _anchor=door.place)

    return view


def _meanwhile(services: Services, entry: Entry) -> list[Event]:
    """Return what was done since the version that the form names; all that is known where it names none."""
    done = [one for one in services.store.worklist.history(entry.id) if one.what in _EDITS]
    typed = request.form.get("version", "")
    since = entry.version - int(typed) if typed.isdecimal() and len(typed) < 10 else len(done)
    return done[: max(since, 0)]


def _shown() -> int:
    """Return the screening that the form's page showed: nobody decides on what they did not see."""
    return number("screening", least=1)


def _decide(services: Services, entry: Entry, person: str) -> None:
    state, reason = choice("state", _STATES, words=STATES), line("reason", MOST_REASON)
    criterion = line("criterion", MOST_NAME)
    trial = services.rules.library.trials.get(entry.trial)
    if criterion and (trial is None or criterion not in {one.id for one in trial.criteria}):
        raise RequestError(
            say("{field}: this trial has no such criterion.", field=label("criterion")), field="criterion"
        )
    if state != EntryState.NOT_SUITABLE:
        criterion = ""  # the form still holds the one of before: nobody is contacted because of a criterion
    if state == EntryState.NOT_SUITABLE and not (reason or criterion):
        message = say('For "not suitable" name the criterion, or give a reason.')
        raise RequestError(message, field="reason")
    services.store.worklist.decide(
        entry.id,
        number("version"),
        state=EntryState(state),
        criterion=criterion,
        reason=reason,
        who=person,
        now=services.now(),
        shown=_shown(),
        differs=differs,
    )


def _note(services: Services, entry: Entry, person: str) -> None:
    services.store.worklist.note(
        entry.id, text=lines("text"), who=person, now=services.now(), shown=_shown(), differs=differs
    )


def _assign(services: Services, entry: Entry, person: str) -> None:
    services.store.worklist.assign(
        entry.id,
        number("version"),
        assignee=line("assignee", MOST_NAME),
        who=person,
        now=services.now(),
        shown=_shown(),
        differs=differs,
    )


def _acknowledge(services: Services, entry: Entry, person: str) -> None:
    services.store.worklist.acknowledge(
        entry.id, number("version"), screening=_shown(), who=person, now=services.now(), differs=differs
    )


def _attest(services: Services, entry: Entry, person: str) -> None:
    criterion = line("criterion", MOST_NAME, required=True)
    words = verdict_words(criterion, services.rules.library.trials.get(entry.trial))
    verdict = choice("verdict", tuple(words), words=words)
    until, reason, today = day("until"), line("reason", MOST_REASON), services.clock()
    if until < today:
        raise RequestError(say("{field}: not a day that has passed.", field=label("until")), field="until")
    if until > (last := _a_year_after(today)):
        message = say("{field}: at the latest {day}, a year from now.", field=label("until"), day=shown.day(last))
        raise RequestError(message, field="until")
    outcome = open_entry(services.store.worklist, services.rules, entry).outcome
    asked = {one.criterion.id for one in outcome.criteria if one.for_a_person or one.attested is not None}
    if criterion not in asked:
        message = say(
            "{field}: not one that a person can settle now; the record may have settled it.", field=label("criterion")
        )
        raise RequestError(message, field="criterion")
    attestation = Attestation(entry.trial, criterion, entry.latest.gate, Verdict(verdict), person, today, until, reason)
    rejudge.attest(
        services.store.worklist,
        services.rules,
        entry,
        number("version"),
        attestation,
        now=services.now(),
        shown=_shown(),
    )


def _a_year_after(start: date) -> date:
    """Return the last day that an attestation may name: what a person knows of a patient grows old, too."""
    try:
        return start.replace(year=start.year + 1)
    except ValueError:  # 29 February
        return start.replace(year=start.year + 1, day=28)


def _withdraw(services: Services, entry: Entry, person: str) -> None:
    criterion = line("criterion", MOST_NAME, required=True)
    rejudge.withdraw(
        services.store.worklist,
        services.rules,
        entry,
        number("version"),
        criterion,
        who=person,
        now=services.now(),
        shown=_shown(),
    )


_DOORS: Final[Mapping[str, _Door]] = {
    "decision": _Door(_decide, ("state", "criterion", "reason"), "people"),
    "note": _Door(_note, ("text",), "people"),
    "assignee": _Door(_assign, ("assignee",), "people"),
    "seen": _Door(_acknowledge, (), "main"),
    "attest": _Door(_attest, ("criterion", "verdict", "until", "reason"), "confirm"),
    "withdraw": _Door(_withdraw, ("criterion",), "confirm"),
}

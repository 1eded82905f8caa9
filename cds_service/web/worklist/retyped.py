"""What was typed into a form that could not be taken, to be looked at, mended and sent again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flask import Response, request

from cds_service.bootstrap import Services
from cds_service.evaluation.outcome import Verdict
from cds_service.facts.phrase import say
from cds_service.present.pages import words
from cds_service.present.pages.people import person_row
from cds_service.present.worklist.rows import criterion_name
from cds_service.store.worklist import MOST_NOTE, MOST_REASON, Entry, Event
from cds_service.trials.model import Kind, Trial
from cds_service.web.worklist import failures
from cds_service.web.worklist.asked import label
from cds_service.web.worklist.shown import address, events_told, noted, page, reader, who

_LONG: Final = frozenset({"text", "reason"})


@dataclass(frozen=True)
class Retyped:
    """A form that was not taken.

    Args:
        entry: as it stands now.
        view: where the form goes.
        fields: of the form.
    """

    entry: Entry
    view: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Field:
    """A field as it was typed.

    Args:
        name: of the field.
        label: for people.
        value: as typed.
        choices: value and words of each, where it is a choice.
        kind: "long", "day", "hidden" or "line".
        most: characters that are taken.
    """

    name: str
    label: str
    value: str
    choices: Sequence[tuple[str, str]]
    kind: str
    most: int


def again(
    services: Services,
    form: Retyped,
    message: str,
    *,
    status: int = 400,
    ask_name: bool = False,
    meanwhile: Sequence[Event] | None = None,
) -> Response:
    """Show what was typed, with why it was not taken.

    Args:
        services: for the audit and the rules.
        form: what was sent.
        message: why.
        status: of HTTP.
        ask_name: whether to ask who it is.
        meanwhile: what somebody else did; None where that is not why.
    """
    entry = form.entry
    noted(services, "form again", entry_id=entry.id)
    trial = services.rules.library.trials.get(entry.trial)
    return page(
        services,
        "again.html",
        status=status,
        trial=entry.trial,
        message=message,
        entry=entry,
        person=person_row(entry.person, reader(services)),
        state=words.STATES.get(entry.state, entry.state),
        fields=_fields(form.fields, trial),
        to=address(form.view, entry=entry.id),
        back=address("entry", entry=entry.id),
        ask_name=ask_name,
        meanwhile=None if meanwhile is None else events_told(services, meanwhile, trial),
    )


def unkept(services: Services, view: str, names: tuple[str, ...], entry: str) -> Response:
    """Hand back what was typed while the store is down: nothing of the patient, since nobody can note the look.

    Args:
        services: for the reader's language.
        view: where the form goes.
        names: of its fields.
        entry: id in the address.
    """
    named = names if who() else (*names, "who")
    version, to = request.form.get("version", ""), address(view, entry=entry)
    return failures.unavailable(services, fields=_fields(named), version=version, to=to)


def verdict_words(criterion: str, trial: Trial | None) -> dict[str, str]:
    """Return what a person may attest of a criterion, in the words of the form."""
    known = next((one for one in trial.criteria if one.id == criterion), None) if trial else None
    if known is not None and known.kind is Kind.EXCLUSION:
        told = say("does not apply"), say("applies, and rules out")
    else:
        told = say("met"), say("not met")
    return dict(zip((Verdict.PASS.value, Verdict.FAIL.value), told, strict=True))


def _fields(names: Sequence[str], trial: Trial | None = None) -> list[Field]:
    choices: dict[str, list[tuple[str, str]]] = {
        "state": [*words.STATES.items()],
        "verdict": [*verdict_words(request.form.get("criterion", ""), trial).items()],
        "criterion": [
            ("", "–"),
            *((one.id, criterion_name(one.id, trial)) for one in (trial.criteria if trial else ())),
        ],
    }
    return [
        Field(
            name,
            label(name),
            request.form.get(name, "")[:MOST_NOTE],
            choices.get(name, ()),
            "hidden" if name == "screening" else "long" if name in _LONG else "day" if name == "until" else "line",
            MOST_NOTE if name == "text" else MOST_REASON,
        )
        for name in names
    ]

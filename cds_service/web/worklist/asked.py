"""What a page was asked for: fields of addresses and forms, each known, given once, and of a length that is taken."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Final

from flask import request
from werkzeug.datastructures import MultiDict

from cds_service.errors import RequestError
from cds_service.facts.phrase import joined, say
from cds_service.present.safe_text import plain
from cds_service.store.worklist import MOST_NOTE, MOST_REASON

TOKEN: Final = "csrf_token"  # noqa: S105  the name of a field
# What people read of a field; the others are of addresses and hidden.
LABELS: Final = {
    "state": say("State"),
    "criterion": say("Criterion"),
    "reason": say("Reason"),
    "text": say("Note"),
    "assignee": say("Assigned to"),
    "screening": say("What you have seen"),
    "verdict": say("Verdict"),
    "until": say("Counts until"),
    "who": say("Your name"),
    "format": say("Format"),
}
_ID: Final = re.compile(r"[0-9a-f]{32}")
_LINES: Final = 100


def label(name: str) -> str:
    """Name a field for people."""
    return LABELS.get(name, name)


def entry_id(text: str) -> str:
    """Check the id of an entry, one of ours.

    Raises:
        RequestError: it is none (404).
    """
    if not _ID.fullmatch(text):
        raise nothing_here()
    return text


def nothing_here() -> RequestError:
    """Return the error for an address that leads nowhere."""
    return RequestError(say("There is nothing at this address."), field="address", status=404)


def only(known: frozenset[str] = frozenset(), prefix: str | None = None) -> None:
    """Refuse parameters of an address that nobody defined: what identifies a patient has no place there.

    Args:
        known: names of parameters.
        prefix: of further names.

    Raises:
        RequestError: there is another.
    """
    if all(name in known or (prefix is not None and name.startswith(prefix)) for name in request.args):
        return
    raise RequestError(say("The address has a parameter that this page does not know. Leave it out."), field="query")


def line(
    name: str, most: int = MOST_REASON, *, required: bool = False, source: MultiDict[str, str] | None = None
) -> str:
    """Return a field of the form as one line of visible characters, "" when it is empty.

    Args:
        name: of the field.
        most: characters.
        required: whether it must not be empty.
        source: where to look; the form for None.

    Raises:
        RequestError: it is empty, too long, or there twice.
    """
    found = _one(name, source)
    if len(found) > most:
        raise RequestError(say("{field}: at most {most} characters.", field=label(name), most=most), field=name)
    # One name written in two ways would be two people.
    text = plain(unicodedata.normalize("NFC", found), most)
    if required and not text:
        raise RequestError(say("{field}: this must be filled in.", field=label(name)), field=name)
    return text


def lines(name: str, most: int = MOST_NOTE) -> str:
    """Return a field of several lines, each of visible characters.

    Raises:
        RequestError: it is empty or too long.
    """
    found = _one(name).replace("\r\n", "\n").strip()
    if len(found) > most or found.count("\n") >= _LINES:
        raise RequestError(say("{field}: at most {most} characters.", field=label(name), most=most), field=name)
    text = "\n".join(plain(one, most) for one in found.split("\n"))
    if not text.strip():
        raise RequestError(say("{field}: this must be filled in.", field=label(name)), field=name)
    return text


def number(name: str, *, least: int = 0, source: MultiDict[str, str] | None = None, default: int | None = None) -> int:
    """Return a whole number.

    Args:
        name: of the field.
        least: the smallest taken.
        source: where to look; the form for None.
        default: when it is empty; None where it must not be.

    Raises:
        RequestError: it is none.
    """
    found = _one(name, source)
    if not found and default is not None:
        return default
    if not re.fullmatch("[0-9]{1,9}", found) or int(found) < least:
        raise RequestError(say("{field}: a whole number, from {least}.", field=label(name), least=least), field=name)
    return int(found)


def day(name: str) -> date:
    """Return a day.

    Raises:
        RequestError: it is none.
    """
    found = _one(name)
    try:
        if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", found):
            return date.fromisoformat(found)
    except ValueError:
        pass
    raise RequestError(say("{field}: a day such as 2026-03-01.", field=label(name)), field=name)


def choice(
    name: str,
    choices: tuple[str, ...],
    *,
    source: MultiDict[str, str] | None = None,
    words: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Return one of some words.

    Args:
        name: of the field.
        choices: what may stand there.
        source: where to look; the form for None.
        words: what the form's page calls them, where that is not the same.

    Raises:
        RequestError: it is none of them.
    """
    found = _one(name, source)
    if found not in choices:
        raise _not_one_of(name, [words.get(one, one) for one in choices])
    return found


def choices(name: str, known: tuple[str, ...], source: MultiDict[str, str]) -> frozenset[str]:
    """Return some of some words; the empty one stands for none.

    Raises:
        RequestError: there is another.
    """
    found = frozenset(source.getlist(name)) - {""}
    if not found <= frozenset(known):
        raise _not_one_of(name, known)
    return found


def typed() -> list[tuple[str, str]]:
    """Return the fields of the form as they were typed, but the token and the version: to be sent once more."""
    return [(name, text) for name, text in request.form.items(multi=True) if name not in (TOKEN, "version", "who")]


def _one(name: str, source: MultiDict[str, str] | None = None) -> str:
    found = (request.form if source is None else source).getlist(name)
    if len(found) > 1:
        raise RequestError(say("{field}: give it once.", field=label(name)), field=name)
    return found[0].strip() if found else ""


def _not_one_of(name: str, known: Sequence[str]) -> RequestError:
    told = joined(filter(None, known), ", ")
    return RequestError(say("{field}: one of {choices}.", field=label(name), choices=told), field=name)

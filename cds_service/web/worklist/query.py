"""What part of a list is wanted, as the address says it; and the address of a list that differs in something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

from werkzeug.datastructures import MultiDict

from cds_service.errors import RequestError
from cds_service.evaluation.outcome import DECEASED, Status
from cds_service.facts.phrase import say
from cds_service.store.worklist import MOST_NAME, Counts, EntryState, Sort, Wanted
from cds_service.trials.model import Library
from cds_service.web.worklist.asked import choice, choices, label, line, number

SORTS: Final[tuple[Sort, ...]] = ("rank", "name", "status", "missing", "lapses", "state", "updated")
SIZE: Final = 50
# No name of a patient: addresses end up in histories and logs. A search by name is posted.
PARAMETERS: Final = frozenset({"status", "state", "missing", "assignee", "changed", "lapsed", "sort", "page"})
LANG: Final = "lang"
NOBODY: Final = "-"
"""Stands in the address for "assigned to nobody"; an empty ``assignee`` is for anybody."""
_STATUSES: Final = tuple(one.value for one in Status)
_STATES: Final = tuple(one.value for one in EntryState)


def read(source: MultiDict[str, str], counts: Counts, library: Library, text: str = "") -> Wanted:
    """Read what is wanted. The audit keeps it for ever: so it holds no word that the caller made up.

    Args:
        source: parameters of the address; others than :data:`PARAMETERS` were refused before.
        counts: of the trial: whom somebody was assigned to, and what is missing.
        library: for the names of facts.
        text: part of a name, from a form.

    Raises:
        RequestError: naming the parameter that is wrong.
    """
    sort = choice("sort", ("", *SORTS, *(f"-{one}" for one in SORTS)), source=source)
    assignee, missing = line("assignee", MOST_NAME, source=source), line("missing", 100, source=source)
    # Where the rules are gone, the lists still name what was missing.
    if missing and missing != DECEASED and missing not in library.facts and missing not in counts.missing:
        raise RequestError(say("{field}: the rules know no such fact.", field="missing"), field="missing")
    if assignee not in ("", NOBODY) and assignee not in counts.assignees:
        message = say("{field}: nobody of this name looks after a patient here.", field=label("assignee"))
        raise RequestError(message, field="assignee")
    changed = choice("changed", ("", "1"), source=source)
    lapsed, status = choice("lapsed", ("", "1"), source=source), choices("status", _STATUSES, source)
    return Wanted(
        status=status,
        state=frozenset(map(EntryState, choices("state", _STATES, source))),
        missing=missing,
        assignee=None if not assignee else "" if assignee == NOBODY else assignee,
        changed=True if changed else None,
        # Who was a candidate until the results lapsed is none now: asked for by "lapsed", and shown among all.
        lapsed=True if lapsed else False if status else None,
        text=text,
        sort=_sort(sort.lstrip("-")),
        descending=sort.startswith("-"),
        page=number("page", least=1, source=source, default=1),
        size=SIZE,
    )


def _sort(name: str) -> Sort:
    return next((one for one in SORTS if one == name), "rank")


def written(wanted: Wanted) -> str:
    """Write what is wanted as an address does, without the text and without what is usual."""
    sort = f"-{wanted.sort}" if wanted.descending else wanted.sort
    pairs: list[tuple[str, str]] = [("status", one) for one in sorted(wanted.status)]
    pairs += [("state", one.value) for one in EntryState if one in wanted.state]
    pairs += [("missing", wanted.missing)] if wanted.missing else []
    pairs += [("assignee", wanted.assignee or NOBODY)] if wanted.assignee is not None else []
    pairs += [("changed", "1")] if wanted.changed else []
    pairs += [("lapsed", "1")] if wanted.lapsed else []
    pairs += [("sort", sort)] if sort != "rank" else []
    pairs += [("page", str(wanted.page))] if wanted.page > 1 else []
    return urlencode(pairs)


def sorted_by(wanted: Wanted, sort: Sort) -> str:
    """Write the same list sorted by a column; by the one it is sorted by, the other way round. Rank has one way."""
    turned = sort != "rank" and wanted.sort == sort and not wanted.descending
    return written(replace(wanted, sort=sort, descending=turned, page=1))


def turned_to(wanted: Wanted, page: int) -> str:
    """Write another page of the same list."""
    return written(replace(wanted, page=page))


def with_status(wanted: Wanted, status: str) -> str:
    """Write the list with a status wanted or, where it is, no longer; to have lapsed is none of them."""
    return written(replace(wanted, status=wanted.status ^ {status}, lapsed=None, page=1))


def with_lapsed(wanted: Wanted) -> str:
    """Write the list of those who were candidates until their results lapsed or, where it is that, of all again."""
    return written(replace(wanted, status=frozenset(), lapsed=None if wanted.lapsed else True, page=1))


def with_state(wanted: Wanted, state: EntryState) -> str:
    """Write the list with a state wanted or, where it is, no longer."""
    return written(replace(wanted, state=wanted.state ^ {state}, page=1))


def columns(wanted: Wanted) -> Sequence[tuple[Sort, str]]:
    """Return each column that a list can be sorted by, with "ascending", "descending" or "" as it is now."""
    now = "descending" if wanted.descending else "ascending"
    return [(sort, now if sort == wanted.sort else "") for sort in SORTS]

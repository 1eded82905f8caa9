"""Prefetch in every form it comes in: absent, null, empty, failed, paged, somebody else's.

Key absent: not asked, may be fetched. ``null``: the client looked and there is nothing. OperationOutcome: the
client tried and failed, so we do not try again. Source: CDS Hooks 2.0.1, Prefetch Template.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cds_service.errors import RequestError
from cds_service.facts.phrase import say
from cds_service.facts.record import Read
from cds_service.gather.assemble import Harvest, outcome_error
from cds_service.gather.bundle import announced, bundle_entries, match_ids, next_link

_TRIED: Final = say("the EHR could not read it")
_SINGLE: Final = say("a single resource came instead of a search result")
_WRONG: Final = say("a resource of another type came")
_NO_LINK: Final = say("not all pages were sent")
_FEWER: Final = say("fewer records were sent than announced")


@dataclass(frozen=True)
class Given:
    """What came under one key for a search.

    Args:
        harvest: what was found, and how completely.
        next_url: where the next page is, when there is one.
    """

    harvest: Harvest
    next_url: str | None = None


def check_prefetch(prefetch: Mapping[str, Any], known: frozenset[str]) -> None:
    """Refuse values that are neither null, a resource nor a Bundle, under any key.

    Raises:
        RequestError: naming the key when it is one of ours; a stranger's key is not repeated.
    """
    for key, value in prefetch.items():
        if value is None or (isinstance(value, dict) and isinstance(value.get("resourceType"), str)):
            continue
        field = f"prefetch.{key}" if key in known else "prefetch"
        raise RequestError(f"{field}: each value must be null, a resource or a Bundle.", field=field)


def given_patient(value: Any) -> tuple[dict[str, Any] | None, Read]:
    """Read the value under ``patient``.

    Returns:
        The Patient and a complete read; or None and why not.
    """
    if value is None:
        return None, Read.failed(say("the client found none"))
    if value["resourceType"] == "OperationOutcome":
        return None, Read.failed(_TRIED)
    if value["resourceType"] != "Patient":
        return None, Read.failed(_WRONG)
    return value, Read()


def given_search(value: Any, asked: str) -> Given:
    """Read the value under a search's key.

    Args:
        value: as checked by :func:`check_prefetch`.
        asked: the resource type the key stands for.
    """
    if value is None:
        return Given(Harvest((), Read(), asked))
    kind = value["resourceType"]
    if kind == "OperationOutcome":
        # A bare "all went well" instead of a result tells nothing about the records either.
        return Given(Harvest((), Read.failed(_TRIED), asked))
    if kind == asked:
        return Given(Harvest((("", value),), Read.incomplete(_SINGLE), asked))
    if kind != "Bundle":
        return Given(Harvest((), Read.failed(_WRONG), asked))
    entries = bundle_entries(value)
    outcomes = [r for _, r in entries if isinstance(r, dict) and r.get("resourceType") == "OperationOutcome"]
    if outcomes and len(outcomes) == len(entries) and any(map(outcome_error, outcomes)):
        return Given(Harvest((), Read.failed(_TRIED), asked))
    link = next_link(value)
    if link is not None:
        return Given(Harvest(entries, Read.incomplete(_NO_LINK), asked), link or None)
    read = Read.incomplete(_FEWER) if announced(value) > len(match_ids(value, asked)) else Read()
    return Given(Harvest(entries, read, asked))

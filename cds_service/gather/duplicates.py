"""One record twice is one record: copies collapse, the newest version wins, and doubt is told."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cds_service.facts.record import Source


@dataclass(frozen=True)
class Found:
    """One resource as it came.

    Args:
        resource: its JSON, an object with a ``resourceType``.
        full_url: the entry's ``fullUrl``, "" when there is none.
    """

    resource: dict[str, Any]
    full_url: str = ""

    @property
    def type(self) -> str:
        """The resource type."""
        return str(self.resource["resourceType"])

    @property
    def id(self) -> str:
        """The resource's id, "" when there is none that can be used."""
        value = self.resource.get("id")
        return value if isinstance(value, str) else ""

    @property
    def reference(self) -> str:
        """What evidence calls it: ``Type/id``, else the ``fullUrl``, else a name made from its content."""
        if name := self.id:
            return f"{self.type}/{name}"
        if self.full_url:
            return self.full_url
        return f"{self.type} (without id, {hashlib.sha256(canonical(self.resource).encode()).hexdigest()[:8]})"


def canonical(value: object) -> str:
    """Return text that is equal for equal JSON: a tie-break that does not depend on the order of arrival."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key!r}:{canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical(item) for item in value) + "]"
    return repr(value)


def without_copies(found: Sequence[Found]) -> tuple[list[Source], int, bool]:
    """Keep one of each resource, in the order of their references.

    Copies of one resource (same type and id) collapse to the newest version. Where versions differ and
    nothing tells which is newer, all stay, so that facts see the contradiction, and the read is not complete.

    Returns:
        The sources sorted by reference, how many copies were dropped, and whether some could not be ordered.
    """
    groups: dict[str, list[Found]] = {}
    for one in found:
        groups.setdefault(one.reference, []).append(one)
    sources: list[Source] = []
    doubt = False
    for reference in sorted(groups):
        kept = _newest(groups[reference])
        doubt = doubt or len(kept) > 1
        sources.extend(Source(reference, one.resource) for one in kept)
    return sources, len(found) - len(sources), doubt


def _newest(copies: list[Found]) -> list[Found]:
    if len(copies) == 1:
        return copies  # as nearly all are: nothing to compare
    distinct = list({canonical(_content(one)): one for one in sorted(copies, key=_order)}.values())
    if len(distinct) == 1 or len({base_of(one) for one in copies} - {""}) > 1:
        return distinct
    for key in (_version, _updated):
        ranks = [key(one) for one in distinct]
        known = [rank for rank in ranks if rank is not None]
        if len(known) == len(ranks) and known.count(max(known)) == 1:
            return [distinct[known.index(max(known))]]
    return distinct


def _order(one: Found) -> tuple[float, float, str]:
    """Sort copies so that of equal content the newest is met last, whatever order they came in."""
    return (_version(one) or 0.0, _updated(one) or 0.0, canonical(one.resource))


def _content(one: Found) -> dict[str, Any]:
    return {key: value for key, value in one.resource.items() if key != "meta"}


def _meta(one: Found, key: str) -> str:
    meta = one.resource.get("meta")
    value = meta.get(key) if isinstance(meta, dict) else None
    return value if isinstance(value, str) else ""


def _version(one: Found) -> float | None:
    text = _meta(one, "versionId")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _updated(one: Found) -> float | None:
    try:
        moment = datetime.fromisoformat(_meta(one, "lastUpdated"))
    except ValueError:
        return None
    return moment.astimezone(UTC).timestamp() if moment.tzinfo else None


def base_of(one: Found) -> str:
    """The server a full URL names; the same id on two servers is two resources."""
    if not one.full_url:
        return ""
    tail = f"/{one.type}/{one.id}"
    return one.full_url.removesuffix(tail) if one.id and one.full_url.endswith(tail) else ""

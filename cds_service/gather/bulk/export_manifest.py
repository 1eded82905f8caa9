"""The manifest of a finished export, read: what it must say, what it may say, and what is left aside.

Source: Bulk Data Access IG 2.0.0, "Complete Status", and the Export Manifest. Unknown fields are ignored; a link to a
further manifest is not, because files would be missed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_TYPE: Final = re.compile(r"[A-Z][A-Za-z]{1,63}")
_INSTANT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,18}(Z|[+-][0-9]{2}:[0-9]{2})")

UNREADABLE: Final = "the manifest of the export names a file in a way that cannot be read"
MORE_PAGES: Final = "the manifest of the export goes on elsewhere"


@dataclass(frozen=True)
class Item:
    """A file of an export.

    Args:
        type: of the resources in it; "" when the manifest does not say.
        url: as the server wrote it.
        count: of resources in it; None when the manifest does not say.
    """

    type: str
    url: str
    count: int | None = None


@dataclass(frozen=True)
class Manifest:
    """What an export consists of.

    Args:
        transaction_time: the instant that it shows; "" when the manifest has none.
        needs_token: whether files are asked for with a token.
        output: the files with resources.
        error: the files with OperationOutcomes.
        deleted: the files with what has been deleted.
        lacking: why files may be missing that it does not name; "" when none can be.
    """

    transaction_time: str
    needs_token: bool
    output: tuple[Item, ...]
    error: tuple[Item, ...]
    deleted: tuple[Item, ...]
    lacking: str = ""


def read_manifest(body: Mapping[str, Any]) -> Manifest | None:
    """Read a manifest; None when it is none at all.

    >>> read_manifest({"output": [{"type": "Patient", "url": "https://h/1", "count": 2}]}).output
    (Item(type='Patient', url='https://h/1', count=2),)
    >>> read_manifest({"resourceType": "OperationOutcome"}) is None
    True
    """
    if not isinstance(body.get("output"), list):
        return None
    time, links = body.get("transactionTime"), body.get("link")
    output, error, deleted = (_items(body.get(name)) for name in ("output", "error", "deleted"))
    lacking = "" if all(whole for _, whole in (output, error, deleted)) else UNREADABLE
    if isinstance(links, list) and any(isinstance(link, dict) and link.get("relation") == "next" for link in links):
        lacking = MORE_PAGES
    return Manifest(
        time if isinstance(time, str) and _INSTANT.fullmatch(time) else "",
        body.get("requiresAccessToken") is not False,
        output[0],
        error[0],
        deleted[0],
        lacking,
    )


def _items(value: Any) -> tuple[tuple[Item, ...], bool]:
    """Read a list of files, and whether each of them could be read."""
    if not isinstance(value, list):
        return (), value is None
    found = [_item(one) for one in value]
    return tuple(one for one in found if one is not None), None not in found


def _item(one: Any) -> Item | None:
    kind, url, count = (one.get(name) if isinstance(one, dict) else None for name in ("type", "url", "count"))
    if not isinstance(url, str) or not url:
        return None
    if kind is not None and not (isinstance(kind, str) and _TYPE.fullmatch(kind)):
        return None
    known = isinstance(count, int) and not isinstance(count, bool) and count >= 0
    return Item(kind or "", url, count if known else None)

"""Text from outside made fit for every database, and refused where it is too long."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from cds_service.errors import RequestError
from cds_service.facts.phrase import say

_ID: Final = re.compile(r"[0-9a-f]{32}")


def is_id(text: str) -> bool:
    """Say whether a text can be an id of ours."""
    return _ID.fullmatch(text) is not None


def clean(text: str) -> str:
    r"""Replace what PostgreSQL or UTF-8 refuse: NUL, and halves of surrogate pairs.

    >>> clean("a\0\ud800")
    'a\ufffd?'
    """
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def typed(text: str, *, field: str, most: int) -> str:
    """Return what a person typed, clean.

    Raises:
        RequestError: it is longer than ``most`` characters.
    """
    if len(text) > most:
        raise RequestError(say("Give at most {most} characters for {field}.", most=most, field=field), field=field)
    return clean(text)


def folded(text: str) -> str:
    """Return a text as it is searched: neither case nor width of letters counts."""
    return unicodedata.normalize("NFKC", clean(text)).casefold()


def pattern(text: str) -> str:
    """Return a LIKE pattern (escape: backslash) for texts that contain this one."""
    return "%" + re.sub(r"([\\%_])", r"\\\1", folded(text)) + "%"

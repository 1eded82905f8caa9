"""A token as it came in ``Authorization``: taken apart strictly, nothing in it proven yet."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any, Final

from cds_service.errors import AuthError, RequestError
from cds_service.gather.json_text import read_json

MAX_BYTES: Final = 8_192  # of the header; Epic's and Oracle's tokens take about 1,000

# RFC 9110, section 11.1: the scheme in any case, then blanks. RFC 7515, section 7.1: three parts without padding.
_BEARER: Final = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +(([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+))")


@dataclass(frozen=True)
class Bearer:
    """A JWT whose signature nobody has checked.

    Args:
        text: the token.
        header: its JOSE header.
        claims: its payload.
    """

    text: str
    header: dict[str, Any]
    claims: dict[str, Any]

    def __repr__(self) -> str:
        """Show nothing of it."""
        return "Bearer()"


def read_bearer(authorization: str | None) -> Bearer:
    """Take the ``Authorization`` header apart.

    Args:
        authorization: as it came; None when there was none.

    Raises:
        AuthError: none, too long, another scheme, several values, or no JWT of strict base64url and strict JSON: a
            key twice in an object could mean one thing here and another where the token was made.
    """
    if authorization is None:
        raise AuthError("no token")
    if len(authorization) > MAX_BYTES:
        raise AuthError("token too long")
    found = _BEARER.fullmatch(authorization)
    if found is None:
        raise AuthError("not one bearer token of three parts")
    text, header, claims, _signature = found.groups()
    return Bearer(text, _object(header, "header"), _object(claims, "payload"))


def _object(segment: str, name: str) -> dict[str, Any]:
    try:
        data = base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise AuthError(f"{name} is not base64url") from None
    if base64.urlsafe_b64encode(data).rstrip(b"=") != segment.encode():
        raise AuthError(f"{name} is not the one spelling of its bytes")
    try:
        value = read_json(data, max_bytes=MAX_BYTES)
    except RequestError:
        raise AuthError(f"{name} is not strict JSON") from None
    if not isinstance(value, dict):
        raise AuthError(f"{name} is not an object")
    return value

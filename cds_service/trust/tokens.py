"""Callers verified by the token of each call: who signed it, for which address, until when, and never twice.

Source: CDS Hooks 2.0.1, Trusting CDS Clients; RFC 7519 (JWT); RFC 8725 (best practices).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Protocol

import jwt

from cds_service.errors import AuthError
from cds_service.trust.bearer import Bearer, read_bearer
from cds_service.trust.caller import Caller
from cds_service.trust.key_sets import KeySet
from cds_service.trust.public_keys import ALGORITHMS, MAX_TEXT

SKEW_SECONDS: Final = 60
_MAX_AUDIENCES: Final = 20
_DAY: Final = 86_400
_LAST_INSTANT: Final = 32_503_680_000  # the year 3000; anything later is milliseconds or nonsense

_SIGNATURES: Final = jwt.PyJWS(algorithms=list(ALGORITHMS))


class UsedTokens(Protocol):
    """Remembers tokens, one memory for all workers."""

    def use_token(self, issuer: str, jti: str, until: datetime, now: datetime) -> bool:
        """Use a token once.

        Returns:
            True for one call among all, False for every other.

        Raises:
            UnavailableError: the memory is down.
        """


@dataclass(frozen=True)
class TrustedClient:
    """An EHR whose tokens are taken.

    Args:
        jwks_url: the only ``jku`` that its tokens may carry; None when its keys are in a file.
        keys: its public keys.
        caller: who it is, once verified.
    """

    jwks_url: str | None
    keys: KeySet
    caller: Caller


@dataclass(frozen=True)
class Verified:
    """Verified mode: a token is asked of everybody. Implements :class:`~cds_service.trust.caller.Callers`.

    Args:
        clients: by issuer and tenant; the tenant is None for tokens that name none.
        base: our public address, without a slash at the end.
        used: the tokens that were used.
        max_seconds: the longest life of a token, from ``iat`` to ``exp``.
        now: the present instant.
    """

    clients: Mapping[tuple[str, str | None], TrustedClient]
    base: str
    used: UsedTokens
    max_seconds: int
    now: Callable[[], datetime]

    def identify(self, authorization: str | None, audience: str) -> Caller:
        """Return the caller; see :meth:`cds_service.trust.caller.Callers.identify`."""
        token = read_bearer(authorization)
        now = self.now()
        algorithm, kid = _header(token.header)
        client = self._client(token)
        expires = _times(token.claims, now.timestamp(), self.max_seconds)
        _audience(token.claims.get("aud"), self.base + audience)
        jti = _text(token.claims, "jti")
        # Last what costs something: keys may have to be fetched, a signature calculated, the store written.
        key = client.keys.find(kid, algorithm)
        if key is None:
            raise AuthError("unknown key")
        try:
            _SIGNATURES.decode(token.text, key, algorithms=[algorithm])
        except jwt.PyJWTError:
            raise AuthError("wrong signature") from None
        # Remembered for longer than it is taken here: another host's clock may be behind ours.
        until = datetime.fromtimestamp(expires + 2 * SKEW_SECONDS, UTC)
        if not self.used.use_token(client.caller.issuer, jti, until, now):
            raise AuthError("token used before")
        return client.caller

    def _client(self, token: Bearer) -> TrustedClient:
        tenant = _text(token.claims, "tenant") if "tenant" in token.claims else None
        client = self.clients.get((_text(token.claims, "iss"), tenant))
        if client is None:
            raise AuthError("issuer and tenant are not configured")
        # Compared with what is configured, never fetched. A file has no address that a token could name.
        if "jku" in token.header and (client.jwks_url is None or token.header["jku"] != client.jwks_url):
            raise AuthError("jku is not the configured address")
        return client


def _header(header: Mapping[str, Any]) -> tuple[str, str]:
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise AuthError("alg is none of ours")
    if header.get("typ") != "JWT":
        raise AuthError("typ is not JWT")
    # RFC 7515, section 4.1.11: who does not understand every extension named there refuses. We know none.
    if "crit" in header or "b64" in header:
        raise AuthError("the header asks for an extension")
    return algorithm, _text(header, "kid")


def _times(claims: Mapping[str, Any], now: float, max_seconds: int) -> int:
    """Check the claims about time and return when the token expires, in whole seconds rounded up."""
    expires, issued = _instant(claims, "exp"), _instant(claims, "iat")
    if expires + SKEW_SECONDS <= now:
        raise AuthError(
            f"token expired {_seconds(now - float(expires))} ago, issued {_seconds(now - float(issued))} ago"
        )
    if issued > now + SKEW_SECONDS:
        raise AuthError(f"iat is {_seconds(float(issued) - now)} in the future")
    if not 0 < expires - issued <= max_seconds:
        raise AuthError("exp is not within max_token_seconds after iat")
    if "nbf" in claims and _instant(claims, "nbf") > now + SKEW_SECONDS:
        raise AuthError(f"token not valid for another {_seconds(float(_instant(claims, 'nbf')) - now)}")
    return math.ceil(expires)


def _seconds(difference: float) -> str:
    """Tell how far two clocks are apart; beyond a day it is no clock that is wrong."""
    return f"{round(difference)} s" if difference < _DAY else "over a day"


def _instant(claims: Mapping[str, Any], name: str) -> int | Decimal:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 < value < _LAST_INSTANT:
        raise AuthError(f"{name} is missing or no date")
    return value


def _audience(value: Any, wanted: str) -> None:
    audiences = value if isinstance(value, list) else [value]
    if len(audiences) > _MAX_AUDIENCES or not all(isinstance(one, str) for one in audiences):
        raise AuthError("aud is missing or no text")
    if wanted not in audiences:
        raise AuthError("aud is not the address called")


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
        raise AuthError(f"{name} is missing, no text or too long")
    return value

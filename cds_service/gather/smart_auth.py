"""SMART Backend Services: tokens that we fetch by ourselves, where no EHR's call brings one.

Tokens are kept in memory only, by scope; renewed at 80 % of their life, by one caller at a time; and fetched anew once
when the server refuses one. A type that the server gives no leave for is not read, and says so.

Source: SMART App Launch 2.2, Backend Services and client-confidential-asymmetric; RFC 7523; RFC 6749, section 5.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

from cds_service.errors import ConfigError
from cds_service.facts.phrase import say
from cds_service.gather.access import Grant
from cds_service.gather.origin import Origin
from cds_service.gather.smart_scopes import KINDS, ScopeStyle, beyond_reading, lets_read, scope_for, style_of, texts
from cds_service.gather.transport import TIME_OUT, Answer, Transport

log = logging.getLogger("cds_service.gather")

Sign = Callable[[str, Mapping[str, Any]], str]
"""Signs claims with an algorithm; raises ConfigError when there is no key for it."""

ALGORITHMS: Final = ("ES384", "RS384")
WELL_KNOWN: Final = ".well-known/smart-configuration"

_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_SECONDS: Final = 240  # SMART allows 300; clocks differ
_RENEW_AT: Final = 0.8
_LIFE_SECONDS: Final = 60.0  # when the server does not say how long a token lives
_LONGEST_SECONDS: Final = 3_600.0
_CONFIGURATION_SECONDS: Final = 3_600.0
_PAUSE_SECONDS: Final = 5.0  # between two requests when one failed: a chart is seven searches
_TOKEN: Final = re.compile(r"[A-Za-z0-9\-._~+/]{1,8192}=*")  # RFC 6750, b64token
_SCOPE: Final = " ".join

_REFUSALS: Final[Mapping[str, str]] = {
    "invalid_client": say("no access token: the authorization server does not know this client or its key"),
    "invalid_scope": say("no access token: the authorization server allows this client none of the scopes"),
    "unauthorized_client": say("no access token: this client is not registered for Backend Services"),
}
_NO_SERVER: Final = say("no access token: the FHIR server names no authorization server")
_ELSEWHERE: Final = say("no access token: the authorization server is on a host that is not allowed")
_NO_KEY: Final = say("no access token: the service has no key to sign with")
_NO_ALGORITHM: Final = say("no access token: the authorization server takes neither ES384 nor RS384")
_NOT_BEARER: Final = say("no access token: the authorization server sent no bearer token")


@dataclass(frozen=True)
class BackendClient:
    """Who we are to one FHIR server.

    Args:
        origin: the FHIR base.
        client_id: as registered there.
        sign: with our own keys.
        algorithms: that we have keys for, the preferred first.
        style: of the scopes; None for what the server announces.
        auth_origins: authorization servers that may be on another host than the FHIR base.
    """

    origin: Origin
    client_id: str
    sign: Sign = field(repr=False)
    algorithms: Sequence[str] = ALGORITHMS
    style: ScopeStyle | None = None
    auth_origins: tuple[Origin, ...] = ()


@dataclass(frozen=True)
class Announced:
    """What a server says of its authorization.

    Args:
        token_endpoint: checked: on the server's own host or an allowed one.
        algorithm: to sign with.
        style: of the scopes.
    """

    token_endpoint: str
    algorithm: str
    style: ScopeStyle


@dataclass(frozen=True)
class _Held:
    """A token and what it is good for."""

    text: str = field(repr=False)
    scopes: tuple[str, ...]
    renew_at: float
    ends: float


class BackendServices:
    """Tokens for one FHIR server.

    Args:
        client: who we are there.
        now: seconds since 1970, for what is signed.
        clock: seconds that only go up, for how long things hold.
    """

    def __init__(
        self, client: BackendClient, now: Callable[[], float] = time.time, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Keep them; nothing is fetched before the first reading."""
        self._client = client
        self._now = now
        self._clock = clock
        self._renewing = Lock()
        self._held: dict[str, _Held] = {}
        self._failed: dict[str, tuple[float, str]] = {}
        self._announced: tuple[float, Announced] | None = None
        self._one_by_one = False

    def grant(self, kind: str, transport: Transport) -> Grant:
        """Return a token to read resources of this type with; at most one is being fetched at a time."""
        return self._grant(kind, transport, None)

    def renewed(self, kind: str, refused: str, transport: Transport) -> Grant:
        """Return another token than the one that was just refused; another thread may have fetched it already."""
        return self._grant(kind, transport, refused)

    def granted(self) -> tuple[str, ...]:
        """Return the scopes of the tokens at hand."""
        return tuple(dict.fromkeys(scope for held in self._held.values() for scope in held.scopes))

    def discover(self, transport: Transport) -> Announced | str:
        """Return what the server announces; why there is nothing to use, for people, when there is not."""
        if self._announced is not None and self._clock() < self._announced[0]:
            return self._announced[1]
        answer = transport.get(f"{self._client.origin.base}/{WELL_KNOWN}", None, accept="application/json")
        if answer.body is None:
            return (
                answer.why if answer.why == TIME_OUT else say("{lacking} ({why})", lacking=_NO_SERVER, why=answer.why)
            )
        found = self._read(answer.body)
        if isinstance(found, Announced):
            self._announced = (self._clock() + _CONFIGURATION_SECONDS, found)
        return found

    def _grant(self, kind: str, transport: Transport, refused: str | None) -> Grant:
        held = self._usable(kind, refused)
        if held is None or self._clock() >= held.renew_at:
            # Who has a token that still lives does not wait for another's renewal.
            wait = transport.deadline.remaining if held is None else 0
            if self._renewing.acquire(timeout=wait):
                try:
                    held, why = self._renew(kind, transport, refused)
                finally:
                    self._renewing.release()
            else:
                why = TIME_OUT
            if held is None:
                return Grant(why=why)
        if not lets_read(held.scopes, kind):
            return Grant(why=say("the server gives no leave to read {kind}", kind=kind))
        return Grant(held.text)

    def _usable(self, kind: str, refused: str | None) -> _Held | None:
        held = self._held.get(self._name(kind))
        return held if held and held.text != refused and self._clock() < held.ends else None

    def _name(self, kind: str) -> str:
        return kind if self._one_by_one else ""

    def _renew(self, kind: str, transport: Transport, refused: str | None) -> tuple[_Held | None, str]:
        """Fetch a token, unless another thread just has; of a failure, keep the token that still lives."""
        held = self._usable(kind, refused)
        if held is not None and self._clock() < held.renew_at:
            return held, ""
        name = self._name(kind)
        until, why = self._failed.get(name, (0.0, ""))
        if not why or self._clock() >= until:
            fetched = self._fetch((kind,) if self._one_by_one else KINDS, transport)
            if fetched == _REFUSALS["invalid_scope"] and not self._one_by_one:
                # Some servers refuse all when one is not allowed: then each type for itself.
                self._one_by_one = True
                return self._renew(kind, transport, refused)
            if isinstance(fetched, _Held):
                self._held[name] = fetched
                return fetched, ""
            why = fetched
            if why != TIME_OUT:  # our own deadline may have been near
                self._failed[name] = (self._clock() + _PAUSE_SECONDS, why)
            log.error("no access token could be had")
        return held, why

    def _fetch(self, kinds: Sequence[str], transport: Transport) -> _Held | str:
        announced = self.discover(transport)
        if isinstance(announced, str):
            return announced
        scopes = tuple(scope_for(kind, announced.style) for kind in kinds)
        issued = int(self._now())
        claims = {
            "iss": self._client.client_id,
            "sub": self._client.client_id,
            "aud": announced.token_endpoint,
            "iat": issued,
            "exp": issued + _ASSERTION_SECONDS,
            "jti": secrets.token_urlsafe(24),
        }
        try:
            assertion = self._client.sign(announced.algorithm, claims)
        except ConfigError:
            return _NO_KEY
        form = {
            "grant_type": "client_credentials",
            "scope": _SCOPE(scopes),
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": assertion,
        }
        began = self._clock()
        answer = transport.post_form(announced.token_endpoint, form, accept="application/json")
        return _refused(answer) if answer.body is None else _held(answer.body, scopes, began)

    def _read(self, body: Mapping[str, Any]) -> Announced | str:
        endpoint = body.get("token_endpoint")
        if not isinstance(endpoint, str):
            return _NO_SERVER
        try:
            place = Origin.of(endpoint)
        except ValueError:
            return _ELSEWHERE
        allowed = (Origin(self._client.origin.scheme, self._client.origin.host, self._client.origin.port, ()),)
        if not any(one.allows(endpoint) for one in (*allowed, *self._client.auth_origins)):
            return _ELSEWHERE
        if place.scheme != "https" and not place.loopback:
            return _ELSEWHERE
        taken = texts(body.get("token_endpoint_auth_signing_alg_values_supported"))
        fit = [one for one in self._client.algorithms if not taken or one in taken]
        if not fit:
            return _NO_ALGORITHM if self._client.algorithms else _NO_KEY
        return Announced(endpoint, fit[0], self._client.style or style_of(body))


def _refused(answer: Answer) -> str:
    if answer.why == TIME_OUT:
        return TIME_OUT
    known = _REFUSALS.get(answer.error)
    return known or say("no access token: the authorization server answered {why}", why=answer.error or answer.why)


def _held(body: Mapping[str, Any], asked: tuple[str, ...], began: float) -> _Held | str:
    token, kind = body.get("access_token"), body.get("token_type")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        return _NOT_BEARER
    if not isinstance(kind, str) or kind.lower() != "bearer":
        return _NOT_BEARER
    told = body.get("expires_in")
    life = float(told) if isinstance(told, int) and not isinstance(told, bool) and told > 0 else _LIFE_SECONDS
    life = min(life, _LONGEST_SECONDS)
    scope = body.get("scope")
    # Without `scope` what was asked for was granted: RFC 6749, section 5.1.
    granted = tuple(scope.split()) if isinstance(scope, str) else asked
    if beyond_reading(granted):
        log.warning("an authorization server granted more than reading what was asked for")
    return _Held(token, granted, began + _RENEW_AT * life, began + life)

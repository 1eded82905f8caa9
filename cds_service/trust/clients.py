"""Verified mode as the settings describe it, checked at the start: a mistake would refuse or trust wrongly later."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from cds_service.errors import ConfigError
from cds_service.gather.deadline import Deadline
from cds_service.gather.origin import Origin
from cds_service.gather.transport import Answer, Transport
from cds_service.settings import Client, Settings
from cds_service.store.database import in_memory, read_url
from cds_service.trust.caller import Caller
from cds_service.trust.key_sets import FetchedKeys, KeySet, KeysOfFile, fetch_once
from cds_service.trust.tokens import TrustedClient, UsedTokens, Verified


def verified(
    settings: Settings,
    used: UsedTokens,
    transport: Callable[[Deadline, int], Transport],
    now: Callable[[], datetime],
) -> Verified:
    """Build verified mode.

    Args:
        settings: the operator's choices.
        used: the tokens that were used; shared by all workers.
        transport: makes one with a deadline and a size limit, for the EHRs' key sets.
        now: the present instant.

    Raises:
        ConfigError: naming the setting that is wrong and what it should be, never its value.
    """
    base = _base(settings.public_base_url)
    if not settings.clients:
        raise ConfigError("Setting clients: verified mode needs at least one EHR, with its issuer and keys.")
    if in_memory(read_url(settings.store)):
        raise ConfigError(
            "Setting store: verified mode needs a database that all workers share and that outlives them, such as "
            "sqlite:////var/lib/cds/store.db, or a used token could be used again."
        )
    by_url: dict[str, KeySet] = {}
    clients: dict[tuple[str, str | None], TrustedClient] = {}
    for number, client in enumerate(settings.clients):
        name = f"Setting clients.{number}"
        if (client.issuer, client.tenant) in clients:
            raise ConfigError(f"{name}: another client has the same issuer and tenant.")
        caller = Caller(client.issuer, client.tenant or "", _servers(client, name), client.profile)
        clients[client.issuer, client.tenant] = TrustedClient(
            client.jwks_url, _keys(client, name, by_url, transport), caller
        )
    return Verified(clients, base, used, settings.max_token_seconds, now)


def _base(url: str | None) -> str:
    name = "Setting public_base_url"
    if not url:
        raise ConfigError(f"{name}: verified mode needs the address that EHRs call; their tokens name it.")
    origin = _origin(name, url)
    if url.endswith("/"):
        raise ConfigError(f"{name}: leave out the slash at the end.")
    if origin.scheme != "https" and not origin.loopback:
        raise ConfigError(f"{name}: must begin with https://.")
    return url


def _servers(client: Client, name: str) -> tuple[Origin, ...]:
    return tuple(_outside(f"{name}.fhir_servers.{number}", server) for number, server in enumerate(client.fhir_servers))


def _keys(
    client: Client, name: str, by_url: dict[str, KeySet], transport: Callable[[Deadline, int], Transport]
) -> KeySet:
    if client.jwks_file is not None:
        try:
            return KeysOfFile(client.jwks_file)
        except ConfigError as error:
            raise ConfigError(f"{name}.{error}") from None
    url = client.jwks_url or ""
    _outside(f"{name}.jwks_url", url)

    def fetch() -> Answer:
        return fetch_once(transport, url)

    # One for all tenants of an EHR, or each would ask for itself.
    return by_url.setdefault(url, FetchedKeys(fetch))


def _outside(name: str, url: str) -> Origin:
    """Check an address that we may go to."""
    origin = _origin(name, url)
    if origin.loopback:
        return origin
    if origin.scheme != "https":
        raise ConfigError(f"{name}: must begin with https://; http is for this machine only.")
    if origin.numeric:
        raise ConfigError(f"{name}: needs a host name, not an address of numbers.")
    return origin


def _origin(name: str, url: str) -> Origin:
    try:
        return Origin.of(url)
    except ValueError as error:
        raise ConfigError(f"{name}: {error}.") from None

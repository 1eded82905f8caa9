"""Which sandbox `make sandbox-tests` was asked for: its profile is the doctor's, the environment fills in the rest."""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cds_service.screening.doctor.sandboxes import sandboxes
from cds_service.settings import FhirServer


@dataclass(frozen=True)
class Chosen:
    """A sandbox and how we come in.

    Args:
        name: in sandboxes.toml.
        server: as settings have it.
        patients: ids to look at; empty for some that a search finds.
    """

    name: str
    server: FhirServer
    patients: tuple[str, ...]

    @property
    def hosts(self) -> frozenset[str]:
        """The only hosts that the tests may reach: the sandbox's own and its authorization server's."""
        return frozenset(urlsplit(url).hostname or "" for url in (self.server.base_url, *self.server.auth_origins))


@cache
def chosen() -> Chosen | None:
    """Return the sandbox asked for; None when the run is another.

    Raises:
        UsageError: there is no such sandbox, or it lacks an address or a way in.
    """
    name = os.environ.get("SANDBOX", "")
    if not name:
        return None
    if name not in sandboxes():
        raise pytest.UsageError(f"SANDBOX: there is no {name}; known: {', '.join(sandboxes())}.")
    profile = sandboxes()[name]
    address = os.environ.get("SANDBOX_URL") or profile.base_url
    client, token = os.environ.get("SANDBOX_CLIENT"), os.environ.get("SANDBOX_TOKEN_FILE")
    if not address:
        raise pytest.UsageError("SANDBOX_URL: everybody has this sandbox at an address of their own; give it.")
    if profile.auth == "smart" and not client and not token:
        raise pytest.UsageError("This sandbox wants a token: SANDBOX_CLIENT (and CDS_KEYS), or SANDBOX_TOKEN_FILE.")
    server = FhirServer(
        base_url=address,
        auth="token" if token else "smart" if client else "none",
        client_id=None if token else client,
        token_file=Path(token) if token else None,
        auth_origins=profile.auth_origins,
    )
    return Chosen(name, server, tuple(filter(None, os.environ.get("SANDBOX_PATIENTS", "").split(","))))

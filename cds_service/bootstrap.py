"""The composition root: the only place that builds rules, clients and the clock; the rest is given them."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cds_service.errors import ConfigError
from cds_service.evaluation.judge import judge, needed_codes
from cds_service.facts.phrase import say
from cds_service.gather.access import Access
from cds_service.gather.bulk.export_http import ExportServer
from cds_service.gather.client import FhirClient
from cds_service.gather.deadline import Deadline
from cds_service.gather.origin import Origin
from cds_service.gather.plan import make_plan
from cds_service.gather.smart_auth import BackendClient, BackendServices
from cds_service.gather.smart_scopes import ScopeStyle
from cds_service.gather.transport import Transport, make_session
from cds_service.rules_folder import rules_folder
from cds_service.screening.case_runner import prove
from cds_service.screening.held_rules import HeldRules, mark_of
from cds_service.screening.patient import Rules
from cds_service.settings import FhirServer, Settings
from cds_service.store import Store, open_store
from cds_service.trials.library import load_library
from cds_service.trust.caller import Anyone, Callers
from cds_service.trust.clients import verified
from cds_service.trust.own_keys import read_keys, sign
from cds_service.trust.public_keys import ALGORITHMS

Clock = Callable[[], date]
Now = Callable[[], datetime]
Connect = Callable[[Origin, str | None], FhirClient]
Reach = Callable[[float], FhirClient]
"""Opens a FHIR server for so many seconds of reading."""
_Way = Callable[[float, str | None, Access | None], FhirClient]


@dataclass(frozen=True)
class Services:
    """What the doors work with.

    Args:
        settings: the operator's choices.
        held: trials, reading plan and evaluation; they may be replaced while the service runs.
        clock: today, in the hospital's time zone.
        callers: tells who calls.
        connect: opens a FHIR server, with a token or without; the deadline of the screening starts then.
        store: what is remembered between calls.
        now: the present instant; ``clock`` is the day that is judged.
    """

    settings: Settings
    held: HeldRules
    clock: Clock
    callers: Callers
    connect: Connect
    store: Store
    now: Now

    @property
    def rules(self) -> Rules:
        """What is judged by now; read once for each answer, so that it comes from one set of rules."""
        return self.held.rules

    def local(self, at: datetime) -> datetime:
        """Return an instant as the hospital's clocks tell it."""
        return local(self.settings, at)

    def day_told(self) -> str:
        """Say, at the start, which day it is and by whose clock: a container is often in no zone but UTC."""
        day, zone = self.clock().isoformat(), self.settings.time_zone
        offset = f"UTC{self.local(self.now()).isoformat()[-6:]}"
        if zone is not None:
            return say("Today is {day} in {zone} ({offset}).", day=day, zone=zone, offset=offset)
        return say(
            "Today is {day} by this machine's clock ({offset}); CDS_TIME_ZONE names the hospital's zone.",
            day=day,
            offset=offset,
        )


def load_rules(site: str | None = None) -> Rules:
    """Load everything under the rules folder and plan the reading that it needs.

    Args:
        site: the hospital whose site file maps its codes; None for none.

    Raises:
        RuleError: the rule files are wrong; every complaint at once.
    """
    library = load_library(rules_folder(), site=site)
    return Rules(library, make_plan(needed_codes(library)), judge)


def hold_rules(site: str | None = None) -> HeldRules:
    """Load the rules and get ready to follow their folder.

    Args:
        site: the hospital whose site file maps its codes; None for none.

    Raises:
        RuleError: the rule files are wrong.
    """

    def proven() -> Rules:
        folder, rules = rules_folder(), load_rules(site)
        prove(folder, rules.library if site is None else load_library(folder))
        return rules

    seen = mark_of(rules_folder())
    return HeldRules(load_rules(site), rules_folder, proven, seen)


def utc_now() -> datetime:
    """Return the present instant."""
    return datetime.now(UTC)


def local(settings: Settings, at: datetime) -> datetime:
    """Return an instant as clocks tell it in the zone of the settings; in the machine's where they name none."""
    return at.astimezone(ZoneInfo(settings.time_zone) if settings.time_zone else None)


def today(settings: Settings, now: Now = utc_now) -> date:
    """Return the hospital's day."""
    return local(settings, now()).date()


def build(
    settings: Settings, *, clock: Clock | None = None, now: Now = utc_now, rules: Rules | None = None
) -> Services:
    """Build the services.

    Args:
        settings: the operator's choices.
        clock: today; the demo sets it to the day its stories were written for. None: the hospital's day.
        now: the present instant.
        rules: already loaded ones; None to load them.

    Raises:
        RuleError: the rule files are wrong.
        ConfigError: the store cannot be opened, verified mode lacks a setting, or our keys cannot be read.
    """
    session = make_session()
    ways = dict(_way(server, settings) for server in settings.fhir_servers)

    def connect(origin: Origin, token: str | None) -> FhirClient:
        if origin in ways:
            return ways[origin](settings.gather_seconds, token, None)
        transport = Transport(session, Deadline.after(settings.gather_seconds), settings.max_answer_bytes)
        return FhirClient(origin, transport, token, settings.max_pages)

    held = HeldRules(rules) if rules is not None else hold_rules(settings.site)
    store = open_store(settings.store)
    callers: Callers = Anyone(settings.profile)
    if settings.mode == "verified":
        callers = verified(settings, store, lambda deadline, size: Transport(session, deadline, size), now)
    if settings.keys is not None:
        read_keys(settings.keys)
    day = clock or (lambda: today(settings, now))
    return Services(settings, held, day, callers, connect, store, now)


def reach(server: FhirServer, settings: Settings, now: Now = utc_now) -> Reach:
    """Prepare the reading of a FHIR server without an EHR's call; its tokens are kept as long as what is returned.

    Raises:
        ConfigError: an address is none, SMART Backend Services lacks keys, or a file cannot be read.
    """
    origin, way = _way(server, settings)
    access = _backend_services(server, origin, settings, now) if server.client_id is not None else None

    def connect(seconds: float) -> FhirClient:
        return way(seconds, _token(server.token_file) if server.token_file is not None else None, access)

    return connect


def _way(server: FhirServer, settings: Settings) -> tuple[Origin, _Way]:
    """Prepare the way to a server, whoever asks there; what lets one in is no part of it."""
    name = "Setting fhir_servers"
    origin = _server(f"{name}.base_url", server.base_url)
    aliases = tuple(_server(f"{name}.aliases", alias, remote=True) for alias in server.aliases)
    if server.ca_file is not None:
        try:
            ssl.create_default_context(cafile=str(server.ca_file))
        except OSError:
            raise ConfigError(f"{name}.ca_file: there is no such file, or it holds no certificate.") from None
    session = make_session(server.ca_file, server.proxy)

    def way(seconds: float, token: str | None, access: Access | None) -> FhirClient:
        transport = Transport(session, Deadline.after(seconds), settings.max_answer_bytes)
        return FhirClient(origin, transport, token, settings.max_pages, access, aliases, server.post_search)

    return origin, way


def exporting(server: FhirServer, settings: Settings, now: Now = utc_now) -> ExportServer:
    """Prepare the Bulk Data export of a FHIR server.

    Raises:
        ConfigError: as :func:`reach`, or a host of files is no address.
    """
    origins = tuple(_server("Setting fhir_servers.file_origins", one) for one in server.file_origins)
    return ExportServer(reach(server, settings, now), origins)


def _backend_services(server: FhirServer, origin: Origin, settings: Settings, now: Now) -> Access:
    folder = settings.keys
    if folder is None:
        raise ConfigError("Setting keys: SMART Backend Services needs keys; name their folder (CDS_KEYS).")
    made = {key.algorithm for key in read_keys(folder)}
    if not made:
        raise ConfigError("Setting keys: there are none; make some with: cds-service keys new.")

    def signed(algorithm: str, claims: Mapping[str, Any]) -> str:
        # Read each time: keys are changed while the service runs.
        return sign(read_keys(folder), algorithm, claims, now())

    client = BackendClient(
        origin,
        server.client_id or "",
        signed,
        tuple(algorithm for algorithm in ALGORITHMS if algorithm in made),
        ScopeStyle(server.scopes) if server.scopes else None,
        tuple(_server("Setting fhir_servers.auth_origins", one) for one in server.auth_origins),
    )
    return BackendServices(client, lambda: now().timestamp())


def _server(name: str, url: str, *, remote: bool = False) -> Origin:
    """Read an address; only what is never called itself (``remote``) may be http on another machine."""
    try:
        origin = Origin.of(url)
    except ValueError as error:
        raise ConfigError(f"{name}: {error}.") from None
    if origin.scheme != "https" and not origin.loopback and not remote:
        raise ConfigError(f"{name}: must begin with https://.")
    return origin


def _token(file: Path) -> str:
    try:
        token = file.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        raise ConfigError("Setting fhir_servers.token_file: it cannot be read.") from None
    if not token or any(char <= " " or char == "\x7f" for char in token):
        raise ConfigError("Setting fhir_servers.token_file: it must hold one token and nothing else.")
    return token

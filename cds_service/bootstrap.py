"""The composition root: the only place that builds rules, clients and the clock; the rest is given them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from cds_service.evaluation.judge import judge, needed_codes
from cds_service.gather.client import FhirClient
from cds_service.gather.deadline import Deadline
from cds_service.gather.origin import Origin
from cds_service.gather.plan import make_plan
from cds_service.gather.transport import Transport, make_session
from cds_service.rules_folder import rules_folder
from cds_service.screening.patient import Rules
from cds_service.settings import Settings
from cds_service.store import Store, open_store
from cds_service.trials.library import load_library
from cds_service.trust.caller import Anyone, Callers
from cds_service.trust.clients import verified
from cds_service.trust.own_keys import read_keys

Clock = Callable[[], date]
Now = Callable[[], datetime]
Connect = Callable[[Origin, str | None], FhirClient]


@dataclass(frozen=True)
class Services:
    """What the doors work with.

    Args:
        settings: the operator's choices.
        rules: trials, reading plan and evaluation.
        clock: today, in the hospital's time zone.
        callers: tells who calls.
        connect: opens a FHIR server, with a token or without; the deadline of the screening starts then.
        store: what is remembered between calls.
        now: the present instant; ``clock`` is the day that is judged.
    """

    settings: Settings
    rules: Rules
    clock: Clock
    callers: Callers
    connect: Connect
    store: Store
    now: Now


def load_rules(site: str | None = None) -> Rules:
    """Load everything under the rules folder and plan the reading that it needs.

    Args:
        site: the hospital whose site file maps its codes; None for none.

    Raises:
        RuleError: the rule files are wrong; every complaint at once.
    """
    library = load_library(rules_folder(), site=site)
    return Rules(library, make_plan(needed_codes(library)), judge)


def utc_now() -> datetime:
    """Return the present instant."""
    return datetime.now(UTC)


def build(settings: Settings, *, clock: Clock = date.today, now: Now = utc_now, rules: Rules | None = None) -> Services:
    """Build the services.

    Args:
        settings: the operator's choices.
        clock: today; the demo sets it to the day its stories were written for.
        now: the present instant.
        rules: already loaded ones; None to load them.

    Raises:
        RuleError: the rule files are wrong.
        ConfigError: the store cannot be opened, verified mode lacks a setting, or our keys cannot be read.
    """
    session = make_session()

    def connect(origin: Origin, token: str | None) -> FhirClient:
        deadline = Deadline.after(settings.gather_seconds)
        return FhirClient(origin, Transport(session, deadline, settings.max_answer_bytes), token, settings.max_pages)

    loaded = rules or load_rules(settings.site)
    store = open_store(settings.store)
    callers: Callers = Anyone(settings.profile)
    if settings.mode == "verified":
        callers = verified(settings, store, lambda deadline, size: Transport(session, deadline, size), now)
    if settings.keys is not None:
        read_keys(settings.keys)
    return Services(settings, loaded, clock, callers, connect, store, now)

"""An entry of the worklist as lists and exports read it; the store's own types fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Protocol

from cds_service.present.pages.people import Person


class Known(Person, Protocol):
    """Who an entry is about: text from FHIR, hostile until escaped."""


class Screened(Protocol):
    """The newest judgement of an entry."""

    @property
    def as_of(self) -> date:
        """The day of the judgement."""

    @property
    def anchor(self) -> date | None:
        """The planned first dose, where one was named."""

    @property
    def gate(self) -> str:
        """Id of the moment of the protocol."""

    @property
    def status(self) -> str:
        """As in the contract."""

    @property
    def decided(self) -> int:
        """How many criteria were decided."""

    @property
    def total(self) -> int:
        """How many there are."""

    @property
    def missing(self) -> Sequence[str]:
        """Names of the decisive facts."""

    @property
    def lapses(self) -> date | None:
        """Last day of a candidate's status; the day to look again of a not-now."""

    @property
    def rules_digest(self) -> str:
        """Of the rules that judged."""

    @property
    def brief(self) -> Mapping[str, Any]:
        """Of the contract's JSON: what blocks, fails, is to be confirmed or was doubted; how long results count."""


class Listed(Protocol):
    """One patient on one trial's list."""

    @property
    def id(self) -> str:
        """Of ours."""

    @property
    def patient(self) -> str:
        """Of ours, the same on every list."""

    @property
    def person(self) -> Known:
        """Who it is."""

    @property
    def trial(self) -> str:
        """Its id."""

    @property
    def state(self) -> str:
        """What people decided."""

    @property
    def state_at(self) -> datetime | None:
        """When they did."""

    @property
    def state_by(self) -> str:
        """Who did."""

    @property
    def state_reason(self) -> str:
        """Why, in their words."""

    @property
    def state_criterion(self) -> str:
        """The criterion that they named."""

    @property
    def assignee(self) -> str:
        """Who looks after it, "" for nobody."""

    @property
    def changed(self) -> bool:
        """Whether the data changed since people looked."""

    @property
    def latest(self) -> Screened:
        """The newest judgement."""

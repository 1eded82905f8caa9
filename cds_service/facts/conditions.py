"""Condition resources as entries: what is said, how sure, how active, since when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cds_service.facts.dates import When
from cds_service.facts.elements import NOTHING, Coded, coded, extension, list_of, object_of, reference_of, text_of
from cds_service.facts.names import suspected
from cds_service.facts.reading import UnreadableError, span_of, when_of
from cds_service.facts.record import Source

INACTIVE: Final = frozenset({"resolved", "inactive", "remission", "recurrence", "relapse"})


@dataclass(frozen=True)
class StageEntry:
    """One ``Condition.stage``: its group, and the staging method that ``stage.type`` carries in mCODE."""

    summary: Coded
    method: Coded


@dataclass(frozen=True)
class ConditionEntry:
    """One entry of the problem list.

    Args:
        reference: of the resource.
        code: the disease.
        verification: "confirmed", "refuted", "unsure" or "" when not stated (taken as confirmed).
        clinical: as recorded, "" when not stated.
        onset: when it began, None when not stated.
        recorded: when it was written down, None when not stated.
        body_sites: where.
        morphology: the histology-morphology-behavior extension.
        related_primary: reference of the primary it is a metastasis of, "" when not stated.
        stages: its ``stage`` entries.
        abated: when it was over, None when not stated.
    """

    reference: str
    code: Coded
    verification: str
    clinical: str
    onset: When | None
    recorded: When | None
    body_sites: Coded = NOTHING
    morphology: Coded = NOTHING
    related_primary: str = ""
    stages: tuple[StageEntry, ...] = ()
    abated: When | None = None

    @property
    def when(self) -> When | None:
        """Its day: the onset, else when it was recorded."""
        return self.onset or self.recorded

    @property
    def confirmed(self) -> bool:
        """Whether it counts as true; a status that is not stated does, and is annotated."""
        return self.verification in ("confirmed", "")

    @property
    def unsure(self) -> bool:
        """Whether it is provisional, differential or unconfirmed."""
        return self.verification == "unsure"

    @property
    def refuted(self) -> bool:
        """Whether it says that the disease is not there."""
        return self.verification == "refuted"

    @property
    def active(self) -> bool:
        """Whether it is not recorded as over, in remission or come back."""
        return self.clinical not in INACTIVE

    def written_before(self, other: ConditionEntry) -> bool:
        """Say whether this was certainly written down (else began) before another entry."""
        a, b = self.recorded or self.onset, other.recorded or other.onset
        return a is not None and b is not None and a.before(b)

    def shares_code_with(self, other: ConditionEntry) -> bool:
        """Say whether one of its codes is one of the other's."""
        codes = {(coding.system, coding.code) for coding in self.code.codings}
        return any((coding.system, coding.code) in codes for coding in other.code.codings)

    @property
    def notes(self) -> tuple[str, ...]:
        """Annotations that a fact resting on this entry carries."""
        return () if self.verification else ("status-not-stated",)


def read_condition(source: Source) -> Iterator[ConditionEntry]:
    """Yield the entry unless it was entered in error.

    Raises:
        UnreadableError: no code and no text, or a date that is none.
    """
    body = source.body
    verification = _status(body.get("verificationStatus"))
    if verification == "entered-in-error":
        return
    code = coded(body.get("code"))
    if not code.readable:
        raise UnreadableError
    onset = span_of(body, "onset")
    over = span_of(body, "abatement")
    clinical = _status(body.get("clinicalStatus"))
    if not clinical and (
        over.start is not None or over.end is not None or any(k.startswith("abatement") for k in body)
    ):
        clinical = "resolved"
    related = extension(
        body,
        "condition-related",
        "mcode-related-primary-cancer-condition",
        "related-primary-cancer-condition",
    )
    sites = [coded(item) for item in list_of(body.get("bodySite"))]
    yield ConditionEntry(
        reference=source.reference,
        code=code,
        verification=_how_sure(body, verification, code),
        clinical=clinical,
        onset=onset.start or onset.end,
        recorded=when_of(body.get("recordedDate")),
        body_sites=Coded(tuple(c for site in sites for c in site.codings), next((s.text for s in sites if s.text), "")),
        morphology=_morphology(body),
        related_primary=reference_of((related or {}).get("valueReference")),
        stages=tuple(_stage(object_of(item)) for item in list_of(body.get("stage"))),
        abated=over.end or over.start,
    )


def _how_sure(body: Mapping[str, Any], verification: str, code: Coded) -> str:
    """Return how sure an entry is; a status that is there and cannot be read leaves it unsure, not confirmed.

    Where no status is stated, the entry's own words may say that it is only suspected ("骨转移?").
    """
    if body.get("verificationStatus") is None:
        return "unsure" if any(suspected(name) for name in code.names()) else ""
    return verification if verification in ("confirmed", "refuted") else "unsure"


def _status(value: object) -> str:
    """Return a status code in lower case; a plain string or a text stands in for a code."""
    concept = Coded(text=text_of(value)) if isinstance(value, str) else coded(value)
    code = next((coding.code for coding in concept.codings if coding.code), None)
    return (code or concept.text).lower()


def _morphology(body: Mapping[str, Any]) -> Coded:
    found = extension(body, "mcode-histology-morphology-behavior", "histology-morphology-behavior")
    return coded((found or {}).get("valueCodeableConcept"))


def _stage(element: Mapping[str, Any]) -> StageEntry:
    return StageEntry(coded(element.get("summary")), coded(element.get("type")))

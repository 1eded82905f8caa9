"""A trial as its rule file states it: gates, criteria, what each needs, and what is not encoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from cds_service.facts.codes import ValueSets
from cds_service.facts.definitions import Ask, FactDefinition
from cds_service.facts.need import Need
from cds_service.facts.site import Site
from cds_service.logic.expression import Expression

SIGNED_OFF: Final = "signed-off"


class Kind(StrEnum):
    """How the protocol uses a sentence; authors write exclusions as they read, the engine negates them."""

    INCLUSION = "inclusion"
    EXCLUSION = "exclusion"


@dataclass(frozen=True)
class Criterion:
    """One sentence of the protocol.

    Args:
        id: stable name, used in results.
        kind: inclusion or exclusion.
        gates: ids of the gates it belongs to.
        text: the sentence in plain words, thresholds kept.
        short: the same for one row of a card ("Hemoglobin ≥ 90 g/L").
        source: ids of the published lines it encodes.
        needs: by variable name in the logic.
        logic: true when ``text`` is true of the patient.
        trigger: cards speak only when this passes.
        sign: while data is missing, cards speak only if one of these passes, or is unknown for another reason
            than want of a record.
        conventions: ids of the trial's conventions that this criterion applies.
        line: where it stands in the rule file (1-based).
        zh: ``text`` and ``short`` in Simplified Chinese; empty when the file has none.
    """

    id: str
    kind: Kind
    gates: tuple[str, ...]
    text: str
    short: str
    source: tuple[str, ...]
    needs: Mapping[str, Need]
    logic: Expression
    trigger: bool = False
    sign: bool = False
    conventions: tuple[str, ...] = ()
    line: int = 0
    zh: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Gate:
    """A moment of the protocol.

    Args:
        id: "screening", "randomisation".
        label: for people ("before induction").
        anchored_by_caller: whether lab windows may end at a planned day that the caller gives (else at ``as_of``).
        zh: the label in Simplified Chinese; "" when the file has none.
    """

    id: str
    label: str
    anchored_by_caller: bool = False
    zh: str = ""


@dataclass(frozen=True)
class Trial:
    """One rule file.

    Args:
        id: registry number.
        title: by language ("en", "zh").
        phase: as in the registry, "" when none.
        sponsor: as in the registry.
        url: the registry record.
        as_of: the day the registry record was read, ISO 8601.
        exclusions: "encoded", or "not-published": then every card and page says so.
        review: "signed-off" or "pending": a pending trial is silent in charts.
        lines: the published eligibility lines, id to plain words.
        not_encoded: line id to the reason.
        gates: in protocol order.
        gate_choice: logic over ``gate_needs`` that gives a gate's id.
        gate_needs: facts the choice reads.
        criteria: in the rule file's order.
        conventions: id to the choice made where the prose leaves it open, with its reason.
        digest: ``sha256:`` of the rule file, the fact definitions and the value sets together.
        revision: the author's revision of the rule file.
        lines_zh: ``lines`` in Simplified Chinese, without those that the file has in English only.
        conventions_zh: ``conventions`` in Simplified Chinese, likewise.
    """

    id: str
    title: Mapping[str, str]
    phase: str
    sponsor: str
    url: str
    as_of: str
    exclusions: str
    review: str
    lines: Mapping[str, str]
    not_encoded: Mapping[str, str]
    gates: tuple[Gate, ...]
    gate_choice: Expression
    gate_needs: Mapping[str, Need]
    criteria: tuple[Criterion, ...]
    conventions: Mapping[str, str]
    digest: str
    revision: int = 1
    lines_zh: Mapping[str, str] = field(default_factory=dict)
    conventions_zh: Mapping[str, str] = field(default_factory=dict)

    @property
    def speaks(self) -> bool:
        """Whether it may speak in charts: somebody signed its rules off."""
        return self.review == SIGNED_OFF

    def gate(self, gate_id: str) -> Gate:
        """Return a gate by id."""
        return next(gate for gate in self.gates if gate.id == gate_id)

    def at(self, gate_id: str) -> tuple[Criterion, ...]:
        """Return the criteria of a gate, in the rule file's order."""
        return tuple(criterion for criterion in self.criteria if gate_id in criterion.gates)


@dataclass(frozen=True, eq=False)
class Library:
    """Everything under ``rules/``, loaded once at start and never changed.

    Args:
        trials: by registry number.
        facts: by name.
        value_sets: by name, the site's codes and names included.
        site: the hospital's site file; None without one.
    """

    trials: Mapping[str, Trial]
    facts: Mapping[str, FactDefinition]
    value_sets: ValueSets
    site: Site | None = None


__all__ = ["Ask", "Criterion", "FactDefinition", "Gate", "Kind", "Library", "Need", "Trial"]

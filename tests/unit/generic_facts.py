"""What the tests of generic facts share: a chart in shorthand, a fact asked of it, and the reason why not."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from cds_service.facts.chart import Chart, read_entries
from cds_service.facts.definitions import Ask, FactDefinition
from cds_service.facts.fact import Fact, Moment
from cds_service.facts.need import Need
from cds_service.gather.bundle import read_bundle
from cds_service.logic.values import Numbers
from cds_service.screening.shorthand import to_bundle
from cds_service.trials.library import load_library

RULES = Path(__file__).resolve().parents[2] / "rules"
LIBRARY = load_library(RULES)
AS_OF = date(2026, 3, 1)
NPC = {"id": "npc", "code": "C11.9", "onset": "2026-02-05"}


def chart_of(patient: dict[str, Any], *, anchor: date = AS_OF, **more: FactDefinition) -> Chart:
    record = read_bundle(to_bundle(patient, LIBRARY, AS_OF))
    moment = Moment(AS_OF, anchor, "screening")
    return Chart(read_entries(record), {**LIBRARY.facts, **more}, LIBRARY.value_sets, moment)


def asked(kind: str, type_: str = "boolean", **options: Any) -> FactDefinition:
    return FactDefinition("asked", kind, type_, {"en": "asked"}, Ask("question"), options=options)


def read(definition: FactDefinition, patient: dict[str, Any], **need: Any) -> Fact:
    return chart_of(patient, asked=definition).fact(Need("asked", **need))


def reason(fact: Fact) -> str:
    assert len(fact.missing) == 1
    return fact.missing[0].reason.value


def points(*values: int) -> Numbers:
    return Numbers.of(*(Decimal(value) for value in values))

"""Facts that no record holds: only a person can judge them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds_service.facts.definitions import FactDefinition
from cds_service.facts.fact import Fact, Reason
from cds_service.facts.need import Need
from cds_service.facts.phrase import say
from cds_service.logic.values import EITHER

if TYPE_CHECKING:
    from cds_service.facts.chart import Chart


def judgement(chart: Chart, definition: FactDefinition, need: Need) -> Fact:
    """Return a fact that is always unknown, ``clinician``, leaning nowhere."""
    return Fact.unknown(definition.name, EITHER, Reason.CLINICIAN, says=say("no record holds it"))

"""Do draft orders close a trial? The patient is judged twice: as the record stands, and with the orders given.

A trial's own treatment, which it tells its gates apart by, never closes it. Only orders that close it are named.
Source: the eligibility contract, section 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from cds_service.evaluation.effect import Effect, OrdersOutcome
from cds_service.evaluation.outcome import Status, TrialOutcome, Verdict
from cds_service.facts.fact import Evidence
from cds_service.facts.record import Record
from cds_service.gather.client import FhirClient
from cds_service.gather.draft_orders import Drafts, TakenAsGiven, read_their_drugs, taken_as_given, with_given
from cds_service.gather.duplicates import canonical
from cds_service.present.speaking import not_checked, sign, speaks
from cds_service.screening.patient import Rules

# One order is judged in some milliseconds; a card names no more than these anyway.
MOST_ALONE: Final = 8
_SIGHTING: Final = "treatment_seen"
_OTHER: Final = "other"


def screen_orders(
    rules: Rules, record: Record, client: FhirClient | None, drafts: Drafts, *, as_of: date
) -> OrdersOutcome:
    """Screen the patient for whom orders are being written.

    Args:
        rules: what to judge by.
        record: the chart as it was read.
        client: the FHIR server that may be asked for the orders' drugs, if any.
        drafts: the orders.
        as_of: the day of the judgement, on which the orders are taken as given.
    """
    return judge_orders(rules, record, taken_as_given(read_their_drugs(drafts, record, client), as_of), as_of=as_of)


def judge_orders(rules: Rules, record: Record, orders: Sequence[TakenAsGiven], *, as_of: date) -> OrdersOutcome:
    """Judge a record without and with orders.

    Args:
        rules: what to judge by.
        record: as it stands; not changed.
        orders: as the records that they would become.
        as_of: the day.
    """
    before = rules.judge(record, rules.library, as_of=as_of)
    heard = [one for one in before.trials if one.trial.speaks]
    unread = [one for one in heard if not_checked(one)]
    possible = [one for one in heard if one not in unread and speaks(one) and sign(one)]
    orders = list({canonical(one.record.body): one for one in orders}.values())  # the same order twice is one
    conflicts: list[Effect] = []
    inductions: list[Effect] = []
    for trial in possible if orders else ():
        twice = _Twice(rules, record, trial, as_of)
        own = twice.own_treatment(orders)
        conflict = twice.conflict([one for one in orders if one not in own])
        if conflict is not None:
            conflicts.append(conflict)
        elif own and trial.gate == trial.trial.gates[0].id:
            inductions.append(Effect(trial, twice.judged(own), _labels(own)))
    matter = [one.trial.id for one in unread if orders and _Twice(rules, record, one, as_of).may_matter(orders)]
    return OrdersOutcome(before, tuple(conflicts), tuple(inductions), frozenset(matter))


@dataclass(frozen=True)
class _Twice:
    """One trial's second judgements.

    Args:
        rules: what to judge by.
        record: as it stands.
        before: the trial's outcome on it.
        as_of: the day.
    """

    rules: Rules
    record: Record
    before: TrialOutcome
    as_of: date

    def judged(self, orders: Sequence[TakenAsGiven]) -> TrialOutcome:
        """Judge the trial with some orders taken as given."""
        record, trial = with_given(self.record, orders), self.before.trial.id
        return self.rules.judge(record, self.rules.library, as_of=self.as_of, trials=[trial]).trials[0]

    def own_treatment(self, orders: Sequence[TakenAsGiven]) -> list[TakenAsGiven]:
        """Return the orders of the trial's own treatment: what it looks for to tell its gates apart.

        A gate fact of the class "other" looks for the rest, which bars the patient.
        """
        definitions = self.rules.library.facts
        own = [
            fact
            for fact in self.judged(orders).gate_facts.values()
            if definitions[fact.name].kind == _SIGHTING and definitions[fact.name].options["class"] != _OTHER
        ]
        return _cited(orders, (evidence for fact in own for evidence in fact.evidence))

    def conflict(self, orders: Sequence[TakenAsGiven]) -> Effect | None:
        """Return what the orders break, naming only those that break it; None when the trial stays open."""
        after = self.judged(orders) if orders else self.before
        if after.status is not Status.EXCLUDED:
            return None
        whole = Effect(self.before, after, ())
        suspects = _cited(orders, (e for one in whole.broken for e in one.evidence)) or list(orders)
        looked_at = suspects[:MOST_ALONE]
        alone = [one for one in looked_at if self.judged([one]).status is Status.EXCLUDED]
        # None of them breaks it alone: it is the orders together.
        return replace(whole, orders=_labels(alone or looked_at), more=len(suspects) - len(looked_at))

    def may_matter(self, orders: Sequence[TakenAsGiven]) -> bool:
        """Say whether the orders speak against the patient in any criterion, as far as can be told."""
        own = self.own_treatment(orders)
        others = [one for one in orders if one not in own]
        against = [
            one
            for one in (self.judged(others).criteria if others else ())
            if one.verdict is Verdict.FAIL or one.leaning is Verdict.FAIL
        ]
        return bool(_cited(others, (evidence for one in against for evidence in one.evidence)))


def _cited(orders: Sequence[TakenAsGiven], evidence: Iterable[Evidence]) -> list[TakenAsGiven]:
    """Return the orders among the evidence."""
    cited = {one.resource for one in evidence}
    return [one for one in orders if one.record.reference in cited]


def _labels(orders: Iterable[TakenAsGiven]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.label for one in orders))

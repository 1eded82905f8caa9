"""What is remembered of an answer: the cards that were sent, what became of them, and so who is to hear nothing.

Remembering never costs a card: a store that is down silences nothing, and a card it cannot keep asks for no feedback.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from cds_service.errors import UnavailableError
from cds_service.evaluation.effect import Effect
from cds_service.evaluation.outcome import PatientOutcome, TrialOutcome
from cds_service.present.cards import topic_code
from cds_service.present.overrides import HL7, NOT_FIT, OWN
from cds_service.screening.marks import ORDERS, marks_of, order_marks, unsettled
from cds_service.screening.muting import HL7_REASONS, OWN_REASONS, silent_trials
from cds_service.settings import Hook
from cds_service.store import CardFeedback, Kind, SentCard, Store, key_of, patient_key

log = logging.getLogger("cds_service.screening")

PATIENCE: Final = 1.0
"""Seconds that a hook waits for another writer: a clinician waits for the card."""
OTHER: Final = "other"  # a reason that we neither offered nor know: its words are the client's, and are not kept


def tenant_key(issuer: str, tenant: str) -> str:
    """Return the key of who calls; "" for what an open caller does not say."""
    return key_of("tenant", issuer, tenant)


def kind_of(hook: Hook) -> Kind:
    """Return what the cards of a hook are about."""
    return Kind.CONFLICT if hook in ("order-select", "order-sign") else Kind.CANDIDATE


@dataclass
class Memory:
    """What one call may remember and recall.

    Args:
        store: where it is kept.
        tenant: key of who calls.
        service: id of the service that was called.
        kind: what its cards are about.
        now: the instant of the call.
        server: the FHIR base that the call names, "" for none.
        decided: ids of the trials that the patient is enrolled in or declined, as the worklist has it: all their cards
            are silent.
        down: whether the store failed in this call: it is not asked again, since each time may cost the whole wait.
    """

    store: Store
    tenant: str
    service: str
    kind: Kind
    now: datetime
    server: str = ""
    decided: frozenset[str] = frozenset()
    down: bool = False

    def silent(self, outcome: PatientOutcome, effects: Sequence[Effect] = ()) -> frozenset[str]:
        """Return the ids of the trials that say nothing about this patient now.

        Args:
            outcome: of all trials, as the record stands.
            effects: what draft orders would do to some of them.
        """
        if self.down:
            return self.decided
        try:
            overrides = self.store.overrides(self._patient(outcome))
        except UnavailableError:
            self.down = True
            log.warning("overrides could not be read: they silence nothing")
            return self.decided
        return self.decided | silent_trials(overrides, outcome, self._ordered(outcome, effects), self.kind, self.now)

    def keep(
        self, cards: Sequence[Mapping[str, Any]], outcome: PatientOutcome, effects: Sequence[Effect] = ()
    ) -> list[dict[str, Any]]:
        """Remember the cards that ask for a reason when they are set aside.

        Args:
            cards: as they are about to be sent.
            outcome: of all trials, as the record stands.
            effects: what draft orders would do to some of them.

        Returns:
            The cards to send; those that could not be kept without id and reasons, so that they promise nothing.
        """
        trials = {topic_code(one.trial): one for one in outcome.trials}
        patient, ordered = self._patient(outcome), self._ordered(outcome, effects)
        asking = [card for card in cards if "overrideReasons" in card]
        try:
            if asking and self.down:
                raise UnavailableError("The store is down for now.")
            if asking:
                self.store.remember(
                    self.tenant,
                    [self._sent(card, trials[card["source"]["topic"]["code"]], patient, ordered) for card in asking],
                    patience=PATIENCE,
                )
        except UnavailableError:
            self.down = True
            log.warning("cards could not be remembered (%d): they are sent without asking for feedback", len(asking))
            return [
                {name: value for name, value in card.items() if card not in asking or name not in _ASKING}
                for card in cards
            ]
        return [dict(card) for card in cards]

    def _patient(self, outcome: PatientOutcome) -> str:
        return patient_key(self.tenant, outcome.patient, self.server)

    def _ordered(self, outcome: PatientOutcome, effects: Sequence[Effect]) -> dict[str, list[str]]:
        return {one.before.trial.id: order_marks(one, self._patient(outcome)) for one in effects}

    def _sent(
        self, card: Mapping[str, Any], outcome: TrialOutcome, patient: str, ordered: Mapping[str, list[str]]
    ) -> SentCard:
        orders = {ORDERS: ordered[outcome.trial.id]} if outcome.trial.id in ordered else {}
        return SentCard(
            uuid=card["uuid"],
            service=self.service,
            kind=self.kind,
            trial=outcome.trial.id,
            patient=patient,
            sent=self.now,
            suggestions=[one["uuid"] for one in card.get("suggestions", ())],
            marks={**marks_of(outcome, patient), **orders},
            unsettled=unsettled(outcome),
        )


_ASKING: Final = frozenset(("uuid", "overrideReasons"))


@dataclass(frozen=True)
class Told:
    """One item of feedback, as a client tells it.

    Args:
        feedback: without a reason.
        system: of the reason's Coding; "" when none was given.
        code: of the same.
    """

    feedback: CardFeedback
    system: str = ""
    code: str = ""


def take_feedback(store: Store, tenant: str, told: Sequence[Told]) -> tuple[int, int]:
    """Keep what became of cards that this tenant was sent.

    Args:
        store: where it is kept.
        tenant: key of who tells.
        told: in any order; what is kept already is not kept again.

    Returns:
        How many items were new, and how many were about cards that nobody here sent to this tenant.

    Raises:
        UnavailableError: the store is down; none was kept.
    """
    cards = store.cards(tenant, {one.feedback.card for one in told})
    known = [one for one in told if one.feedback.card in cards]
    rows = [_checked(one, cards[one.feedback.card]) for one in known]
    return (store.add_feedback(tenant, rows) if rows else 0), len(told) - len(known)


def _checked(told: Told, card: SentCard) -> CardFeedback:
    """Keep of a client's words only what the card offered."""
    return replace(
        told.feedback,
        reason=_reason(told, card),
        suggestions=[one for one in told.feedback.suggestions if one in card.suggestions],
    )


def _reason(told: Told, card: SentCard) -> str:
    known = {
        "": [""],
        HL7: HL7_REASONS,
        OWN: [*OWN_REASONS, *(f"{NOT_FIT}{name}" for name in card.marks if name != ORDERS)],
    }
    return told.code if told.code in known.get(told.system, ()) else OTHER

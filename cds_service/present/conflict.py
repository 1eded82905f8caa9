"""Cards about orders: a warning before one is signed that would close a trial, a word before a trial's own treatment.

Nothing is ever blocked. The order's own words come from the record system: they are escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID, uuid5

from cds_service.evaluation.effect import Effect, OrdersOutcome
from cds_service.evaluation.outcome import PatientOutcome, TrialOutcome
from cds_service.present import wording
from cds_service.present.cards import frame, links, unchecked_card
from cds_service.present.detail import Detail
from cds_service.present.overrides import override_reasons
from cds_service.present.safe_text import fit, markdown, markdown_of_rules, plain
from cds_service.present.speaker import ENGLISH, Speaker
from cds_service.present.speaking import leaning_fail, rank

_SHOWN: Final = 5


def order_cards(
    found: OrdersOutcome, *, seed: UUID, silent: frozenset[str] = frozenset(), speaker: Speaker = ENGLISH
) -> list[dict[str, Any]]:
    """Write the cards of an order hook's answer; none when the orders do not matter.

    Args:
        found: what the orders would do.
        seed: unique to the call and its patient; the cards' ids follow from it.
        silent: ids of trials that are to say nothing about this patient.
        speaker: in whose language.
    """
    conflicts = _best_first(found.conflicts, silent)
    inductions = _best_first(found.inductions, silent)
    unread = [t for t in found.patient.trials if t.trial.id in found.unchecked and t.trial.id not in silent]
    cards = []
    if conflicts:
        cards.append(_Orders(found.patient, speaker).conflict(conflicts, seed))
    elif inductions:
        cards.append(_Orders(found.patient, speaker).induction(inductions, seed))
    if unread:
        cards.append(unchecked_card(unread, found.patient, seed, speaker))
    return cards


def _best_first(effects: Sequence[Effect], silent: frozenset[str]) -> list[Effect]:
    heard = [one for one in effects if one.before.trial.id not in silent]
    return sorted(heard, key=lambda one: rank(one.before))


class _Orders:
    """Writes the cards about the orders for a patient.

    Args:
        patient: as the record stands.
        speaker: in whose language.
    """

    def __init__(self, patient: PatientOutcome, speaker: Speaker) -> None:
        self._speaker, self._detail = speaker, Detail(patient, speaker)

    def conflict(self, effects: Sequence[Effect], seed: UUID) -> dict[str, Any]:
        """Warn that the orders would close a trial."""
        best, *others = effects
        trial, detail, t = best.before.trial, self._detail, self._speaker.t
        several = len(best.orders) + best.more > 1
        blocks = [
            detail.title_line(best.before),
            f"{detail.heading(wording.ALL_ORDERED if several else wording.ORDERED)}\n\n{self._listed(best)}",
            f"{detail.heading(wording.BROKEN)}\n\n{self._broken(best)}",
            f"{detail.heading(wording.ALONE)}\n\n{self._standing(best.before)}",
            detail.what_decides(best.before),
            detail.to_confirm(best.before),
            detail.what_was_unread(),
            detail.heading(wording.WHOM_TO_CALL),
            "\n".join(f"- {t('It would also close {trial}', trial=detail.in_a_line(one.before))}" for one in others),
            detail.foot(best.before),
        ]
        return {
            **frame(best.before, uuid5(seed, f"conflict {trial.id}"), self._speaker, "warning"),
            "summary": self._warning(best, several=several),
            "detail": "\n\n".join(block for block in blocks if block),
            "overrideReasons": override_reasons(best.before, self._speaker),
            **links(best.before, self._speaker),
        }

    def _warning(self, effect: Effect, *, several: bool) -> str:
        trial, t = effect.before.trial, self._speaker.t
        moment = plain(self._speaker.rules(trial.gate(effect.before.gate).label))
        names = [self._name(label) for label in effect.orders]
        rest = len(names) + effect.more - 1
        all_named = self._speaker.said(wording.listed(names)) if len(names) < 3 and not effect.more else ""
        said = [all_named, self._and_more(names[0], rest), self._and_more(self._name(effect.orders[0], 40), rest)]
        if several:
            head = t("These orders would close {trial} for a possible candidate", trial=trial.id)
        else:
            head = t("This order would close {trial} for a possible candidate", trial=trial.id)
        choices = []
        for what in filter(None, said):
            choices.append(t("{warning}: {orders} {moment}", warning=head, orders=what, moment=moment))
            choices.append(t("{label}: {about}", label=head, about=what))
        return fit(*choices, head)

    def induction(self, effects: Sequence[Effect], seed: UUID) -> dict[str, Any]:
        """Say whom to tell before a trial's own treatment begins."""
        best, *others = effects
        trial, detail, t = best.before.trial, self._detail, self._speaker.t
        orders = self._speaker.said(wording.listed(self._name(label, 40) for label in best.orders))
        blocks = [
            detail.title_line(best.before),
            f"{self._speaker.said(wording.OWN_TREATMENT)}\n\n{self._listed(best)}",
            f"{detail.heading(wording.ALONE)}\n\n{self._standing(best.before)}",
            detail.what_decides(best.before),
            detail.to_confirm(best.before) if leaning_fail(best.before) else "",
            detail.what_was_unread(),
            "\n".join(f"- {t('Also {trial}', trial=detail.in_a_line(one.before))}" for one in others),
            detail.foot(best.before),
        ]
        return {
            **frame(best.before, uuid5(seed, f"induction {trial.id}"), self._speaker),
            "summary": fit(
                t(
                    "If {trial} is wanted, tell its team before cycle 1 of {orders} (possible candidate, for review)",
                    trial=trial.id,
                    orders=orders,
                ),
                t(
                    "If {trial} is wanted, tell its team before cycle 1 (possible candidate, for review)",
                    trial=trial.id,
                ),
            ),
            "detail": "\n\n".join(block for block in blocks if block),
            **links(best.before, self._speaker),
        }

    def _name(self, label: str, limit: int = 80) -> str:
        return plain(self._speaker.said(label), limit) or self._speaker.said(wording.AN_ORDER)

    def _and_more(self, name: str, rest: int) -> str:
        return self._speaker.t("{label} and {number} more", label=name, number=rest) if rest else name

    def _listed(self, effect: Effect) -> str:
        shown = [markdown(self._name(label)) for label in effect.orders[:_SHOWN]]
        rest = len(effect.orders) - len(shown) + effect.more
        if rest:
            shown.append(self._speaker.t("and {number} more", number=rest))
        return "\n".join(f"- {line}" for line in shown)

    def _broken(self, effect: Effect) -> str:
        rules = self._speaker.rules
        texts = (
            (markdown_of_rules(rules(one.criterion.short)), markdown_of_rules(rules(one.criterion.text)))
            for one in effect.broken
        )
        return "\n".join(f"- {self._speaker.t('{label}: {about}', label=label, about=text)}" for label, text in texts)

    def _standing(self, outcome: TrialOutcome) -> str:
        """Say how sure it is that the patient is a candidate."""
        t, confirm, doubts = self._speaker.t, len(outcome.to_confirm), leaning_fail(outcome)
        against = sum(one.attested is None for one in doubts)
        said = [markdown_of_rules(self._speaker.rules(one.criterion.short)) for one in doubts if one.attested]
        parts = [
            self._speaker.said(wording.STATUS[outcome.status]),
            self._detail.decided(outcome),
            t("{number} for a person to confirm", number=confirm) if confirm else "",
            t("the record leans against {number} of these", number=against) if against else "",
            t("attested, and the record leans against it: {criteria}", criteria=wording.enumerated(said))
            if said
            else "",
            self._detail.not_encoded(outcome),
        ]
        return " · ".join(part for part in parts if part)

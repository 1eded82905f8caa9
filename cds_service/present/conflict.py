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
from cds_service.present.detail import foot, title_line, to_confirm, what_decides, what_was_unread
from cds_service.present.overrides import override_reasons
from cds_service.present.safe_text import fit, markdown, markdown_of_rules, plain
from cds_service.present.speaking import leaning_fail, rank

_SHOWN: Final = 5


def order_cards(found: OrdersOutcome, *, seed: UUID, silent: frozenset[str] = frozenset()) -> list[dict[str, Any]]:
    """Write the cards of an order hook's answer; none when the orders do not matter.

    Args:
        found: what the orders would do.
        seed: unique to the call and its patient; the cards' ids follow from it.
        silent: ids of trials that are to say nothing about this patient.
    """
    conflicts = _best_first(found.conflicts, silent)
    inductions = _best_first(found.inductions, silent)
    unread = [t for t in found.patient.trials if t.trial.id in found.unchecked and t.trial.id not in silent]
    cards = []
    if conflicts:
        cards.append(_conflict(conflicts, found.patient, seed))
    elif inductions:
        cards.append(_induction(inductions, found.patient, seed))
    if unread:
        cards.append(unchecked_card(unread, found.patient, seed))
    return cards


def _best_first(effects: Sequence[Effect], silent: frozenset[str]) -> list[Effect]:
    heard = [one for one in effects if one.before.trial.id not in silent]
    return sorted(heard, key=lambda one: rank(one.before))


def _conflict(effects: Sequence[Effect], patient: PatientOutcome, seed: UUID) -> dict[str, Any]:
    best, *others = effects
    trial = best.before.trial
    gate = trial.gate(best.before.gate).label
    names = [_name(label) for label in best.orders]
    rest = len(names) + best.more - 1
    several = rest > 0
    head = f"{'These orders' if several else 'This order'} would close {trial.id} for a possible candidate"
    more = f" and {rest} more" if several else ""
    all_named = wording.listed(names) if len(names) < 3 and not best.more else names[0] + more
    said = [all_named, names[0] + more, _name(best.orders[0], 40) + more]
    blocks = [
        title_line(best.before),
        f"**{wording.ORDERED if not several else wording.ALL_ORDERED}**\n\n{_orders(best)}",
        f"**{wording.BROKEN}**\n\n{_broken(best)}",
        f"**{wording.ALONE}**\n\n{_standing(best.before)}",
        what_decides(best.before, patient),
        to_confirm(best.before),
        what_was_unread(patient),
        f"**{wording.WHOM_TO_CALL}**",
        "\n".join(f"- It would also close {_other(one.before)}" for one in others),
        foot(best.before, patient),
    ]
    return {
        **frame(best.before, uuid5(seed, f"conflict {trial.id}"), "warning"),
        "summary": fit(*(f"{head}: {what}{moment}" for what in said for moment in (f" {gate}", "")), head),
        "detail": "\n\n".join(block for block in blocks if block),
        "overrideReasons": override_reasons(best.before),
        **links(best.before),
    }


def _induction(effects: Sequence[Effect], patient: PatientOutcome, seed: UUID) -> dict[str, Any]:
    best, *others = effects
    trial = best.before.trial
    head = f"If {trial.id} is wanted, tell its team before cycle 1"
    what = wording.listed([_name(label, 40) for label in best.orders])
    blocks = [
        title_line(best.before),
        f"{wording.OWN_TREATMENT}\n\n{_orders(best)}",
        f"**{wording.ALONE}**\n\n{_standing(best.before)}",
        what_decides(best.before, patient),
        to_confirm(best.before) if leaning_fail(best.before) else "",
        what_was_unread(patient),
        "\n".join(f"- Also {_other(one.before)}" for one in others),
        foot(best.before, patient),
    ]
    return {
        **frame(best.before, uuid5(seed, f"induction {trial.id}")),
        "summary": fit(
            f"{head} of {what} (possible candidate, for review)", f"{head} (possible candidate, for review)"
        ),
        "detail": "\n\n".join(block for block in blocks if block),
        **links(best.before),
    }


def _name(label: str, limit: int = 80) -> str:
    return plain(label, limit) or wording.AN_ORDER


def _orders(effect: Effect) -> str:
    shown = [f"- {markdown(_name(label))}" for label in effect.orders[:_SHOWN]]
    rest = len(effect.orders) - len(shown) + effect.more
    return "\n".join([*shown, *([f"- and {rest} more"] if rest else [])])


def _broken(effect: Effect) -> str:
    return "\n".join(
        f"- {markdown_of_rules(one.criterion.short)}: {markdown_of_rules(one.criterion.text)}" for one in effect.broken
    )


def _standing(outcome: TrialOutcome) -> str:
    """Say how sure it is that the patient is a candidate."""
    against = len(leaning_fail(outcome))
    parts = [
        wording.STATUS[outcome.status],
        f"{outcome.decided} of {len(outcome.criteria)} criteria decided",
        *([f"{len(outcome.to_confirm)} for a person to confirm"] if outcome.to_confirm else []),
        *([f"the record leans against {against} of these"] if against else []),
        *([wording.NOT_ENCODED] if outcome.trial.exclusions == "not-published" else []),
    ]
    return " · ".join(parts)


def _other(outcome: TrialOutcome) -> str:
    counts = f"{outcome.decided} of {len(outcome.criteria)} criteria decided"
    return f"{markdown_of_rules(outcome.trial.id)}: {wording.STATUS[outcome.status]} ({counts})"

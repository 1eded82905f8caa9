"""A result read back: the contract's JSON becomes the outcome that it was written from, so that one code words both.

What only the chart knew (facts, the gate's choice) is not in the contract and so not in the outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final

from cds_service.errors import RequestError
from cds_service.evaluation.attested import Attestation
from cds_service.evaluation.judge import COST
from cds_service.evaluation.outcome import (
    DECEASED,
    CriterionOutcome,
    Decisive,
    PatientOutcome,
    Status,
    TrialOutcome,
    Verdict,
)
from cds_service.facts.fact import Evidence, Missing, Reason
from cds_service.facts.phrase import say, words_of_rules
from cds_service.logic.truth import State
from cds_service.present.cohort.run_folder import WRONG_SHAPE, Manifest
from cds_service.trials.model import Ask, Criterion, Library, Trial

_STATES: Final = {
    (Verdict.PASS, False): State.TRUE_FOR_GOOD,
    (Verdict.PASS, True): State.TRUE,
    (Verdict.UNKNOWN, True): State.UNKNOWN,
    (Verdict.FAIL, True): State.FALSE,
    (Verdict.FAIL, False): State.FALSE_FOR_GOOD,
}


def trials_of(manifest: Manifest, library: Library) -> dict[str, Trial]:
    """Return the trials of a run from the rules that it was judged by.

    Raises:
        RequestError: the rules are others now: their words and limits would not be those of the verdicts.
    """
    for name, digest in manifest.digests.items():
        if name not in library.trials:
            raise RequestError(f"it was judged by a trial that is not among the rules now: {name}", field="RUN_DIR")
        if library.trials[name].digest != digest:
            raise RequestError(
                f"the rules of {name}, or the site's, have changed since this run; run prescreen again", field="RUN_DIR"
            )
    return {name: library.trials[name] for name in manifest.digests}


def patient_outcome(
    line: Mapping[str, Any], library: Library, language: str, trials: Mapping[str, Trial]
) -> PatientOutcome:
    """Return a patient's outcome for the trials whose trigger does not fail.

    Args:
        line: of the results.
        library: the rules that it was judged by.
        language: of the messages.
        trials: the trials that are wanted.

    Raises:
        RequestError: the line is not what these rules give.
    """
    try:
        return PatientOutcome(
            patient=line["patient"],
            as_of=date.fromisoformat(line["as_of"]),
            trials=tuple(
                _trial(one, trials[one["trial"]], library, language)
                for one in line["results"]
                if one["trial"] in trials
            ),
            set_aside={str(cause): int(number) for cause, number in line.get("set_aside", {}).items()},
            unread={str(kind): str(why) for kind, why in line.get("unread", {}).items()},
            site=line.get("site") or "",
        )
    except WRONG_SHAPE:
        raise RequestError("a line of its results.jsonl does not fit the rules", field="RUN_DIR") from None


def _trial(told: Mapping[str, Any], trial: Trial, library: Library, language: str) -> TrialOutcome:
    criteria = {one.id: one for one in trial.criteria}
    return TrialOutcome(
        trial=trial,
        gate=trial.gate(told["gate"]).id,
        status=Status(told["status"]),
        blocked=tuple(map(str, told["blocked"])),
        to_confirm=tuple(map(str, told["to_confirm"])),
        criteria=tuple(_criterion(one, criteria[one["id"]], language, told) for one in told["criteria"]),
        decisive=tuple(_decisive(one, library) for one in told["decisive"]),
        until=_day(told["valid_until"]),
        look_again=_day(told["look_again"]),
    )


def _criterion(
    told: Mapping[str, Any], criterion: Criterion, language: str, trial: Mapping[str, Any]
) -> CriterionOutcome:
    chinese = str(told["message_zh"])
    return CriterionOutcome(
        criterion=criterion,
        state=_STATES[Verdict(told["verdict"]), told["can_change"]],
        leaning=_leaning(told),
        reasons=tuple(Missing(str(one["fact"]), Reason(one["reason"])) for one in told["reasons"]),
        decisive=(),
        facts={},
        evidence=tuple(map(_evidence, told["evidence"])),
        notes=tuple(map(str, told["notes"])),
        message=chinese if language == "zh" else str(told["message"]),
        message_zh=chinese,
        attested=_attested(told, trial),
    )


def _attested(told: Mapping[str, Any], trial: Mapping[str, Any]) -> Attestation | None:
    said = told.get("attested")
    if not said:
        return None
    return Attestation(
        trial=str(trial["trial"]),
        criterion=str(told["id"]),
        gate=str(trial["gate"]),
        verdict=Verdict(told["verdict"]),
        by=str(said["by"]),
        on=date.fromisoformat(said["on"]),
        until=date.fromisoformat(said["until"]),
        reason=str(said.get("reason") or ""),
    )


def _decisive(told: Mapping[str, Any], library: Library) -> Decisive:
    fact, ask, last = str(told["fact"]), told["ask"], told["last"]
    COST.index(ask["kind"])  # else it could not be ranked
    return Decisive(
        fact=fact,
        label=fact_label(fact, library),
        reason=Reason(told["reason"]),
        leaning=_leaning(told),
        criteria=tuple(map(str, told["criteria"])),
        ask=Ask(ask["kind"], ask.get("system", ""), ask.get("code", "")),
        evidence=(_evidence(last),) if last else (),
        alternatives=tuple(map(str, told["alternatives"])),
        new_until=_day(told["new_until"]),
    )


def fact_label(fact: str, library: Library) -> str:
    """Return a fact's name for people."""
    return say("Whether the patient has died") if fact == DECEASED else words_of_rules(library.facts[fact].label["en"])


def _leaning(told: Mapping[str, Any]) -> Verdict | None:
    return Verdict(told["leaning"]) if told["leaning"] else None


def _evidence(told: Mapping[str, Any]) -> Evidence:
    value = told.get("value")
    return Evidence(
        str(told["resource"]),
        Decimal(value) if isinstance(value, int) else value,
        told.get("unit"),
        told.get("date"),
        told.get("note") or "",
    )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None

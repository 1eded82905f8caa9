"""Small outcomes, rules and charts for the tests of the doors: no rule file and no real judge behind them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from cds_service.bootstrap import Services, build
from cds_service.errors import RequestError
from cds_service.evaluation.outcome import CriterionOutcome, Decisive, PatientOutcome, Status, TrialOutcome, Verdict
from cds_service.facts.fact import Evidence, Missing, Reason
from cds_service.facts.record import Record
from cds_service.gather.plan import make_plan
from cds_service.logic.truth import State
from cds_service.screening.patient import Rules
from cds_service.settings import load_settings
from cds_service.trials.model import Ask, Criterion, Gate, Kind, Library, Trial

AS_OF = date(2026, 3, 1)
TRIAL = "NCT00000001"
CODES = {"Observation": [("http://loinc.org", "718-7"), ("http://loinc.org", "1975-2")]}


def trial(trial_id: str = TRIAL, **changes: Any) -> Trial:
    fields: dict[str, Any] = {
        "id": trial_id,
        "title": {"en": "A trial of things"},
        "phase": "3",
        "sponsor": "Somebody",
        "url": f"https://clinicaltrials.gov/study/{trial_id}",
        "as_of": "2025-11-19",
        "exclusions": "not-published",
        "review": "signed-off",
        "lines": {},
        "not_encoded": {},
        "gates": (Gate("screening", "before induction", True),),
        "gate_choice": None,
        "gate_needs": {},
        "criteria": (),
        "conventions": {},
        "digest": "sha256:a41f9c0123",
        "revision": 3,
    }
    return Trial(**{**fields, **changes})


def criterion(
    criterion_id: str,
    state: State = State.TRUE,
    *,
    short: str = "",
    trigger: bool = False,
    sign: bool = False,
    reasons: Sequence[Reason] = (),
    leaning: Verdict | None = None,
    evidence: Sequence[Evidence] = (),
    message: str = "A sentence.",
) -> CriterionOutcome:
    encoded = Criterion(
        criterion_id,
        Kind.INCLUSION,
        ("screening",),
        "Text.",
        short or criterion_id,
        (),
        {},
        None,
        trigger,  # type: ignore[arg-type]
        sign,
    )
    missing = tuple(Missing(criterion_id, reason) for reason in reasons)
    return CriterionOutcome(encoded, state, leaning, missing, (), {}, tuple(evidence), (), message)


def npc(state: State = State.TRUE_FOR_GOOD, *reasons: Reason) -> CriterionOutcome:
    return criterion("npc-primary", state, short="Nasopharyngeal carcinoma", trigger=True, reasons=reasons)


def spread(state: State = State.TRUE_FOR_GOOD, *reasons: Reason) -> CriterionOutcome:
    return criterion("metastasis", state, short="Distant metastases", sign=True, reasons=reasons)


HEMOGLOBIN = criterion(
    "hemoglobin",
    short="Hemoglobin ≥ 90 g/L",
    evidence=[Evidence("Observation/hb", Decimal("12.10"), "g/dL", "2026-02-26", "= 121 g/L")],
)
CONFIRM = criterion(
    "no-prior-treatment",
    State.UNKNOWN,
    short="No prior anti-tumour treatment",
    reasons=[Reason.CLINICIAN],
    leaning=Verdict.PASS,
    message="None found in this record.",
)
STALE_LAB = Evidence("Observation/bili", Decimal("12"), "umol/L", "2026-02-10")
BILIRUBIN = criterion(
    "bilirubin", State.UNKNOWN, short="Total bilirubin ≤ 1.5 x ULN", reasons=[Reason.STALE], evidence=[STALE_LAB]
)


def decisive(
    fact: str = "bilirubin_total",
    label: str = "total bilirubin",
    reason: Reason = Reason.STALE,
    *,
    kind: str = "lab",
    code: str = "1975-2",
    evidence: Sequence[Evidence] = (STALE_LAB,),
) -> Decisive:
    ask = Ask(kind, "http://loinc.org" if code else "", code, label.capitalize())
    return Decisive(fact, label, reason, Verdict.PASS, ("bilirubin",), ask, tuple(evidence))


def trial_outcome(
    status: Status = Status.CANDIDATE,
    criteria: Sequence[CriterionOutcome] = (),
    *,
    of: Trial | None = None,
    missing: Sequence[Decisive] = (),
    until: date | None = None,
) -> TrialOutcome:
    chosen = tuple(criteria) or (npc(), spread(), HEMOGLOBIN, CONFIRM)
    to_confirm = tuple(one.criterion.id for one in chosen if one.for_a_person)
    return TrialOutcome(of or trial(), "screening", status, (), to_confirm, chosen, tuple(missing), until)


def needs_data(**rest: Any) -> TrialOutcome:
    return trial_outcome(
        Status.NEEDS_DATA, (npc(), spread(), HEMOGLOBIN, BILIRUBIN, CONFIRM), missing=[decisive()], **rest
    )


def outcome(*trials: TrialOutcome, unread: dict[str, str] | None = None) -> PatientOutcome:
    return PatientOutcome("Patient/p1", AS_OF, trials, {}, unread or {})


def services(
    judge: Callable[..., PatientOutcome] | PatientOutcome | None = None, **chosen: Any
) -> tuple[Services, list[Record]]:
    """Return services whose judge answers what it is told, and the records it was given."""
    seen: list[Record] = []

    def answering(
        record: Record, library: Library, *, as_of: date, anchor: date | None = None, trials: Any = None
    ) -> Any:
        seen.append(record)
        if anchor is not None and anchor < as_of:
            raise RequestError("anchor must not be before as_of.", field="anchor")
        for name in trials or ():
            if name not in library.trials:
                raise RequestError("trial: there is no such trial.", field="trial", status=404)
        return judge(record) if callable(judge) else judge or outcome(trial_outcome())

    library = Library({TRIAL: trial()}, {}, {})  # type: ignore[arg-type]
    rules = Rules(library, make_plan(CODES), answering)
    settings = load_settings(**{"mode": "open", **chosen})
    return build(settings, clock=lambda: AS_OF, rules=rules), seen


PATIENT = {"resourceType": "Patient", "id": "p1", "birthDate": "1970-01-01"}


def condition(resource_id: str = "c1", subject: str = "Patient/p1", **rest: Any) -> dict[str, Any]:
    return {"resourceType": "Condition", "id": resource_id, "subject": {"reference": subject}, **rest}


def bundle(*resources: Any, **rest: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources], **rest}


def searchset(*resources: Any, **rest: Any) -> dict[str, Any]:
    entries = [{"resource": one, "search": {"mode": "match"}} for one in resources]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries, **rest}


FAILED = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
KEYS = (
    "conditions",
    "observations",
    "medicationStatements",
    "medicationRequests",
    "medicationAdministrations",
    "procedures",
)


def full_prefetch(**changes: Any) -> dict[str, Any]:
    return {"patient": PATIENT, **{key: searchset() for key in KEYS}, "conditions": searchset(condition()), **changes}


def hook(**changes: Any) -> dict[str, Any]:
    body = {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/example", "patientId": "p1"},
        "prefetch": full_prefetch(),
    }
    return {key: value for key, value in {**body, **changes}.items() if value is not ...}

"""CDS Hooks 2.0: discovery, and the one service that answers ``patient-view``."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response

from cds_service.bootstrap import Services
from cds_service.errors import RequestError
from cds_service.gather.client import FhirClient
from cds_service.present.cards import make_cards
from cds_service.screening.patient import screen_hook
from cds_service.trust.caller import Caller
from cds_service.web.answers import answer, read_body
from cds_service.web.auth import caller_of
from cds_service.web.messages import HookCall, read_call

SERVICE_ID: Final = "npc-trials-patient-view"
HOOK: Final = "patient-view"


def routes(services: Services) -> Blueprint:
    """Return the CDS Hooks addresses."""
    blueprint = Blueprint("hooks", __name__)

    @blueprint.get("/cds-services")
    def discovery() -> Response:
        caller_of(services)
        return answer({"services": [_description(services)]})

    @blueprint.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        if service_id != SERVICE_ID:
            raise RequestError("There is no such service; GET /cds-services lists them.", field="id", status=404)
        caller = caller_of(services)
        hook = read_call(read_body(services.settings.max_hook_bytes), HOOK)
        outcome = screen_hook(
            services.rules, hook.prefetch, hook.patient_id, _client(services, hook, caller), as_of=services.clock()
        )
        return answer({"cards": make_cards(outcome, seed=hook.instance)})

    return blueprint


def _client(services: Services, hook: HookCall, caller: Caller) -> FhirClient | None:
    """Open the call's FHIR server; None when it names none that may be asked: then prefetch alone answers."""
    if hook.fhir_server is None or not caller.may_name(hook.fhir_server):
        return None
    return services.connect(hook.fhir_server, hook.token)


def _description(services: Services) -> dict[str, Any]:
    trials = ", ".join(name for name, trial in services.rules.library.trials.items() if trial.speaks)
    return {
        "id": SERVICE_ID,
        "hook": HOOK,
        "title": "Clinical trials for nasopharyngeal carcinoma",
        "description": (
            "When a chart is opened: says if the patient may be a candidate for a trial, or which missing "
            f"result would decide; silent otherwise. Trials: {trials or 'none'}. For review by people."
        ),
        "usageRequirements": (
            "Needs prefetch, or a FHIR R4 server with read access to Patient, Condition, Observation, "
            "MedicationStatement, MedicationRequest, MedicationAdministration, Medication and Procedure."
        ),
        "version": "2.0.1",
        "prefetch": services.rules.plan.templates,
    }

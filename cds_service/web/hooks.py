"""CDS Hooks 2.0: discovery, and the services, one address for each hook, on one core."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid5

from flask import Blueprint, Response, request

from cds_service.bootstrap import Services
from cds_service.errors import RequestError
from cds_service.evaluation.effect import Effect
from cds_service.facts.phrase import Phrase, say
from cds_service.gather.chart import read_chart
from cds_service.gather.client import FhirClient
from cds_service.gather.draft_orders import read_drafts
from cds_service.present.card_rules import adapted, checked
from cds_service.present.cards import make_cards
from cds_service.present.conflict import order_cards
from cds_service.present.entry_link import with_entry_links
from cds_service.present.speaker import Speaker, speaker
from cds_service.present.wording import enumerated
from cds_service.screening.conflict import screen_orders
from cds_service.screening.memory import Memory, kind_of, tenant_key
from cds_service.screening.patient import Rules
from cds_service.screening.worklist.at_hook import keep, recall
from cds_service.screening.worklist.recalled import Recalled
from cds_service.settings import Hook, Service
from cds_service.trust.caller import Caller
from cds_service.web.answers import answer, read_body
from cds_service.web.auth import caller_of
from cds_service.web.language import language_of_call, say_language
from cds_service.web.messages import HookCall, read_call

log = logging.getLogger("cds_service.web")

_CANDIDACY: Final = say(
    "says if the patient may be a candidate for a trial, or which missing result would decide; silent otherwise"
)
_CONFLICT: Final = say(
    "warns when an order (radiotherapy, surgery, another anti-tumour drug) would close a trial for a patient who may "
    "be a candidate, and says which criterion it would break; silent otherwise, and nothing is blocked"
)
_DESCRIPTIONS: Final[Mapping[Hook, Phrase]] = {
    "patient-view": say("When a chart is opened: {what}.", what=_CANDIDACY),
    "encounter-start": say("When a visit or stay begins: {what}.", what=_CANDIDACY),
    "appointment-book": say("When an appointment is made: {what}.", what=_CANDIDACY),
    "order-select": say("When an order is chosen, before it is signed: {what}.", what=_CONFLICT),
    "order-sign": say("When orders are about to be signed: {what}.", what=_CONFLICT),
}
# The titles that `cds_service.settings` gives; one that a site wrote is said as it stands.
_TITLES: Final[Mapping[str, Phrase]] = {
    str(title): title
    for title in (
        say("Clinical trials for nasopharyngeal carcinoma"),
        say("Orders that would close a clinical trial for nasopharyngeal carcinoma"),
    )
}
_NOT_THIS_CLIENTS: Final = say("not sent, and fhirServer is not one of this client's FHIR servers")
_NOT_THIS_MACHINES: Final = say("not sent, and open mode asks only a fhirServer on this machine")
_USAGE: Final = say(
    "Needs prefetch, or a FHIR R4 server with read access to Patient, Condition, Observation, "
    "MedicationStatement, MedicationRequest, MedicationAdministration, Medication and Procedure."
)


def routes(services: Services) -> Blueprint:
    """Return the CDS Hooks addresses."""
    blueprint = Blueprint("hooks", __name__)
    offered = {service.id: service for service in services.settings.services}

    @blueprint.get("/cds-services")
    def discovery() -> Response:
        caller_of(services)
        rules, said = services.rules, speaker(language_of_call(services.settings))
        told = answer({"services": [_description(rules, service, said) for service in offered.values()]})
        return say_language(told, said.language)

    @blueprint.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        caller = caller_of(services)
        if service_id not in offered:
            raise RequestError("There is no such service; GET /cds-services lists them.", field="id", status=404)
        hook = read_call(read_body(services.settings.max_hook_bytes), offered[service_id].hook)
        said = speaker(language_of_call(services.settings), services.rules.library)
        cards = _cards(services, offered[service_id], hook, caller, said)
        return say_language(
            answer({"cards": checked(adapted(cards, caller.profile), caller.profile, said)}), said.language
        )

    return blueprint


def _cards(services: Services, service: Service, hook: HookCall, caller: Caller, said: Speaker) -> list[dict[str, Any]]:
    """Screen the patient and write what is to be said."""
    (client, refused), as_of, now = _client(services, hook, caller), services.clock(), services.now()
    tenant = tenant_key(caller.issuer, caller.tenant)
    server = hook.fhir_server.base if hook.fhir_server else ""
    # Its pages exist in open mode only; elsewhere nobody could see or decide what would be kept.
    worklist = services.store.worklist if services.settings.mode == "open" else None
    ordered = hook.ordered
    drafts = read_drafts(ordered.bundle, hook.patient_id, ordered.selections) if ordered is not None else None
    record = read_chart(hook.prefetch, services.rules.plan, hook.patient_id, client, refused=refused)
    found_again = recall(worklist, server, record, as_of) if worklist else Recalled()
    recalled, down = found_again or Recalled(), found_again is None
    rules = recalled.judging(services.rules)
    memory = Memory(services.store, tenant, service.id, kind_of(service.hook), now, server, recalled.silent, down)
    # Not the instance alone: from a client that uses one twice, feedback would mute another patient's trial.
    seed = uuid5(hook.instance, f"{service.id} {server} {hook.patient_id}")
    effects: tuple[Effect, ...] = ()
    if drafts is None:
        outcome = rules.judge(record, rules.library, as_of=as_of)
        cards = make_cards(outcome, seed=seed, silent=memory.silent(outcome), speaker=said)
    else:
        found = screen_orders(rules, record, client, drafts, as_of=as_of)
        outcome = found.patient
        effects = (*found.conflicts, *found.inductions)
        cards = order_cards(found, seed=seed, silent=memory.silent(outcome, effects), speaker=said)
    if outcome.unread:
        unread = ", ".join(f"{name} ({why})" for name, why in outcome.unread.items())
        log.warning("not read completely: %s", unread)
    cards = memory.keep(cards, outcome, effects)
    if worklist is None or memory.down:
        return cards
    entries = keep(worklist, record, outcome, recalled, source=server, now=now)
    # In open mode a call is taken for this machine only (web/cors.py): Host cannot lead elsewhere.
    base = (services.settings.public_base_url or request.root_url).rstrip("/")
    pages = {trial: f"{base}/worklist/entries/{entry}" for trial, entry in entries.items()}
    return with_entry_links(cards, outcome, pages, said)


def _client(services: Services, hook: HookCall, caller: Caller) -> tuple[FhirClient | None, str]:
    """Open the call's FHIR server; None, and why, when it names none that may be asked: prefetch alone answers."""
    if hook.fhir_server is None:
        return None, ""
    if not caller.may_name(hook.fhir_server):
        return None, _NOT_THIS_CLIENTS if caller.issuer else _NOT_THIS_MACHINES
    return services.connect(hook.fhir_server, hook.token), ""


def _description(rules: Rules, service: Service, said: Speaker) -> dict[str, Any]:
    """Describe a service: what people read goes by language, what programs read does not."""
    trials = enumerated(name for name, trial in rules.library.trials.items() if trial.speaks)
    return {
        "id": service.id,
        "hook": service.hook,
        "title": said.said(_TITLES.get(service.title, service.title)),
        "description": said.t(
            "{when} Trials: {trials}. For review by people.",
            when=_DESCRIPTIONS[service.hook],
            trials=trials or say("none"),
        ),
        "usageRequirements": said.said(_USAGE),
        "version": "2.0.1",
        "prefetch": rules.plan.templates,
    }

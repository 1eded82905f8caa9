"""The page that an EHR analyst needs to connect the service: from the settings and the rules, so that it is never old.

What Epic and Oracle Health take of a card is read off public copies of their CDS Hooks pages (docs/conformance.md);
the analyst's own documentation wins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal
from urllib.parse import urlsplit

from cds_service.screening.patient import Rules
from cds_service.settings import Client, Service, Settings

Product = Literal["generic", "epic", "oracle"]

_NAMES: Final[Mapping[Product, str]] = {"generic": "any EHR", "epic": "Epic", "oracle": "Oracle Health"}
_CONTEXTS: Final[Mapping[str, str]] = {
    "patient-view": "userId, patientId",
    "encounter-start": "userId, patientId, encounterId",
    "appointment-book": "userId, patientId, appointments",
    "order-select": "userId, patientId, selections, draftOrders",
    "order-sign": "userId, patientId, draftOrders",
}
_CARDS: Final[Mapping[Product, Sequence[str]]] = {
    "generic": (
        "At most one card about a candidacy, led by the best trial; `info`. On order hooks one `warning` when an order "
        "would close a trial. A card that says what could not be checked. Nothing else, and never a hard stop.",
        "Suggestions: one draft ServiceRequest each, `selectionBehavior: any`, the first one recommended.",
        "`overrideReasons` on candidate and conflict cards. A reason mutes that trial for that patient.",
        "`source.topic` is the trial, the same in every call. `systemActions` are never sent.",
    ),
    "epic": (
        "`selectionBehavior` is always `any`; each suggestion has one action, the creation of a draft ServiceRequest.",
        "`action.description` says what is ordered: Epic shows it, and not `suggestion.label`.",
        "`source.topic.code` is the trial's number, letters and digits only, the same in every call: an override is "
        "remembered by it.",
        "No `systemActions`, no SMART link, no card that launches by itself.",
    ),
    "oracle": (
        "Summary, detail, indicator, source and links only: **no suggestions** and no override reasons are sent.",
        "The detail names the tests to order; people order them.",
    ),
}
_LIMITS: Final[Mapping[Product, Sequence[str]]] = {
    "generic": (
        "Order hooks need `draftOrders`, and order-select `selections`, in the context: a call without gets 400.",
        "Templates that the client cannot fill may be left out: what is missing is fetched, if `fhirServer` is given.",
    ),
    "epic": (
        "Prefetch is typed into Epic's record, not read from discovery: copy keys and queries exactly. Data under "
        "another key is not seen.",
        "Draft orders carry LOINC codes. Epic places orders by preference-list codes: until those are mapped the "
        "suggestions say what to order and may not become orders.",
        "Epic's tokens may live 15 minutes: set `CDS_MAX_TOKEN_SECONDS=900`.",
        "The endpoint in Epic's record has to be the address above, character by character, or Epic sends no data.",
        "Hooks that Epic offers: patient-view, order-select, order-sign.",
    ),
    "oracle": (
        "Oracle Health documents patient-view only; the other services need not be registered.",
        "Links that are not registered with it are removed from the cards.",
    ),
}


def write_sheet(settings: Settings, rules: Rules, product: Product) -> str:
    """Write the page, in Markdown.

    Args:
        settings: of the service as it will run.
        rules: its trials and its reading plan.
        product: the EHR's.
    """
    base = settings.public_base_url or f"http://{settings.host}:{settings.port}"
    parts = [
        f"# Connecting cds-service to {_NAMES[product]}",
        _introduction(settings),
        "## Endpoints",
        _endpoints(settings, base, product),
        "## Prefetch",
        _prefetch(rules.plan.templates),
        "## FHIR access",
        _access(rules.plan.templates, settings, product),
        "## Who calls: tokens and keys",
        _trust(settings, base, product),
        "## Cards",
        _list(_CARDS[product]),
        "## Links to allow-list",
        _links(rules),
        "## What is stored",
        _list(_stored()),
        "## Time and size",
        _list(_bounds(settings)),
        "## Known limits",
        _list(_LIMITS[product]),
    ]
    return "\n\n".join(parts) + "\n"


def _introduction(settings: Settings) -> str:
    mode = (
        "verified: every call needs a token" if settings.mode == "verified" else "open: for a test on one machine only"
    )
    return (
        "CDS Hooks 2.0. Says which patients may be candidates for a clinical trial, for review by people, and which "
        "missing piece of data decides. It blocks nothing, writes nothing into the chart, and stays silent otherwise."
        f"\n\nMode: {mode}."
    )


def _endpoints(settings: Settings, base: str, product: Product) -> str:
    rows = [
        "| what | method and address |",
        "| --- | --- |",
        f"| discovery | GET `{base}/cds-services` |",
        *(f"| {_offered(one, product)} | POST `{base}/cds-services/{one.id}` |" for one in settings.services),
        *(f"| feedback on {one.hook} | POST `{base}/cds-services/{one.id}/feedback` |" for one in settings.services),
        f"| description (OpenAPI 3.1) | GET `{base}/openapi.json` |",
        f"| sign of life | GET `{base}/livez` |",
    ]
    contexts = [f"| {one.hook} | {_CONTEXTS[one.hook]} |" for one in settings.services]
    return "\n".join([*rows, "", "| hook | context fields that must be there |", "| --- | --- |", *contexts])


def _offered(service: Service, product: Product) -> str:
    taken = {"generic": True, "epic": service.hook in ("patient-view", "order-select", "order-sign")}
    known = taken.get(product, service.hook == "patient-view")
    return service.hook if known else f"{service.hook} (not a hook of {_NAMES[product]} as far as we know)"


def _prefetch(templates: Mapping[str, str]) -> str:
    blocks = [f"`{key}`\n\n```\n{template}\n```" for key, template in templates.items()]
    return "\n\n".join(
        [
            "The same keys and queries for every service. Copy them exactly; a query has each search parameter once.",
            *blocks,
            "A key left out means: not looked for; the service then asks the FHIR server of the call, if it may. "
            "`null` means: nothing found. An OperationOutcome means: the look-up failed, and the card will say so.",
        ]
    )


def _access(templates: Mapping[str, str], settings: Settings, product: Product) -> str:
    kinds = sorted({template.partition("?")[0].partition("/")[0] for template in templates.values()} | {"Medication"})
    servers = [server for one in _clients(settings, product) for server in one.fhir_servers]
    named = (
        "\n".join(f"- `{server}`" for server in servers) or "- none is set: then only what comes as prefetch is used"
    )
    if settings.mode != "verified":
        named = "- servers on this machine only, in open mode"
    return "\n\n".join(
        [
            "Needed only where prefetch is not complete. The service uses the token of the call (`fhirAuthorization`), "
            "for that call alone, to read:",
            f"SMART v2\n\n```\n{' '.join(f'patient/{kind}.rs' for kind in kinds)}\n```",
            f"SMART v1\n\n```\n{' '.join(f'patient/{kind}.read' for kind in kinds)}\n```",
            f"FHIR R4 servers that a call may name in `fhirServer`:\n\n{named}",
        ]
    )


def _trust(settings: Settings, base: str, product: Product) -> str:
    if settings.mode != "verified":
        return (
            "Open mode asks for no token. A hospital runs in verified mode (docs/settings.md): this page then lists "
            "issuers and key sets."
        )
    rows = [
        "Each call carries `Authorization: Bearer <JWT>`, signed with ES384 or RS384; a token is good for one call. "
        "Header: `alg`, `kid`, `typ: JWT`; `jku` exactly as below, or none. Claims: `iss`, `exp`, `iat`, `jti`, and "
        "`aud`, the address called, character by character:",
        "\n".join(
            [
                "| call | `aud` |",
                "| --- | --- |",
                f"| discovery | `{base}/cds-services` |",
                *(f"| {one.hook} | `{base}/cds-services/{one.id}` |" for one in settings.services),
                *(f"| feedback on {one.hook} | `{base}/cds-services/{one.id}/feedback` |" for one in settings.services),
            ]
        ),
        f"From `iat` to `exp` at most {settings.max_token_seconds} seconds.",
        "The EHR's keys, which the service fetches (allow it out to these addresses):",
        _list(list(_issuers(_clients(settings, product))) or ["no EHR of this product is set (`clients`)"]),
    ]
    if settings.keys is not None:
        rows.append(f"The service's own keys, which the EHR fetches: `{base}/.well-known/jwks.json`")
    else:
        rows.append("The service signs nothing yet: it has no keys of its own (setting `keys`).")
    return "\n\n".join(rows)


def _issuers(clients: Sequence[Client]) -> Iterator[str]:
    for one in clients:
        tenant = f", `tenant` `{one.tenant}`" if one.tenant else ", no `tenant`"
        where = f"`jku` `{one.jwks_url}`" if one.jwks_url else "keys in a file, no `jku`"
        yield f"`iss` `{one.issuer}`{tenant}: {where}"


def _clients(settings: Settings, product: Product) -> list[Client]:
    """Return the EHRs of a product; all of them for the generic page."""
    return [one for one in settings.clients if product == "generic" or one.profile == product]


def _links(rules: Rules) -> str:
    speaking = (one for one in rules.library.trials.values() if one.speaks)
    trials = [one for one in speaking if urlsplit(one.url).scheme in ("http", "https")]
    return _list([f"`{one.url}` (registry record of {one.id}, type `absolute`)" for one in trials] or ["none"])


def _stored() -> Sequence[str]:
    return (
        "Of a call: nothing of the chart, and no token. Of a token: a hash, until it expires, so that it is used once.",
        "Of a card that may get feedback: its id, service, trial and time, the ids of its suggestions, and hashes of "
        "the patient's reference and of what each criterion rested on.",
        "Of feedback: outcome, times, reason code, and the comment (1,000 characters at most).",
        "The log has the route, the status and a request's id: no name, no id of a patient, no value, no token.",
    )


def _bounds(settings: Settings) -> Sequence[str]:
    seconds = f"{settings.gather_seconds:g}"
    return (
        "With full prefetch an answer takes a fraction of a second.",
        f"Reading the FHIR server ends after {seconds} s at the latest; the card then says what could not be read. Let "
        f"the EHR wait at least {settings.gather_seconds + 1:g} s.",
        f"Largest call: {settings.max_hook_bytes:,} bytes, prefetch included; largest feedback: 65,536 bytes.",
        "412: the patient could not be read at all. 400: the call is wrong, the OperationOutcome names the field. "
        "Neither is good news, and neither should be shown as such.",
    )


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)

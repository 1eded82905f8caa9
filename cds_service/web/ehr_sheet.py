"""The page that an EHR analyst needs to connect the service: from the settings and the rules, so that it is never old.

What Epic and Oracle Health take of a card is read off public copies of their CDS Hooks pages (docs/conformance.md);
the analyst's own documentation wins. Addresses, keys, queries, scopes and settings are the same in every language.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal
from urllib.parse import urlsplit

from cds_service.facts.phrase import Phrase, say
from cds_service.present.speaker import ENGLISH, Speaker
from cds_service.screening.patient import Rules
from cds_service.settings import Client, Service, Settings

Product = Literal["generic", "epic", "oracle"]

_NAMES: Final[Mapping[Product, str]] = {"generic": say("any EHR"), "epic": "Epic", "oracle": "Oracle Health"}
_CONTEXTS: Final[Mapping[str, str]] = {
    "patient-view": "userId, patientId",
    "encounter-start": "userId, patientId, encounterId",
    "appointment-book": "userId, patientId, appointments",
    "order-select": "userId, patientId, selections, draftOrders",
    "order-sign": "userId, patientId, draftOrders",
}
_CARDS: Final[Mapping[Product, Sequence[Phrase]]] = {
    "generic": (
        say(
            "At most one card about a candidacy, led by the best trial; `info`. On order hooks one `warning` when an "
            "order would close a trial. A card that says what could not be checked. Nothing else, and never a hard "
            "stop."
        ),
        say("Suggestions: one draft ServiceRequest each, `selectionBehavior: any`, the first one recommended."),
        say("`overrideReasons` on candidate and conflict cards. A reason mutes that trial for that patient."),
        say("`source.topic` is the trial, the same in every call. `systemActions` are never sent."),
    ),
    "epic": (
        say(
            "`selectionBehavior` is always `any`; each suggestion has one action, the creation of a draft "
            "ServiceRequest."
        ),
        say("`action.description` says what is ordered: Epic shows it, and not `suggestion.label`."),
        say(
            "`source.topic.code` is the trial's number, letters and digits only, the same in every call: an override "
            "is remembered by it."
        ),
        say("No `systemActions`, no SMART link, no card that launches by itself."),
    ),
    "oracle": (
        say("Summary, detail, indicator, source and links only: **no suggestions** and no override reasons are sent."),
        say("The detail names the tests to order; people order them."),
    ),
}
_LIMITS: Final[Mapping[Product, Sequence[Phrase]]] = {
    "generic": (
        say("Order hooks need `draftOrders`, and order-select `selections`, in the context: a call without gets 400."),
        say(
            "Templates that the client cannot fill may be left out: what is missing is fetched, if `fhirServer` is "
            "given."
        ),
    ),
    "epic": (
        say(
            "Prefetch is typed into Epic's record, not read from discovery: copy keys and queries exactly. Data under "
            "another key is not seen."
        ),
        say(
            "Draft orders carry LOINC codes. Epic places orders by preference-list codes: until those are mapped the "
            "suggestions say what to order and may not become orders."
        ),
        say("Epic's tokens may live 15 minutes: set `CDS_MAX_TOKEN_SECONDS=900`."),
        say(
            "The endpoint in Epic's record has to be the address above, character by character, or Epic sends no data."
        ),
        say("Hooks that Epic offers: patient-view, order-select, order-sign."),
    ),
    "oracle": (
        say("Oracle Health documents patient-view only; the other services need not be registered."),
        say("Links that are not registered with it are removed from the cards."),
    ),
}

_STORED: Final = (
    say(
        "Of a call: nothing of the chart, and no token. Of a token: a hash, until it expires, so that it is used once."
    ),
    say(
        "Of a card that may get feedback: its id, service, trial and time, the ids of its suggestions, and hashes of "
        "the patient's reference and of what each criterion rested on."
    ),
    say("Of feedback: outcome, times, reason code, and the comment (1,000 characters at most)."),
    say("The log has the route, the status and a request's id: no name, no id of a patient, no value, no token."),
)


def write_sheet(settings: Settings, rules: Rules, product: Product, spoken: Speaker = ENGLISH) -> str:
    """Write the page, in Markdown.

    Args:
        settings: of the service as it will run.
        rules: its trials and its reading plan.
        product: the EHR's.
        spoken: in whose language.
    """
    t = spoken.t
    base = settings.public_base_url or f"http://{settings.host}:{settings.port}"
    parts = [
        "# " + t("Connecting cds-service to {product}", product=_NAMES[product]),
        *_introduction(settings, spoken),
        "## " + t("Endpoints"),
        _endpoints(settings, base, product, spoken),
        "## Prefetch",
        *_prefetch(rules.plan.templates, spoken),
        "## " + t("FHIR access"),
        *_access(rules.plan.templates, settings, product, spoken),
        "## " + t("Who calls: tokens and keys"),
        *_trust(settings, base, product, spoken),
        "## " + t("Cards"),
        _list(map(spoken.said, _CARDS[product])),
        "## " + t("Links to allow-list"),
        _links(rules, spoken),
        "## " + t("What is stored"),
        _list(map(spoken.said, _STORED)),
        "## " + t("Time and size"),
        _list(_bounds(settings, spoken)),
        "## " + t("Known limits"),
        _list(map(spoken.said, _LIMITS[product])),
    ]
    return "\n\n".join(parts) + "\n"


def _introduction(settings: Settings, spoken: Speaker) -> Iterator[str]:
    yield spoken.t(
        "CDS Hooks 2.0. Says which patients may be candidates for a clinical trial, for review by people, and which "
        "missing piece of data decides. It blocks nothing, writes nothing into the chart, and stays silent otherwise."
    )
    if settings.mode == "verified":
        yield spoken.t("Mode: verified: every call needs a token.")
    else:
        yield spoken.t("Mode: open: for a test on one machine only.")


def _endpoints(settings: Settings, base: str, product: Product, spoken: Speaker) -> str:
    t = spoken.t
    rows = [
        f"| {t('what')} | {t('method and address')} |",
        "| --- | --- |",
        f"| {t('discovery')} | GET `{base}/cds-services` |",
        *(f"| {_offered(one, product, spoken)} | POST `{base}/cds-services/{one.id}` |" for one in settings.services),
        *(
            f"| {t('feedback on {hook}', hook=one.hook)} | POST `{base}/cds-services/{one.id}/feedback` |"
            for one in settings.services
        ),
        f"| {t('description (OpenAPI 3.1)')} | GET `{base}/openapi.json` |",
        f"| {t('sign of life')} | GET `{base}/livez` |",
    ]
    contexts = [f"| {one.hook} | {_CONTEXTS[one.hook]} |" for one in settings.services]
    head = f"| hook | {t('context fields that must be there')} |"
    return "\n".join([*rows, "", head, "| --- | --- |", *contexts])


def _offered(service: Service, product: Product, spoken: Speaker) -> str:
    taken = {"generic": True, "epic": service.hook in ("patient-view", "order-select", "order-sign")}
    if taken.get(product, service.hook == "patient-view"):
        return service.hook
    return spoken.t("{hook} (not a hook of {product} as far as we know)", hook=service.hook, product=_NAMES[product])


def _prefetch(templates: Mapping[str, str], spoken: Speaker) -> Iterator[str]:
    yield spoken.t(
        "The same keys and queries for every service. Copy them exactly; a query has each search parameter once."
    )
    yield from (f"`{key}`\n\n```\n{template}\n```" for key, template in templates.items())
    yield spoken.t(
        "A key left out means: not looked for; the service then asks the FHIR server of the call, if it may. "
        "`null` means: nothing found. An OperationOutcome means: the look-up failed, and the card will say so."
    )


def _access(templates: Mapping[str, str], settings: Settings, product: Product, spoken: Speaker) -> Iterator[str]:
    kinds = sorted({template.partition("?")[0].partition("/")[0] for template in templates.values()} | {"Medication"})
    yield spoken.t(
        "Needed only where prefetch is not complete. The service uses the token of the call (`fhirAuthorization`), "
        "for that call alone, to read:"
    )
    yield f"SMART v2\n\n```\n{' '.join(f'patient/{kind}.rs' for kind in kinds)}\n```"
    yield f"SMART v1\n\n```\n{' '.join(f'patient/{kind}.read' for kind in kinds)}\n```"
    yield spoken.t("FHIR R4 servers that a call may name in `fhirServer`:")
    if settings.mode != "verified":
        yield _list([spoken.t("servers on this machine only, in open mode")])
    else:
        servers = [f"`{server}`" for one in _clients(settings, product) for server in one.fhir_servers]
        yield _list(servers or [spoken.t("none is set: then only what comes as prefetch is used")])


def _trust(settings: Settings, base: str, product: Product, spoken: Speaker) -> Iterator[str]:
    t = spoken.t
    if settings.mode != "verified":
        yield t(
            "Open mode asks for no token. A hospital runs in verified mode (docs/settings.md): this page then lists "
            "issuers and key sets."
        )
        return
    yield t(
        "Each call carries `Authorization: Bearer <JWT>`, signed with ES384 or RS384; a token is good for one call. "
        "Header: `alg`, `kid`, `typ: JWT`; `jku` exactly as below, or none. Claims: `iss`, `exp`, `iat`, `jti`, and "
        "`aud`, the address called, character by character:"
    )
    yield "\n".join(
        [
            f"| {t('call')} | `aud` |",
            "| --- | --- |",
            f"| {t('discovery')} | `{base}/cds-services` |",
            *(f"| {one.hook} | `{base}/cds-services/{one.id}` |" for one in settings.services),
            *(
                f"| {t('feedback on {hook}', hook=one.hook)} | `{base}/cds-services/{one.id}/feedback` |"
                for one in settings.services
            ),
        ]
    )
    yield t("From `iat` to `exp` at most {number} seconds.", number=settings.max_token_seconds)
    yield t("The EHR's keys, which the service fetches (allow it out to these addresses):")
    issuers = [_issuer(one, spoken) for one in _clients(settings, product)]
    yield _list(issuers or [t("no EHR of this product is set (`clients`)")])
    if settings.keys is not None:
        yield t("The service's own keys, which the EHR fetches: {address}", address=f"`{base}/.well-known/jwks.json`")
    else:
        yield t("The service signs nothing yet: it has no keys of its own (setting `keys`).")


def _issuer(client: Client, spoken: Speaker) -> str:
    parts = (
        f"`iss` `{client.issuer}`",
        f"`tenant` `{client.tenant}`" if client.tenant else spoken.t("no `tenant`"),
    )
    where = f"`jku` `{client.jwks_url}`" if client.jwks_url else spoken.t("keys in a file, no `jku`")
    return spoken.t("{issuer}: {keys}", issuer=spoken.joined(parts, ", "), keys=where)


def _clients(settings: Settings, product: Product) -> list[Client]:
    """Return the EHRs of a product; all of them for the generic page."""
    return [one for one in settings.clients if product == "generic" or one.profile == product]


def _links(rules: Rules, spoken: Speaker) -> str:
    speaking = (one for one in rules.library.trials.values() if one.speaks)
    trials = [one for one in speaking if urlsplit(one.url).scheme in ("http", "https")]
    told = [
        spoken.t("{url} (registry record of {trial}, type `absolute`)", url=f"`{one.url}`", trial=one.id)
        for one in trials
    ]
    return _list(told or [spoken.t("none")])


def _bounds(settings: Settings, spoken: Speaker) -> Iterator[str]:
    t, seconds = spoken.t, settings.gather_seconds
    yield t("With full prefetch an answer takes a fraction of a second.")
    yield t(
        "Reading the FHIR server ends after {seconds} s at the latest; the card then says what could not be read. Let "
        "the EHR wait at least {longer} s.",
        seconds=f"{seconds:g}",
        longer=f"{seconds + 1:g}",
    )
    yield t(
        "Largest call: {bytes} bytes, prefetch included; largest feedback: 65,536 bytes.",
        bytes=f"{settings.max_hook_bytes:,}",
    )
    yield t(
        "412: the patient could not be read at all. 400: the call is wrong, the OperationOutcome names the field. "
        "Neither is good news, and neither should be shown as such."
    )


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)

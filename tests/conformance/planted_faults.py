"""Faults to plant in the toy service (toy_service.py), each with the check that sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid5

TEMPLATES = {"patient": "Patient/{{context.patientId}}", "labs": "Observation?patient={{context.patientId}}"}

Entry = dict[str, Any]
Card = dict[str, Any]


def put(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    """Return a change of fields; ``...`` removes one."""

    def change(value: dict[str, Any]) -> dict[str, Any]:
        return {name: part for name, part in {**value, **changes}.items() if part is not ...}

    return change


def suggestion(**changes: Any) -> Callable[[Card], Card]:
    return lambda card: {**card, "suggestions": [put(**changes)(one) for one in card["suggestions"]]}


def action(**changes: Any) -> Callable[[Card], Card]:
    return lambda card: suggestion(actions=[put(**changes)(card["suggestions"][0]["actions"][0])])(card)


def template(text: str) -> Callable[[Entry], Entry]:
    return put(prefetch={**TEMPLATES, "more": text})


# Of one discovery entry.
ENTRY_FAULTS: dict[str, tuple[str, Callable[[Entry], Entry]]] = {
    "no description": ("D04", put(description=...)),
    "id is a number": ("D04", put(description=7)),
    "no title": ("D05", put(title=...)),
    "requirements are a list": ("D06", put(usageRequirements=["x"])),
    "an empty usageRequirements": ("D07", put(usageRequirements="")),
    "no version": ("D10", put(version=...)),
    "a hook version nobody published": ("D11", put(hookVersion="7.1")),
    "an absolute template": ("D12", template("http://127.0.0.1:9/Observation?patient={{context.patientId}}")),
    "a token of an invented field": ("D14", template("Observation?patient={{context.subject}}")),
    "a token into an order": ("D13", template("Observation?patient={{context.draftOrders.entry}}")),
    "a chained search": ("D16", template("Observation?patient={{context.patientId}}&subject.name=x")),
    "a parameter twice": ("D17", template("Observation?patient={{context.patientId}}&date=ge2020&date=le2030")),
}

# Of one card.
CARD_FAULTS: dict[str, tuple[str, Callable[[Card], Any]]] = {
    "a summary of 140 characters": ("K01", put(summary="x" * 140)),
    "an invented indicator": ("K02", put(indicator="hard-stop")),
    "a source without label": ("K03", put(source={"url": "https://toy.example"})),
    "a relative icon": ("K03", put(source={"label": "Toy", "icon": "/icon.png"})),
    "a topic without system": ("K04", put(source={"label": "Toy", "topic": {"code": "t"}})),
    "the same uuid on two cards": ("K05", lambda card: [card, card]),
    "a detail that is a list": ("K06", put(detail=["x"])),
    "no selectionBehavior": ("K08", put(selectionBehavior=...)),
    "an invented selectionBehavior": ("K08", put(selectionBehavior="all")),
    "a suggestion without label": ("K09", suggestion(label=...)),
    "two recommended, one may be taken": (
        "K09",
        lambda card: {
            **card,
            "selectionBehavior": "at-most-one",
            "suggestions": [
                put(isRecommended=True)(card["suggestions"][0]),
                put(isRecommended=True, uuid=str(uuid5(UUID(card["uuid"]), "two")))(card["suggestions"][0]),
            ],
        },
    ),
    "actionSelectionBehavior": ("K10", suggestion(actionSelectionBehavior="all")),
    "an action without description": ("K11", action(description=...)),
    "an action without resource": ("K11", action(resource=...)),
    "a resource of no type": ("K12", action(resource={"status": "draft"})),
    "an override reason without display": ("K13", put(overrideReasons=[{"code": "a", "system": "http://toy.example"}])),
    "appContext on an absolute link": (
        "K14",
        put(links=[{"label": "More", "url": "https://toy.example", "type": "absolute", "appContext": "x"}]),
    ),
    "a relative link": ("K14", put(links=[{"label": "More", "url": "/more", "type": "absolute"}])),
    "autolaunchable is a word": (
        "K15",
        put(links=[{"label": "More", "url": "https://toy.example", "type": "absolute", "autolaunchable": "yes"}]),
    ),
    "extension is a list": ("K17", put(extension=[{"url": "x"}])),
    "an empty list of links": ("K18", put(links=[])),
    "a null field": ("K18", put(links=None)),
}

# Built into the toy, by name.
FLAWS: dict[str, str] = {
    "discovery elsewhere": "D01",
    "discovery as HTML": "D02",
    "discovery is a list": "D03",
    "an entry twice": "D08",
    "one id for two hooks": "D09",
    "fails at first": "C01",
    "cards as text": "C02",
    "NaN in the answer": "C02",
    "cards is an object": "C03",
    "204 for nothing to say": "C04",
    "extension is to be a list": "C05",
    "unknown fields are refused": "C06",
    "only practitioners": "C07",
    "an id may be used once": "C08",
    "scopes of SMART 1 only": "C09",
    "draft orders need a type": "C10",
    "no charset": "C11",
    "slow": "C12",
    "dies without prefetch": "P01",
    "dies on an empty prefetch": "P02",
    "silent without data": "P03",
    "dies on null": "P04",
    "dies on OperationOutcomes": "P05",
    "silent on failure": "P06",
    "dies on one OperationOutcome": "P07",
    "dies on a next link": "P08",
    "needs every key": "P09",
    "dies on keys it does not know": "P10",
    "takes any patient": "P11",
    "dies on text for a resource": "P12",
    "dies on null beside failure": "P13",
    "never asks the FHIR server": "A01",
    "forgets the token": "A02",
    "asks for everything again": "A03",
    "asks again for what failed": "A04",
    "follows any next link": "A05",
    "follows any redirect": "A06",
    "dies when it is refused": "A07",
    "dies when the FHIR server does": "A08",
    "dies without the FHIR server": "A09",
    "a token for nowhere": "A10",
    "splices the patient id": "A11",
    "shows the access token": "A12",
    "a token for anybody": "A13",
    "GET is a call": "B01",
    "any service exists": "B02",
    "dies on what is no JSON": "B03",
    "dies on JSON that is no object": "B04",
    "takes NaN": "B05",
    "dies on depth": "B06",
    "takes any bytes": "B07",
    "takes a key twice": "B08",
    "needs no hook": "B09",
    "takes any hook": "B10",
    "needs no hookInstance": "B11",
    "takes any hookInstance": "B12",
    "needs no context": "B13",
    "needs no user": "B14",
    "takes any user": "B15",
    "takes any type": "B16",
    "takes a list for prefetch": "B17",
    "is hurt by a wrong call": "B18",
    "errors as text": "T01",
    "echo": "T02",
    "stack traces": "T03",
    "raw HTML": "K07",
    "a system action of no type": "K16",
    "no feedback is taken": "F01",
    "no reason is taken": "F02",
    "a reason needs a display": "F03",
    "a comment needs a reason": "F04",
    "an override needs a reason": "F05",
    "one item a call": "F06",
    "feedback once": "F07",
    "feedback of any shape": "F08",
    "any outcome": "F09",
    "accepted alone": "F10",
    "feedback on nothing": "F11",
    "any time": "F12",
    "dies on feedback that is no JSON": "F13",
    "no preflight": "X01",
    "Allow-Headers is *": "X02",
    "no origin on answers": "X03",
    "no origin on errors": "X04",
    "credentials for anybody": "X05",
}

# Seen only when one product is played.
CLIENT_FAULTS: dict[str, tuple[str, str, Callable[[Card], Card]]] = {
    "at most one, for Epic": ("epic", "E01", put(selectionBehavior="at-most-one")),
    "two actions, for Epic": (
        "epic",
        "E02",
        lambda card: suggestion(actions=card["suggestions"][0]["actions"] * 2)(card),
    ),
    "a topic for each call, for Epic": (
        "epic",
        "E03",
        lambda card: {
            **card,
            "source": {
                "label": "Toy",
                "topic": {"code": card["uuid"].replace("-", ""), "system": "http://toy.example"},
            },
        },
    ),
    "suggestions, for Oracle": ("oracle", "E04", put()),
}

# Of a service that asks for tokens.
TOKEN_FLAWS: dict[str, str] = {
    "asks for no token": "J01",
    "takes alg none": "J02",
    "takes a symmetric alg": "J03",
    "any audience": "J04",
    "aud must be a string": "J05",
    "for ever": "J06",
    "any issuer": "J07",
    "any signature": "J08",
    "any number of times": "J09",
    "no jti needed": "J10",
    "fetches any jku": "J11",
    "says why": "J12",
}

"""A small CDS Hooks service that keeps every rule, and faults to plant in it, each with the check that sees it."""

from __future__ import annotations

import copy
import html
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID, uuid5

import jwt

TEMPLATES = {"patient": "Patient/{{context.patientId}}", "labs": "Observation?patient={{context.patientId}}"}
SERVICES = {"toy-view": "patient-view", "toy-sign": "order-sign"}
ORIGIN = "http://localhost:8080"
REQUIRED = {"patient-view": {"userId": str, "patientId": str}}
REQUIRED["order-sign"] = {**REQUIRED["patient-view"], "draftOrders": dict}
USER = re.compile(r"(Practitioner|PractitionerRole|Patient|RelatedPerson)/[A-Za-z0-9.\-]{1,64}")

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

# Built into the toy below, by name.
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


class Refused(Exception):  # noqa: N818 (an answer, not an error)
    def __init__(self, status: int, words: str = "refused", body: bytes | None = None) -> None:
        super().__init__(words)
        self.status, self.body = status, body


class Toy:
    """A WSGI application.

    Args:
        faults: names of what is planted.
        key: the public key of callers; None to ask for no token.
        base: its own address, which tokens have to name.
        suggests: whether cards carry suggestions.
    """

    def __init__(self, faults: Iterable[str] = (), key: Any = None, *, suggests: bool = True) -> None:
        self.faults = frozenset(faults)
        self.key, self.base, self.suggests = key, "", suggests
        self.used: set[str] = set()
        self.seen: dict[str, int] = {}
        self.hurt = False

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        status, headers, body = self.answer(environ)
        # Discovery is open to all pages; the origin of a call is told by name.
        origin = environ.get("HTTP_ORIGIN")
        hidden = ("no origin on answers" in self.faults and status == 200) or (
            "no origin on errors" in self.faults and status >= 400
        )
        anybody = "credentials for anybody" in self.faults
        if origin and (origin == ORIGIN or anybody) and not (hidden and environ["REQUEST_METHOD"] != "OPTIONS"):
            headers["Access-Control-Allow-Origin"] = origin
            if anybody:
                headers["Access-Control-Allow-Credentials"] = "true"
        start(f"{status} x", [*headers.items(), ("Content-Length", str(len(body)))])
        return [body]

    def answer(self, environ: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        try:
            if method == "OPTIONS":
                if "no preflight" in self.faults:
                    raise Refused(405)
                allowed = "*" if "Allow-Headers is *" in self.faults else "Authorization, Content-Type"
                return 200, {"Access-Control-Allow-Headers": allowed}, b""
            self.ask_who(environ, path)
            return self.route(method, path, raw, environ)
        except Refused as error:
            return self.tell(error, raw)

    def tell(self, error: Refused, raw: bytes) -> tuple[int, dict[str, str], bytes]:
        if error.body is not None:
            return error.status, {"Content-Type": "text/html"}, error.body
        words = str(error)
        if "echo" in self.faults and b"access_token" not in raw:
            words += raw.decode("utf-8", "replace")
        if "stack traces" in self.faults:
            words += "\n    at Toy.call (/app/toy.js:17:3)"
        issue = {"severity": "error", "code": "invalid", "diagnostics": words}
        body: Any = {"resourceType": "OperationOutcome", "issue": [issue]}
        if "errors as text" in self.faults:
            body = {"error": words}
        return error.status, {"Content-Type": "application/fhir+json"}, json.dumps(body).encode()

    def route(self, method: str, path: str, raw: bytes, environ: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        has = self.faults.__contains__
        parts = path.strip("/").split("/")
        if parts == ["cds-services"] and method == "GET":
            return self.discovery()
        known = len(parts) > 1 and parts[0] == "cds-services" and (parts[1] in SERVICES or has("any service exists"))
        if not known or len(parts) > 3:
            raise Refused(404)
        hook = SERVICES.get(parts[1], "patient-view")
        if len(parts) == 3:
            return self.feedback(raw)
        if method != "POST":
            if has("GET is a call"):
                return self.send({"cards": []})
            raise Refused(405)
        return self.call(raw, hook, environ.get("CONTENT_TYPE", ""))

    def send(self, value: Any, status: int = 200) -> tuple[int, dict[str, str], bytes]:
        return status, {"Content-Type": "application/json"}, json.dumps(value).encode()

    # --- discovery

    def discovery(self) -> tuple[int, dict[str, str], bytes]:
        has = self.faults.__contains__
        if has("discovery elsewhere"):
            raise Refused(404)
        entries = []
        for name, hook in SERVICES.items():
            entry: Entry = {"id": name, "hook": hook, "title": "Toy", "description": "A toy.", "version": "2.0.1"}
            entry |= {"prefetch": TEMPLATES, "usageRequirements": "Needs labs.", "hookVersion": "1.0"}
            for fault, (_check, change) in ENTRY_FAULTS.items():
                if has(fault):
                    entry = change(entry)
            entries.append(entry)
        if has("an entry twice"):
            entries.append(entries[0])
        if has("one id for two hooks"):
            entries.append({**entries[1], "id": "toy-view"})
        body: Any = entries if has("discovery is a list") else {"services": entries}
        status, headers, raw = self.send(body)
        return status, {"Content-Type": "text/html"} if has("discovery as HTML") else headers, raw

    # --- a call

    def call(self, raw: bytes, hook: str, kind: str) -> tuple[int, dict[str, str], bytes]:
        has = self.faults.__contains__
        if has("fails at first") and not self.used:
            self.used.add("first")
            raise Refused(503)
        if self.hurt:
            self.hurt = False
            raise Refused(503)
        if not kind.startswith("application/json") and not has("takes any type"):
            raise Refused(415)
        if has("no charset") and kind != "application/json":
            raise Refused(415)
        body = self.read(raw)
        if has("one id for two hooks"):
            hook = body["hook"] if body.get("hook") in REQUIRED else hook
        self.check(body, hook)
        if has("slow") and len(self.seen) < 4:
            time.sleep(0.55)
        return self.judge(body)

    def read(self, raw: bytes) -> Any:
        has = self.faults.__contains__

        def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
            if len(dict(found)) != len(found) and not has("takes a key twice"):
                raise ValueError("twice")
            return dict(found)

        def constant(_name: str) -> None:
            if not has("takes NaN"):
                raise ValueError("NaN")

        try:
            text = raw.decode("utf-8", "replace" if has("takes any bytes") else "strict")
            body = json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
        except RecursionError:
            raise Refused(500 if has("dies on depth") else 400) from None
        except ValueError:
            raise Refused(
                500 if has("dies on what is no JSON") and b"\xff" not in raw and len(raw) < 40 else 400
            ) from None
        if not isinstance(body, dict):
            raise Refused(500 if has("dies on JSON that is no object") else 400)
        return body

    def check(self, body: dict[str, Any], hook: str) -> None:
        has = self.faults.__contains__
        if body.get("hook") != hook and not (
            (has("takes any hook") and "hook" in body) or (has("needs no hook") and "hook" not in body)
        ):
            raise Refused(400)
        self.check_instance(body)
        if "context" not in body and has("needs no context"):
            body["context"] = {"patientId": body["prefetch"]["patient"]["id"], "userId": "Practitioner/1"}
        context = body.get("context")
        if not isinstance(context, dict):
            raise Refused(400)
        if "userId" not in context and has("needs no user"):
            context["userId"] = "Practitioner/1"
        for name, kind in REQUIRED[hook].items():
            wrong = not isinstance(context.get(name), kind) or (kind is str and not context[name])
            if name == "userId" and not wrong:
                wrong = not USER.fullmatch(context[name])
            if wrong and not (name == "userId" and name in context and has("takes any user")):
                raise Refused(400)
        if not re.fullmatch(r"[A-Za-z0-9.\-]{1,64}", context["patientId"]) and not has("splices the patient id"):
            raise Refused(400)
        if has("only practitioners") and not context["userId"].startswith("Practitioner"):
            raise Refused(400)
        if has("draft orders need a type") and "type" not in context.get("draftOrders", {"type": 1}):
            raise Refused(400)
        if has("unknown fields are refused") and "unknown" in body:
            raise Refused(400)
        if has("extension is to be a list") and isinstance(body.get("extension"), dict):
            raise Refused(422)
        self.check_prefetch(body)

    def check_instance(self, body: dict[str, Any]) -> None:
        has = self.faults.__contains__
        if "hookInstance" not in body and has("needs no hookInstance"):
            body["hookInstance"] = str(UUID(int=1))
        given = body.get("hookInstance")
        if not (isinstance(given, str) and re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", given)):
            if not (has("takes any hookInstance") and given is not None):
                raise Refused(400)
            body["hookInstance"] = str(UUID(int=2))
        self.seen[str(given)] = self.seen.get(str(given), 0) + 1
        if has("an id may be used once") and self.seen[str(given)] > 1:
            raise Refused(409)

    def check_prefetch(self, body: dict[str, Any]) -> None:
        has = self.faults.__contains__
        prefetch = body.get("prefetch")
        self.hurt = isinstance(prefetch, list) and has("is hurt by a wrong call")
        if isinstance(prefetch, list) and has("takes a list for prefetch"):
            prefetch = body["prefetch"] = {}
            body["forgiven"] = True
        if prefetch is not None and not isinstance(prefetch, dict):
            raise Refused(400)
        values = list((prefetch or {}).values())
        if any(isinstance(one, str) for one in values):
            raise Refused(500 if has("dies on text for a resource") else 400)
        server, granted = body.get("fhirServer"), body.get("fhirAuthorization")
        if granted and not server and not has("a token for nowhere"):
            raise Refused(400)
        own = body["context"]["patientId"]
        if granted and granted.get("patient", own) != own and not has("a token for anybody"):
            raise Refused(403)
        if granted and has("scopes of SMART 1 only") and ".rs?" in granted["scope"]:
            raise Refused(400)
        self.check_forms(body, values)

    def check_forms(self, body: dict[str, Any], values: list[Any]) -> None:
        """Plant the faults that hit one form of prefetch."""
        has = self.faults.__contains__
        alone = "fhirServer" not in body
        failed = [isinstance(v, dict) and v.get("resourceType") == "OperationOutcome" for v in values]
        nulls = [v is None for v in values]
        dies = (
            (has("dies without prefetch") and alone and "prefetch" not in body)
            or (has("dies on an empty prefetch") and alone and body.get("prefetch") == {} and "forgiven" not in body)
            or (has("dies on null") and values and all(nulls))
            or (has("dies on OperationOutcomes") and failed and all(failed))
            or (has("dies on one OperationOutcome") and alone and sum(failed) == 1 and not any(nulls))
            or (has("dies on null beside failure") and any(failed) and any(nulls))
            or (has("dies on a next link") and alone and any("link" in v for v in values if isinstance(v, dict)))
            or (has("needs every key") and alone and len(values) == 1 and set(body["prefetch"]) <= set(TEMPLATES))
            or (has("dies on keys it does not know") and set(body.get("prefetch", {})) - set(TEMPLATES))
        )
        if dies:
            raise Refused(500)

    # --- what it makes of the data

    def judge(self, body: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        has = self.faults.__contains__
        prefetch: dict[str, Any] = body.get("prefetch") or {}
        token = (body.get("fhirAuthorization") or {}).get("access_token", "")
        found: dict[str, Any] = {}
        for key, query in TEMPLATES.items():
            value = prefetch.get(key)
            failed = isinstance(value, dict) and value["resourceType"] == "OperationOutcome"
            ask = (
                key not in prefetch
                or (has("asks for everything again") and not failed)
                or (failed and has("asks again for what failed"))
            )
            if ask and "fhirServer" in body and not has("never asks the FHIR server"):
                value = self.fetch(body, query.replace("{{context.patientId}}", self.shown(body)), token)
            elif failed:
                value = None
            if value is not None:
                found[key] = value
        if not {"patient", "labs"} <= set(found):
            silent = (has("silent without data") and not prefetch and "fhirServer" not in body) or (
                has("silent on failure") and len(prefetch) > 1 and all(prefetch.values())
            )
            if silent:
                return self.send({"cards": []})
            raise Refused(412, "shown: " + token if has("shows the access token") else "data cannot be had")
        if found["patient"].get("id") != body["context"]["patientId"] and not has("takes any patient"):
            raise Refused(412)
        return self.show(body, found)

    def shown(self, body: dict[str, Any]) -> str:
        patient = str(body["context"]["patientId"])
        return patient if "splices the patient id" in self.faults else quote(patient, safe="")

    def fetch(self, body: dict[str, Any], query: str, token: str) -> Any:
        has = self.faults.__contains__
        base = body["fhirServer"]
        url, pages, first = f"{base}/{query}", 0, None
        while url and pages < 3:
            pages += 1
            try:
                value = json.loads(self.get(url, token))
            except urllib.error.HTTPError as error:
                error.close()
                if has("dies when it is refused") and error.code == 401:
                    raise Refused(500) from None
                if has("dies when the FHIR server does") and error.code == 500:
                    raise Refused(500) from None
                return None
            except OSError:
                if has("dies without the FHIR server"):
                    raise Refused(500) from None
                return None
            first = first or value
            url = next((one["url"] for one in value.get("link", ()) if one["relation"] == "next"), "")
            if urlsplit(url).netloc != urlsplit(base).netloc and not has("follows any next link"):
                break
        return first

    def get(self, url: str, token: str) -> bytes:
        has = self.faults.__contains__

        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *_args: Any) -> None:
                return None

        handlers = [urllib.request.ProxyHandler({})]
        opener = (
            urllib.request.build_opener(*handlers)
            if has("follows any redirect")
            else urllib.request.build_opener(Stay, *handlers)
        )
        brought = {"Authorization": f"Bearer {token}"} if token else {}
        if has("forgets the token") and "Observation" in url:
            brought = {}
        with opener.open(urllib.request.Request(url, headers=brought), timeout=5) as reply:
            return bytes(reply.read())

    def show(self, body: dict[str, Any], found: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        has = self.faults.__contains__
        entries = found["labs"].get("entry")
        if not entries:
            if has("204 for nothing to say"):
                return 204, {}, b""
            return self.send({"cards": []})
        card = self.card(body, found["patient"])
        for fault, (_check, change) in CARD_FAULTS.items():
            if has(fault):
                card = change(card)
        for fault, (_client, _check, alter) in CLIENT_FAULTS.items():
            if has(fault):
                card = alter(card)
        cards = card if isinstance(card, list) else [card]
        answer: dict[str, Any] = {"cards": {"0": cards} if has("cards is an object") else cards}
        if has("a system action of no type"):
            answer["systemActions"] = [{"description": "x"}]
        status, headers, raw = self.send(answer)
        if has("cards as text"):
            headers["Content-Type"] = "text/plain"
        if has("NaN in the answer"):
            raw = raw.replace(b'"cards"', b'"extension": {"x": NaN}, "cards"')
        return status, headers, raw

    def card(self, body: dict[str, Any], patient: dict[str, Any]) -> Any:
        own = uuid5(UUID(body["hookInstance"]), "card")
        name = json.dumps(patient.get("name", "nobody"), ensure_ascii=False).replace('\\"', '"')
        order = {"resourceType": "ServiceRequest", "status": "draft", "intent": "proposal", "code": {"text": "A test"}}
        card: Card = {
            "uuid": str(own),
            "summary": "A toy has something to say",
            "indicator": "info",
            "detail": name if "raw HTML" in self.faults else html.escape(name),
            "source": {
                "label": "Toy",
                "url": "https://toy.example",
                "topic": {"code": "toy", "system": "http://toy.example"},
            },
            "links": [{"label": "More", "url": "https://toy.example", "type": "absolute"}],
            "overrideReasons": [{"code": "no", "system": "http://toy.example", "display": "No"}],
        }
        if self.suggests:
            draft = {"type": "create", "description": "Order a test", "resource": copy.deepcopy(order)}
            card["suggestions"] = [{"label": "A test", "uuid": str(uuid5(own, "one")), "actions": [draft]}]
            card["selectionBehavior"] = "any"
        return card

    # --- feedback

    def feedback(self, raw: bytes) -> tuple[int, dict[str, str], bytes]:
        has = self.faults.__contains__
        try:
            body = json.loads(raw)
        except ValueError:
            raise Refused(500 if has("dies on feedback that is no JSON") else 400) from None
        items = body.get("feedback")
        if not isinstance(items, list):
            if has("feedback of any shape"):
                return self.send({})
            raise Refused(400)
        for item in items:
            self.check_item(item)
        alone = len(items) == 1
        accepted = alone and items[0]["outcome"] == "accepted"
        reason = items[0].get("overrideReason", {}) if items else {}
        coded = reason.get("reason", {})
        # The third time: this feedback was once given before as what it is, and then comes twice.
        self.seen[raw.hex()] = self.seen.get(raw.hex(), 0) + 1
        wrong = (
            (has("no feedback is taken") and accepted)
            or (has("no reason is taken") and "display" in coded and self.seen[raw.hex()] == 1)
            or (has("a reason needs a display") and coded and "display" not in coded)
            or (has("a comment needs a reason") and "userComment" in reason)
            or (has("an override needs a reason") and alone and not accepted and not reason)
            or (has("one item a call") and not alone)
            or (has("feedback once") and self.seen[raw.hex()] == 2)
        )
        if wrong:
            raise Refused(422)
        return self.send({})

    def check_item(self, item: dict[str, Any]) -> None:
        has = self.faults.__contains__
        if item.get("outcome") not in ("accepted", "overridden") and not has("any outcome"):
            raise Refused(400)
        if item["outcome"] == "accepted" and not item.get("acceptedSuggestions") and not has("accepted alone"):
            raise Refused(400)
        if not isinstance(item.get("card"), str) and not has("feedback on nothing"):
            raise Refused(400)
        when = item.get("outcomeTimestamp")
        if not (isinstance(when, str) and re.match(r"\d{4}-\d\d-\d\dT", when)) and not has("any time"):
            raise Refused(400)

    # --- who calls

    def ask_who(self, environ: dict[str, Any], path: str) -> None:
        if self.key is None:
            return
        has = self.faults.__contains__
        token = environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")
        if not token and has("asks for no token"):
            return
        try:
            self.verify(token, self.base + path)
        except Refused:
            raise
        except Exception as error:
            raise Refused(401, type(error).__name__ if has("says why") else "who are you") from None

    def verify(self, token: str, endpoint: str) -> None:
        has = self.faults.__contains__
        head = jwt.get_unverified_header(token)
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False, "verify_aud": False})
        loose = (has("takes alg none") and head["alg"] == "none") or (
            has("takes a symmetric alg") and head["alg"] == "HS384"
        )
        jku = head.get("jku")
        if jku:
            if has("fetches any jku"):
                with urllib.request.urlopen(jku, timeout=5) as reply:
                    reply.read()
            raise ValueError("jku")
        if not loose:
            if "kid" not in head:
                raise ValueError("kid")
            own = {"verify_aud": False, "require": ["iss", "aud", "exp", "iat"]}
            own |= {"verify_exp": not has("for ever"), "verify_signature": not has("any signature")}
            jwt.decode(token, self.key, algorithms=["ES384"], options=own)  # type: ignore[arg-type]
        if head["alg"] not in ("ES384",) and not loose:
            raise ValueError("alg")
        if "exp" not in claims or "iss" not in claims or "iat" not in claims:
            raise ValueError("claims")
        if claims["iss"] != "https://ehr.example" and not has("any issuer"):
            raise ValueError("iss")
        aud = claims["aud"]
        named = [aud] if isinstance(aud, str) else aud
        if has("aud must be a string") and not isinstance(aud, str):
            raise ValueError("aud")
        if endpoint not in named and not has("any audience"):
            raise ValueError("aud")
        if "jti" not in claims and not has("no jti needed"):
            raise ValueError("jti")
        if claims.get("jti") in self.used and not has("any number of times"):
            raise ValueError("again")
        self.used.add(claims.get("jti", ""))

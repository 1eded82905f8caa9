"""A small CDS Hooks service that keeps every rule, but for the faults planted in it (planted_faults.py)."""

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
from planted_faults import CARD_FAULTS, CLIENT_FAULTS, ENTRY_FAULTS, TEMPLATES, Card, Entry
from toy_checks import REQUIRED, CallChecks, Refused

SERVICES = {"toy-view": "patient-view", "toy-sign": "order-sign"}
ORIGIN = "http://localhost:8080"


class Toy(CallChecks):
    """A WSGI application.

    Args:
        faults: names of what is planted.
        key: the public key of callers; None to ask for no token.
        base: its own address, which tokens have to name.
        suggests: whether cards carry suggestions.
    """

    def __init__(self, faults: Iterable[str] = (), key: Any = None, *, suggests: bool = True) -> None:
        super().__init__(faults)
        self.key, self.base, self.suggests = key, "", suggests
        self.used: set[str] = set()

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

"""What the toy service demands of a call, and the faults planted there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from planted_faults import TEMPLATES

REQUIRED = {"patient-view": {"userId": str, "patientId": str}}
REQUIRED["order-sign"] = {**REQUIRED["patient-view"], "draftOrders": dict}
USER = re.compile(r"(Practitioner|PractitionerRole|Patient|RelatedPerson)/[A-Za-z0-9.\-]{1,64}")


class Refused(Exception):  # noqa: N818 (an answer, not an error)
    def __init__(self, status: int, words: str = "refused", body: bytes | None = None) -> None:
        super().__init__(words)
        self.status, self.body = status, body


class CallChecks:
    """Reads and checks the body of a call.

    Args:
        faults: names of what is planted.
    """

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = frozenset(faults)
        self.seen: dict[str, int] = {}
        self.hurt = False

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

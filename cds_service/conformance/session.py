"""The client's side of a run: calls with fresh ids and tokens, and everything that came back."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from cds_service.conformance.chart import Chart
from cds_service.conformance.fhir_stand import FhirStand
from cds_service.conformance.findings import Findings
from cds_service.conformance.hooks import context
from cds_service.conformance.tokens import Signer
from cds_service.conformance.wire import Host, Reply

# A word that stands in what is sent wrongly, and that no answer may repeat.
CANARY: Final = "Zqconformancecanary"
DISCOVERY: Final = "/cds-services"
Client = str


@dataclass(frozen=True)
class Service:
    """One entry of the discovery answer.

    Args:
        id: its id.
        hook: its hook.
        templates: its prefetch templates.
    """

    id: str
    hook: str
    templates: Mapping[str, str]

    @property
    def path(self) -> str:
        """Its address below the base."""
        return f"{DISCOVERY}/{self.id}"


@dataclass(frozen=True)
class Seen:
    """One call and its answer.

    Args:
        service: the service's id; "" for discovery.
        sent: in words.
        reply: the answer.
        call: whether it was a call of the service, so that a success has cards.
    """

    service: str
    sent: str
    reply: Reply
    call: bool = False


@dataclass
class Session:
    """One run against one service base.

    Args:
        host: the service.
        findings: where results go.
        chart: the patient.
        stand: the FHIR server of the run; None when the service cannot reach it.
        client: whose product is played.
        signer: makes tokens; None when none are sent.
        origin: of the page that a browser-based client would be.
        orders: draft orders of order hooks; None for a harmless one.
        seen: every call so far.
        entries: the discovery answer.
    """

    host: Host
    findings: Findings
    chart: Chart
    stand: FhirStand | None
    client: Client
    signer: Signer | None
    origin: str
    orders: Mapping[str, Any] | None = None
    seen: list[Seen] = field(default_factory=list)
    entries: list[Any] = field(default_factory=list)

    def body(self, service: Service, **changes: Any) -> dict[str, Any]:
        """Write a call with full prefetch; a change to ``...`` leaves the field out."""
        own = context(service.hook, self.chart.id, self.orders)
        whole: dict[str, Any] = {"hook": service.hook, "hookInstance": str(uuid4()), "context": own}
        if self.client == "epic":
            if "userId" in own:
                own["userId"] = "PractitionerRole/conformance"
            whole["extension"] = {"com.epic.cdshooks.request.bpa-trigger-action": "60"}
        if self.client == "sandbox" and isinstance(own.get("draftOrders"), dict):
            own["draftOrders"] = {name: value for name, value in own["draftOrders"].items() if name != "type"}
        if service.templates:
            whole["prefetch"] = self.chart.prefetch(service.templates, own)
        return {name: value for name, value in {**whole, **changes}.items() if value is not ...}

    def authorization(self, **changes: Any) -> dict[str, Any]:
        """Write ``fhirAuthorization`` for the FHIR server of the run."""
        token = self.stand.token if self.stand else "none"
        scope = "patient/Patient.rs patient/Observation.rs patient/Condition.rs"
        whole = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": scope,
            "subject": "conformance",
        }
        return {**whole, "patient": self.chart.id, **changes}

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        sent: str,
        service: str = "",
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
        call: bool = False,
    ) -> Reply:
        """Send a request and keep the answer.

        Args:
            method: of HTTP.
            path: below the base.
            body: JSON, or bytes as they are; None for none.
            sent: the request in words.
            service: the service's id.
            headers: more headers.
            token: the JWT to send instead of a fresh, right one; "" for none.
            call: whether it is a call of the service, so that a success has cards.
        """
        own = {"Accept": "application/json"}
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if raw is not None:
            own["Content-Type"] = "application/json"
        jwt = self.signer.token(self.host.base + path) if token is None and self.signer else token
        if jwt and method != "OPTIONS":
            own["Authorization"] = f"Bearer {jwt}"
        reply = self.host.exchange(method, path, {**own, **(headers or {})}, raw)
        if method != "OPTIONS":
            self.seen.append(Seen(service, sent, reply, call))
        return reply

    def call(self, service: Service, body: Any, sent: str, **more: Any) -> Reply:
        """Call a service."""
        return self.send("POST", service.path, body, sent=sent, service=service.id, call=True, **more)

    def note(self, check: str, service: Service | None, sent: str, reply: Reply, fault: str = "") -> None:
        """Note a check of one answer."""
        name = service.id if service else ""
        self.findings.note(check, fault, service=name, sent=sent, came=str(reply))


def fresh_access_token() -> str:
    """Return an access token for one run, such as a server could have given."""
    return base64.urlsafe_b64encode(f"conformance-{uuid4().hex}-{time.time_ns()}".encode()).decode().rstrip("=")

"""The demo's EHR: it discovers the service, prefetches or does not, and calls the hook."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from cds_service.errors import ConfigError
from cds_service.gather.json_text import read_json
from cds_service.present.json_text import to_json

# An environment's HTTP proxy has no business between us and 127.0.0.1.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class DemoEhr:
    """An EHR on this machine.

    Args:
        service: base URL of the service.
        fhir: base URL of its FHIR server.
    """

    service: str
    fhir: str

    def discover(self) -> dict[str, Any]:
        """Return the first service that discovery lists."""
        found: dict[str, Any] = self._call("/cds-services")["services"][0]
        return found

    def open_chart(self, service_id: str, patient_id: str, prefetch: Mapping[str, Any] | None) -> list[dict[str, Any]]:
        """Call the hook as when a chart is opened.

        Args:
            service_id: from discovery.
            patient_id: of the chart.
            prefetch: what the EHR sends along; None lets the service ask the FHIR server.

        Returns:
            The cards.
        """
        body = {
            "hook": "patient-view",
            "hookInstance": str(uuid4()),
            "context": {"userId": "Practitioner/demo", "patientId": patient_id},
            "fhirServer": self.fhir,
            **({"prefetch": prefetch} if prefetch is not None else {}),
        }
        cards: list[dict[str, Any]] = self._call(f"/cds-services/{service_id}", body)["cards"]
        return cards

    def _call(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 (our own http://127.0.0.1)
            self.service + path,
            data=None if body is None else to_json(body).encode(),
            headers={"Content-Type": "application/json", "Accept": "application/json"},
        )
        try:
            with _opener.open(request, timeout=30) as response:
                found: dict[str, Any] = read_json(response.read(), max_bytes=2**24)
                return found
        except urllib.error.HTTPError as refusal:
            with refusal:
                issue = json.loads(refusal.read())["issue"][0]
            raise ConfigError(f"The service answered HTTP {refusal.code}: {issue['diagnostics']}") from None
        except OSError as failure:
            raise ConfigError(f"The service did not answer: {type(failure).__name__}.") from None


def prefetch_of(bundle: Mapping[str, Any], templates: Mapping[str, str]) -> dict[str, Any]:
    """Fill the published templates from a Bundle, as an EHR would from its own records.

    Args:
        bundle: one patient's records.
        templates: the service's ``prefetch``; codes are not filtered, which a client may do.
    """
    resources = [entry["resource"] for entry in bundle["entry"]]
    filled: dict[str, Any] = {}
    for key, template in templates.items():
        kind = template.partition("?")[0].partition("/")[0]
        found = [resource for resource in resources if resource["resourceType"] == kind]
        if "?" not in template:
            filled[key] = found[0] if found else None
            continue
        entries = [{"resource": resource, "search": {"mode": "match"}} for resource in found]
        searchset = {"resourceType": "Bundle", "type": "searchset", "total": len(entries)}
        filled[key] = {**searchset, **({"entry": entries} if entries else {})}
    return filled

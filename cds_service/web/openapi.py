"""The description of the HTTP door, OpenAPI 3.1: ``openapi.yaml``, and an address for each service."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

from flask import Blueprint, Response
from ruamel.yaml import YAML

from cds_service import __version__
from cds_service.bootstrap import Services
from cds_service.settings import Service, Settings
from cds_service.web.answers import answer

_FILE: Final = Path(__file__).with_suffix(".yaml")
_ERROR: Final = {"$ref": "#/components/responses/error"}


def routes(services: Services) -> Blueprint:
    """Return the description's address; it holds nothing of a patient and no token is asked for."""
    blueprint = Blueprint("openapi", __name__)

    @cache  # when first asked for: reading the YAML is nine tenths of the making of an app
    def written() -> dict[str, Any]:
        return describe(services.settings)

    @blueprint.get("/openapi.json")
    def openapi() -> Response:
        return answer(written())

    return blueprint


def describe(settings: Settings) -> dict[str, Any]:
    """Write the description of the service as these settings make it."""
    whole: dict[str, Any] = YAML(typ="safe", pure=True).load(_FILE)
    whole["info"]["version"] = __version__
    if settings.public_base_url:
        whole["servers"] = [{"url": settings.public_base_url}]
    if settings.mode == "verified":
        whole["security"] = [{"ehr": []}]
        if not settings.api:
            del whole["paths"]["/api/evaluate"]
    for service in settings.services:
        whole["paths"] |= _addresses(service)
    return whole


def _addresses(service: Service) -> dict[str, Any]:
    own = {"hook": {"const": service.hook}, "context": {"$ref": f"#/components/schemas/{service.hook}"}}
    body = {"allOf": [{"$ref": "#/components/schemas/Call"}, {"type": "object", "properties": own}]}
    call = {
        "operationId": f"call {service.id}",
        "tags": ["CDS Hooks"],
        "summary": f"{service.hook}: {service.title}",
        "parameters": [{"$ref": "#/components/parameters/language"}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"200": {"$ref": "#/components/responses/cards"}, "default": _ERROR},
    }
    feedback = {
        "operationId": f"feedback {service.id}",
        "tags": ["CDS Hooks"],
        "summary": f"What became of the cards of {service.id}",
        "requestBody": {"$ref": "#/components/requestBodies/feedback"},
        "responses": {"200": {"$ref": "#/components/responses/taken"}, "default": _ERROR},
    }
    address = f"/cds-services/{service.id}"
    return {address: {"post": call}, f"{address}/feedback": {"post": feedback}}

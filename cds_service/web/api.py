"""The API: a Bundle in, the result contract out."""

from __future__ import annotations

from datetime import date
from typing import Final

from flask import Blueprint, Response, request

from cds_service.bootstrap import Services
from cds_service.errors import RequestError
from cds_service.screening.patient import screen_bundle
from cds_service.web.answers import answer, read_body
from cds_service.web.auth import caller_of

_PARAMETERS: Final = ("trial", "as_of", "anchor")


def routes(services: Services) -> Blueprint:
    """Return the API's addresses."""
    blueprint = Blueprint("api", __name__, url_prefix="/api")

    @blueprint.post("/evaluate")
    def evaluate() -> Response:
        if services.settings.mode == "verified" and not services.settings.api:
            raise RequestError("The API is off in verified mode (setting api).", field="", status=404)
        caller_of(services)
        # A mistyped parameter would silently judge on another day.
        if set(request.args) - set(_PARAMETERS):
            raise RequestError(f"Query parameters are {', '.join(_PARAMETERS)}.", field="query")
        as_of = _day("as_of") or services.clock()
        anchor = _day("anchor")
        body = read_body(services.settings.max_bundle_bytes)
        outcome = screen_bundle(
            services.rules, body, as_of=as_of, anchor=anchor, trials=request.args.getlist("trial") or None
        )
        return answer(outcome.to_json())

    return blueprint


def _day(name: str) -> date | None:
    given = request.args.getlist(name)
    if not given:
        return None
    try:
        if len(given) == 1 and len(given[0]) == len("2026-03-01"):
            return date.fromisoformat(given[0])
    except ValueError:
        pass
    raise RequestError(f"{name} must be one date, YYYY-MM-DD.", field=name)

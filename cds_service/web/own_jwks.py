"""The public parts of our signing keys, where EHRs look for them."""

from __future__ import annotations

from flask import Blueprint, Response

from cds_service.bootstrap import Services
from cds_service.errors import RequestError
from cds_service.trust.own_keys import MAX_AGE_SECONDS, public_key_set
from cds_service.web.answers import answer


def routes(services: Services) -> Blueprint:
    """Return the address of the JWK Set; it is public, and no token is asked for."""
    blueprint = Blueprint("own_jwks", __name__)

    @blueprint.get("/.well-known/jwks.json")
    def jwks() -> Response:
        folder = services.settings.keys
        if folder is None:
            raise RequestError("This service has no keys (setting keys).", field="", status=404)
        response = answer(public_key_set(folder))
        response.headers["Cache-Control"] = f"public, max-age={MAX_AGE_SECONDS}"
        return response

    return blueprint

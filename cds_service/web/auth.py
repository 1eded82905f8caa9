"""Who calls: asked before anything of a request is read."""

from __future__ import annotations

from flask import request

from cds_service.bootstrap import Services
from cds_service.trust.caller import Caller


def caller_of(services: Services) -> Caller:
    """Return who sent the current request.

    Raises:
        AuthError: it cannot be verified (401).
        UnavailableError: what verifying needs is down (503).
    """
    return services.callers.identify(request.headers.get("Authorization"), request.path)

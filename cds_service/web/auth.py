"""Who calls: asked before anything of a request is read."""

from __future__ import annotations

from flask import g, request

from cds_service.bootstrap import Services
from cds_service.trust.caller import Caller


def caller_of(services: Services) -> Caller:
    """Return who sent the current request.

    Raises:
        AuthError: it cannot be verified (401).
        UnavailableError: what verifying needs is down (503).
    """
    # Asked once for a request: the second time its token would be one that was used.
    if "caller" not in g:
        g.caller = services.callers.identify(request.headers.get("Authorization"), request.path)
    caller: Caller = g.caller
    return caller

"""Signs of life: whether the process answers, and whether it can answer calls in full.

Neither says anything of FHIR servers: one that is down would take every hospital's service out of the rotation.
"""

from __future__ import annotations

import threading
import time
from typing import Final

from flask import Blueprint, Response

from cds_service.bootstrap import Services
from cds_service.errors import UnavailableError
from cds_service.web.answers import answer

_KEPT: Final = 1.0  # seconds: nobody is asked for a token here, and each try is a write to the disk


def routes(services: Services) -> Blueprint:
    """Return the health addresses."""
    blueprint = Blueprint("health", __name__)
    store = _StoreTried(services)

    @blueprint.get("/livez")
    @blueprint.get("/healthz")
    def livez() -> Response:
        return answer({"status": "ok"})

    @blueprint.get("/readyz")
    def readyz() -> Response:
        writable = store.writable()
        told = {
            "status": "ready" if writable else "not-ready",
            "store": "ok" if writable else "cannot-write",
            # The last good rules serve as well as ever; somebody has to mend the others.
            "rules": "last-good" if services.held.refused else "current",
        }
        return answer(told, status=200 if writable else 503)

    return blueprint


class _StoreTried:
    """Whether the store takes a write; tried by one request at a time, and not again for a moment."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._until = 0.0
        self._writable = True

    def writable(self) -> bool:
        with self._lock:
            if time.monotonic() >= self._until:
                try:
                    self._services.store.try_out(self._services.now())
                    self._writable = True
                except UnavailableError:
                    self._writable = False
                self._until = time.monotonic() + _KEPT
            return self._writable

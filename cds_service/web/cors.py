"""What a browser may do here. CORS for browser-based EHRs: exact origins, never credentials, hook addresses only."""

from __future__ import annotations

from typing import Final

from flask import Flask, Response, request

from cds_service.errors import RequestError
from cds_service.gather.origin import Origin
from cds_service.settings import Settings

_HEADERS: Final = {
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    # By name: "*" does not cover Authorization.
    "Access-Control-Allow-Headers": "authorization, content-type",
    "Access-Control-Max-Age": "600",
}


def register(app: Flask, settings: Settings) -> None:
    """Add the headers, on errors too, and answer preflights without asking who calls.

    In open mode a call must name this machine: a page elsewhere could let its own name mean 127.0.0.1, and the browser
    would take our answers for that page's.
    """

    def add(response: Response) -> Response:
        if not request.path.startswith("/cds-services"):
            return response
        response.vary.add("Origin")
        origin = request.headers.get("Origin", "")
        if allowed(origin, settings):
            response.headers["Access-Control-Allow-Origin"] = origin
            if request.method == "OPTIONS":
                response.headers.update(_HEADERS)
        return response

    app.after_request(add)
    if settings.mode == "open":
        app.before_request(_on_this_machine)


def allowed(origin: str, settings: Settings) -> bool:
    """Say whether a page of this origin may read our answers."""
    if origin in settings.cors_origins:
        return True
    if settings.mode != "open":
        return False
    return _this_machine(origin)


def _on_this_machine() -> None:
    if not _this_machine(f"http://{request.environ.get('HTTP_HOST', '')}"):
        raise RequestError("In open mode Host must be this machine, such as localhost.", field="Host")


def _this_machine(origin: str) -> bool:
    try:
        parsed = Origin.of(origin)
    except ValueError:
        return False
    return parsed.loopback and not parsed.path

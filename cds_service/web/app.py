"""The Flask application: its routes put together, every answer JSON, nothing of a patient in the log."""

from __future__ import annotations

import logging
from typing import Final

from flask import Flask, Response, request

from cds_service.bootstrap import Services
from cds_service.web import api, cors, feedback, health, hooks, openapi, own_jwks, pages, problems, simulator, worklist
from cds_service.web.correlation import HEADER, correlation_id

log = logging.getLogger("cds_service.web")

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "OPTIONS"})


def create_app(services: Services, *, simulator_fhir: str | None = None) -> Flask:
    """Build the application.

    Args:
        services: rules, clock, settings and the way to FHIR servers.
        simulator_fhir: a FHIR server with the example patients, which the simulator then names in its calls.
    """
    app = Flask("cds_service", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    # "//" is no address of ours: werkzeug would send the caller on, with the Host and path that it wrote.
    app.url_map.merge_slashes = False
    # Bodies are measured where they are read, each door by its own limit; this one holds for all.
    app.config["MAX_CONTENT_LENGTH"] = max(services.settings.max_bundle_bytes, services.settings.max_hook_bytes)
    blueprints = (
        hooks.routes(services),
        feedback.routes(services),
        api.routes(services),
        pages.routes(services),
        health.routes(services),
        own_jwks.routes(services),
        openapi.routes(services),
    )
    for blueprint in blueprints:
        app.register_blueprint(blueprint)
    if services.settings.mode == "open":
        app.register_blueprint(simulator.routes(services, simulator_fhir))
        worklist.mount(app, services)
    problems.register(app)
    cors.register(app, services.settings)
    app.after_request(_finish)
    return app


def _finish(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    response.headers[HEADER] = correlation_id()
    # The route, not the path: whatever a caller writes into a path, or for a method, stays out of the log.
    method = request.method if request.method in _METHODS else "another method,"
    route = request.url_rule.rule if request.url_rule else "no route"
    log.info("%s %s %d", method, route, response.status_code)
    return response

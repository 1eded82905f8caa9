"""The Flask application: its routes put together, every answer JSON, nothing of a patient in the log."""

from __future__ import annotations

import logging

from flask import Flask, Response, request

from cds_service.bootstrap import Services
from cds_service.web import api, cors, hooks, pages, problems

log = logging.getLogger("cds_service.web")


def create_app(services: Services) -> Flask:
    """Build the application.

    Args:
        services: rules, clock, settings and the way to FHIR servers.
    """
    app = Flask("cds_service", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    # Bodies are measured where they are read, each door by its own limit; this one holds for all.
    app.config["MAX_CONTENT_LENGTH"] = max(services.settings.max_bundle_bytes, services.settings.max_hook_bytes)
    for blueprint in (hooks.routes(services), api.routes(services), pages.routes(services)):
        app.register_blueprint(blueprint)
    problems.register(app)
    cors.register(app, services.settings)
    app.after_request(_finish)
    return app


def _finish(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    # The route, not the path: whatever a caller writes into a path stays out of the log.
    route = request.url_rule.rule if request.url_rule else "no route"
    log.info("%s %s %d", request.method, route, response.status_code)
    return response

"""The worklist's pages: lists, funnels, a patient's page and report, exports, the audit. Open mode only.

No address holds anything of a patient: an entry has a random id of ours, and a search by name is a form that is posted.
"""

from __future__ import annotations

from flask import Blueprint, Flask

from cds_service.bootstrap import Services
from cds_service.web.worklist import edits, entries, exports, failures, guard, lists, people
from cds_service.web.worklist.shown import BLUEPRINT

__all__ = ["mount"]


def mount(app: Flask, services: Services) -> None:
    """Add the pages to the application.

    Args:
        app: in open mode.
        services: rules, clock, settings and store.
    """
    blueprint = Blueprint(
        BLUEPRINT,
        __name__,
        url_prefix=guard.PREFIX,
        static_folder="../static/worklist",
        static_url_path="/static",
        template_folder="../templates",
    )
    guard.protect(app, blueprint, services)
    for part in (lists, entries, edits, exports, people):
        part.add(blueprint, services)
    failures.register(blueprint, services)
    app.register_blueprint(blueprint)

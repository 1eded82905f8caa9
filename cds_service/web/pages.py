"""A page that says what is here."""

from __future__ import annotations

from html import escape
from typing import Final

from flask import Blueprint, Response, render_template, request

from cds_service import __version__
from cds_service.bootstrap import Services
from cds_service.present.speaker import speaker
from cds_service.web.language import language_of, said_on_pages, say_language

_CLOSED: Final = """<!doctype html>
<html lang="{tag}">
<head><meta charset="utf-8"><title>cds-service</title></head>
<body><p>{words}</p></body>
</html>
"""


def routes(services: Services) -> Blueprint:
    """Return the index page."""
    blueprint = Blueprint("pages", __name__, template_folder="templates")

    @blueprint.get("/")
    def index() -> Response:
        spoken = speaker(language_of(services.settings), services.rules.library)
        # In verified mode nobody was asked who they are, so the page tells nothing.
        if services.settings.mode == "verified":
            words = spoken.t("A CDS Hooks service for the hospital's record system.")
            text = _CLOSED.format(tag=spoken.tag, words=escape(words))
        else:
            text = render_template(
                "index.html",
                **said_on_pages(spoken),
                rules=spoken.rules,
                version=__version__,
                root=request.root_url,
                services=services.settings.services,
                trials=list(services.rules.library.trials.values()),
            )
        response = say_language(Response(text, content_type="text/html; charset=utf-8"), spoken.language)
        response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
        return response

    return blueprint

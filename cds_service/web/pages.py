"""A page that says what is here."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, render_template_string, request

from cds_service import __version__
from cds_service.bootstrap import Services

_INDEX: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>cds-service</title>
</head>
<body>
<h1>cds-service {{ version }}</h1>
<p>Judges a patient's chart against clinical trial criteria and says what is missing.
For review by people.</p>
<dl>
<dt><a href="{{ root }}cds-services">GET {{ root }}cds-services</a></dt>
<dd>CDS Hooks 2.0 discovery</dd>
{% for service in services %}<dt>POST {{ root }}cds-services/{{ service.id }}</dt>
<dd>the {{ service.hook }} hook</dd>
{% endfor %}<dt>POST {{ root }}api/evaluate?as_of=YYYY-MM-DD</dt>
<dd>a FHIR R4 Bundle of one patient in, verdicts out; also <code>trial=ID</code>,
<code>anchor=YYYY-MM-DD</code></dd>
<dt><a href="{{ root }}simulator">GET {{ root }}simulator</a></dt>
<dd>an EHR simulator for the browser, synthetic patients only</dd>
<dt><a href="{{ root }}openapi.json">GET {{ root }}openapi.json</a></dt>
<dd>every address described, OpenAPI 3.1</dd>
<dt><a href="{{ root }}livez">GET {{ root }}livez</a></dt>
<dd>a sign of life</dd>
<dt><a href="{{ root }}readyz">GET {{ root }}readyz</a></dt>
<dd>whether calls can be answered in full</dd>
</dl>
<h2>Trials</h2>
<ul>
{% for trial in trials %}
<li>{{ trial.id }}: {{ trial.title.get("en", "") }} (exclusion criteria
{{ "encoded" if trial.exclusions == "encoded" else "not encoded" }}
{%- if not trial.speaks %}; not signed off, silent in charts{% endif %})</li>
{% else %}<li>none</li>
{% endfor %}</ul>
</body>
</html>
"""

_CLOSED: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>cds-service</title></head>
<body><p>A CDS Hooks service for the hospital's record system.</p></body>
</html>
"""


def routes(services: Services) -> Blueprint:
    """Return the index page."""
    blueprint = Blueprint("pages", __name__)

    @blueprint.get("/")
    def index() -> Response:
        # In verified mode nobody was asked who they are, so the page tells nothing.
        page = render_template_string(
            _CLOSED if services.settings.mode == "verified" else _INDEX,
            version=__version__,
            root=request.root_url,
            services=services.settings.services,
            trials=list(services.rules.library.trials.values()),
        )
        response = Response(page, content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
        return response

    return blueprint

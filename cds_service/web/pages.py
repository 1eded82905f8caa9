"""A page that says what is here, and a sign of life."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, render_template_string, request

from cds_service import __version__
from cds_service.bootstrap import Services
from cds_service.web.answers import answer
from cds_service.web.hooks import SERVICE_ID

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
<dt>POST {{ root }}cds-services/{{ service }}</dt>
<dd>the patient-view hook</dd>
<dt>POST {{ root }}api/evaluate?as_of=YYYY-MM-DD</dt>
<dd>a FHIR R4 Bundle of one patient in, verdicts out; also <code>trial=ID</code>,
<code>anchor=YYYY-MM-DD</code></dd>
<dt><a href="{{ root }}livez">GET {{ root }}livez</a></dt>
<dd>a sign of life</dd>
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


def routes(services: Services) -> Blueprint:
    """Return the index page and the health addresses."""
    blueprint = Blueprint("pages", __name__)

    @blueprint.get("/")
    def index() -> Response:
        page = render_template_string(
            _INDEX,
            version=__version__,
            root=request.root_url,
            service=SERVICE_ID,
            trials=list(services.rules.library.trials.values()),
        )
        response = Response(page, content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
        return response

    @blueprint.get("/livez")
    @blueprint.get("/healthz")
    def livez() -> Response:
        return answer({"status": "ok"})

    return blueprint

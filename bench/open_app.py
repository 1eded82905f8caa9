"""Our service for gunicorn on loopback: as `cds_service.wsgi`, but open, and on the day of the example patients."""

from __future__ import annotations

from bench.patients import AS_OF
from cds_service.bootstrap import build
from cds_service.settings import load_settings
from cds_service.web import create_app

app = create_app(build(load_settings(mode="open"), clock=lambda: AS_OF))

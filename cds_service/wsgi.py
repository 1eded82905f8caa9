"""What a WSGI server loads: ``gunicorn cds_service.wsgi:app``. Never open: see :func:`application`."""

from __future__ import annotations

import logging

from flask import Flask

from cds_service.bootstrap import build
from cds_service.errors import ConfigError
from cds_service.settings import load_settings
from cds_service.web import create_app
from cds_service.web.correlation import start_logging


def application() -> Flask:
    """Build the application for a network.

    Raises:
        ConfigError: the mode is open, where anyone could ask for a patient; or a setting is missing or wrong.
    """
    settings = load_settings()
    if settings.mode != "verified":
        raise ConfigError(
            "cds_service.wsgi starts in verified mode only: set CDS_MODE=verified, with public_base_url, clients and "
            "store. 'open' is for `cds-service serve` on loopback only."
        )
    start_logging()
    services = build(settings)
    logging.getLogger("cds_service").info("%s", services.day_told())
    services.held.follow(settings.rules_seconds)
    return create_app(services)


app = application()

"""What a WSGI server loads: ``gunicorn cds_service.wsgi:app``. Never open: see :func:`application`."""

from __future__ import annotations

from flask import Flask

from cds_service.bootstrap import build
from cds_service.errors import ConfigError
from cds_service.settings import load_settings
from cds_service.web import create_app


def application() -> Flask:
    """Build the application for a network.

    Raises:
        ConfigError: always, until callers can be verified: without that anyone could ask for a patient.
    """
    settings = load_settings()
    if settings.mode in (None, "open"):
        raise ConfigError(
            "cds_service.wsgi does not start without a configured mode that verifies who calls (CDS_MODE). "
            "No such mode exists in this version yet; 'open' is for `cds-service serve` on loopback only."
        )
    return create_app(build(settings))


app = application()

"""The HTTP door: discovery, the hook, the API, and a page that lists them."""

from cds_service.web.app import create_app

__all__ = ["create_app"]

"""``cds-service serve``: a small server; open on one's own machine when no mode is set, verified when it is."""

from __future__ import annotations

import ipaddress
import logging
from typing import Final

import click

from cds_service.bootstrap import build
from cds_service.cli.listening import listening, stop_on_sigterm
from cds_service.cli.tongue import terminal
from cds_service.errors import ConfigError
from cds_service.settings import load_settings
from cds_service.web import create_app
from cds_service.web.correlation import start_logging

_LOOPBACK: Final = "open mode asks callers for no token, so it listens on loopback only, such as 127.0.0.1."


@click.command()
@click.option("--host", help="Address to listen on; 127.0.0.1 by default. Open mode takes loopback addresses only.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 8000 by default, 0 for a free one.")
def serve(host: str | None, port: int | None) -> None:
    """Serve CDS Hooks. Without CDS_MODE=verified: on this machine only, without asking callers who they are."""
    chosen = {name: value for name, value in {"host": host, "port": port}.items() if value is not None}
    settings = load_settings(**chosen)
    if settings.mode is None:
        settings = load_settings(**chosen, mode="open")
    is_open = settings.mode == "open"
    if is_open and not _loopback(settings.host):
        raise ConfigError(f"--host: {_LOOPBACK}") if host is not None else ConfigError(f"Setting host: {_LOOPBACK}")
    services = build(settings)
    app = create_app(services)
    start_logging()
    services.held.follow(settings.rules_seconds)
    if is_open:
        logging.getLogger("cds_service").warning(
            "open mode: whoever can reach this port may ask; for one's own machine only"
        )
    stop_on_sigterm()
    with listening(app, settings.host, settings.port) as server:
        host_shown = f"[{settings.host}]" if ":" in settings.host else settings.host
        base = f"http://{host_shown}:{server.port}"
        t = terminal().t
        click.echo(t("Serving {url}", url=f"{base}/"))
        click.echo(t("  discovery {url}", url=f"{base}/cds-services"))
        for service in settings.services:
            click.echo(t("  hook      {url}", url=f"{base}/cds-services/{service.id}"))
        if is_open or settings.api:
            click.echo(t("  API       {url}", url=f"{base}/api/evaluate"))
        if is_open:
            click.echo(t("  simulator {url}", url=f"{base}/simulator"))
            click.echo(t("  worklist  {url}", url=f"{base}/worklist"))
        click.echo(terminal().said(services.day_told()))
        click.echo(t("Ctrl-C stops."))
        server.serve_forever(poll_interval=0.1)  # returns at Ctrl-C
        click.echo(t("Stopped."))


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

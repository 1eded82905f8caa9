"""``cds-service serve``: the service on one's own machine, open, on loopback only."""

from __future__ import annotations

import ipaddress
import logging

import click

from cds_service.bootstrap import build
from cds_service.cli.listening import listening, stop_on_sigterm
from cds_service.errors import ConfigError
from cds_service.settings import load_settings
from cds_service.web import create_app
from cds_service.web.hooks import SERVICE_ID


@click.command()
@click.option("--host", help="Loopback address to listen on; 127.0.0.1 by default.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 8000 by default, 0 for a free one.")
def serve(host: str | None, port: int | None) -> None:
    """Serve CDS Hooks and the API on this machine, without asking callers who they are."""
    chosen = {"host": host, "port": port, "mode": "open"}
    settings = load_settings(**{name: value for name, value in chosen.items() if value is not None})
    if not _loopback(settings.host):
        raise ConfigError(
            "--host: open mode asks callers for no token, so it listens on loopback only, such as 127.0.0.1."
        )
    app = create_app(build(settings))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("cds_service").warning(
        "open mode: whoever can reach this port may ask; for one's own machine only"
    )
    stop_on_sigterm()
    with listening(app, settings.host, settings.port) as server:
        host_shown = f"[{settings.host}]" if ":" in settings.host else settings.host
        base = f"http://{host_shown}:{server.port}"
        click.echo(f"Serving {base}/\n  discovery {base}/cds-services\n  hook      {base}/cds-services/{SERVICE_ID}")
        click.echo(f"  API       {base}/api/evaluate\nCtrl-C stops.")
        server.serve_forever(poll_interval=0.1)  # returns at Ctrl-C
        click.echo("Stopped.")


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

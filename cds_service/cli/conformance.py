"""``cds-service conformance``: checks any CDS Hooks service from outside, playing the EHR and its FHIR server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cds_service.cli.conformance_told import as_text
from cds_service.conformance.chart import BUILT_IN, Chart
from cds_service.conformance.report import as_json, passed
from cds_service.conformance.suite import CLIENTS, ORIGIN, Client, Run, check
from cds_service.conformance.tokens import Signer, read_key
from cds_service.conformance.wire import read_strict
from cds_service.errors import RequestError


@click.command()
@click.argument("url", metavar="URL")
@click.option(
    "--service", "services", multiple=True, metavar="ID", help="Only this service; may be given more than once."
)
@click.option("--client", type=click.Choice(CLIENTS), default="generic", show_default=True, help="The product to play.")
@click.option("--patient", metavar="BUNDLE.json", help="The chart to open; a made-up one by default.")
@click.option("--orders", metavar="BUNDLE.json", help="The draft orders of order hooks; a laboratory test by default.")
@click.option("--origin", default=ORIGIN, show_default=True, help="Origin of a page that the service lets call.")
@click.option("--timeout", type=click.FloatRange(0.1, 120), default=10.0, show_default=True, help="Seconds for a call.")
@click.option("--fhir-port", type=click.IntRange(0, 65535), default=0, help="Port of the FHIR server played; 0: any.")
@click.option("--issuer-key", metavar="KEY.pem", help="Sign a token for each call with this P-384 key.")
@click.option("--issuer", default="https://conformance.invalid", show_default=True, help="`iss` of those tokens.")
@click.option("--kid", default="conformance", show_default=True, help="The key's id.")
@click.option("--jku", default="", help="Where the service finds the public key; not named by default.")
@click.option("--tenant", default="", help="`tenant` of those tokens; none by default.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def conformance(
    ctx: click.Context,
    url: str,
    services: tuple[str, ...],
    client: Client,
    patient: str | None,
    orders: str | None,
    origin: str,
    timeout: float,
    fhir_port: int,
    issuer_key: str | None,
    issuer: str,
    kid: str,
    jku: str,
    tenant: str,
    style: str,
) -> None:
    """Check the CDS Hooks service whose discovery is at URL/cds-services.

    It is sent right and wrong calls, and feedback on the cards it shows: use a test system. The exit code is 0 when no
    requirement of level M is broken, 3 when nobody answers there, else 1.
    """
    run = Run(
        url,
        services=services,
        client=client,
        chart=Chart.of(_json("--patient", patient)) if patient else BUILT_IN,
        orders=_json("--orders", orders) if orders else None,
        signer=Signer(read_key(Path(issuer_key)), issuer, kid, jku, tenant) if issuer_key else None,
        origin=origin,
        timeout=timeout,
        fhir_port=fhir_port,
    )
    findings = check(run)
    click.echo(as_json(findings) if style == "json" else as_text(findings))
    ctx.exit(0 if passed(findings) else 1)


def _json(option: str, name: str) -> Any:
    try:
        value = read_strict(Path(name).read_bytes())
    except OSError as error:
        raise RequestError(f"{option}: the file cannot be read ({error.strerror}).", field=option) from None
    except ValueError as error:
        raise RequestError(f"{option}: the file is {error}.", field=option) from None
    if not isinstance(value, dict):
        raise RequestError(f"{option} must be a FHIR Bundle.", field=option)
    return value

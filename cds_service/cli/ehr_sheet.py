"""``cds-service ehr-sheet``: writes the page that an EHR analyst needs to connect the service."""

from __future__ import annotations

from typing import get_args

import click

from cds_service.bootstrap import load_rules
from cds_service.settings import load_settings
from cds_service.web.ehr_sheet import Product, write_sheet


@click.command()
@click.option("--client", type=click.Choice(get_args(Product)), default="generic", show_default=True, help="The EHR.")
def ehr_sheet(client: Product) -> None:
    """Write endpoints, prefetch queries, scopes, keys and links as the present settings make them, in Markdown."""
    settings = load_settings()
    click.echo(write_sheet(settings, load_rules(settings.site), client), nl=False)

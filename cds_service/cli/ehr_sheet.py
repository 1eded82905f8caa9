"""``cds-service ehr-sheet``: writes the page that an EHR analyst needs to connect the service."""

from __future__ import annotations

from typing import get_args

import click

from cds_service.bootstrap import load_rules
from cds_service.cli.tongue import terminal_language
from cds_service.languages import LANGUAGES
from cds_service.present.speaker import speaker
from cds_service.settings import load_settings
from cds_service.web.ehr_sheet import Product, write_sheet


@click.command()
@click.option("--client", type=click.Choice(get_args(Product)), default="generic", show_default=True, help="The EHR.")
@click.option("--language", metavar="|".join(LANGUAGES), help="The terminal's by default.")
def ehr_sheet(client: Product, language: str | None) -> None:
    """Write endpoints, prefetch queries, scopes, keys and links as the present settings make them, in Markdown."""
    spoken = speaker(language or terminal_language())
    settings = load_settings()
    click.echo(write_sheet(settings, load_rules(settings.site), client, spoken), nl=False)

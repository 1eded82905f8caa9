"""``cds-service outputs``: tables, FHIR and a page from a finished run of prescreen."""

from __future__ import annotations

from pathlib import Path

import click

from cds_service.bootstrap import load_rules
from cds_service.cli.tongue import terminal_language
from cds_service.languages import LANGUAGES
from cds_service.present.cohort.outputs import FORMATS, write_outputs
from cds_service.present.cohort.pseudonyms import pseudonyms
from cds_service.settings import load_settings


@click.command()
@click.argument("run", metavar="RUN_DIR")
@click.option(
    "--format", "formats", default="csv,html", show_default=True, metavar="A,B", help=f"Of {', '.join(FORMATS)}."
)
@click.option("--language", metavar="|".join(LANGUAGES), help="Of the words; the terminal's by default.")
@click.option(
    "--pseudonyms", "key", metavar="KEY_FILE", help="Codes instead of patients; the key (32 random bytes) makes them."
)
def outputs(run: str, formats: str, language: str | None, key: str | None) -> None:
    """Write lists of a finished run into RUN_DIR. They contain personal health data."""
    library = load_rules(load_settings().site).library
    name = pseudonyms(Path(key)) if key is not None else None
    wanted = [one.strip() for one in formats.split(",") if one.strip()]
    language = language or terminal_language()
    for path in write_outputs(Path(run), library, wanted, language=language, name=name):
        click.echo(path)

"""``cds-service evaluate``: a Bundle in, the result contract or a text report out."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import click

from cds_service.bootstrap import build
from cds_service.cli.tongue import terminal_language
from cds_service.errors import RequestError
from cds_service.gather.json_text import read_json
from cds_service.languages import LANGUAGES, translator
from cds_service.present.json_text import to_json
from cds_service.present.report import write_report
from cds_service.screening.patient import screen_bundle
from cds_service.settings import load_settings


@click.command()
@click.argument("bundle", metavar="BUNDLE.json")
@click.option("--trial", "trials", multiple=True, metavar="ID", help="Only this trial; may be given more than once.")
@click.option("--as-of", metavar="DATE", help="Day of the judgement, YYYY-MM-DD; today by default.")
@click.option("--anchor", metavar="DATE", help="Planned first dose, where laboratory windows end.")
@click.option("--format", "style", type=click.Choice(["json", "text"]), default="json", show_default=True)
@click.option("--language", metavar="|".join(LANGUAGES), help="Of the text report; the terminal's by default.")
def evaluate(
    bundle: str, trials: tuple[str, ...], as_of: str | None, anchor: str | None, style: str, language: str | None
) -> None:
    """Judge one patient whose whole record is the FHIR R4 Bundle BUNDLE.json ("-" reads standard input)."""
    day, first_dose = read_day("--as-of", as_of), read_day("--anchor", anchor)
    settings = load_settings()
    body = read_json(read_bytes(bundle), max_bytes=settings.max_bundle_bytes, what="BUNDLE")
    services = build(settings)
    translate = translator(language or terminal_language(), services.rules.library)
    outcome = screen_bundle(
        services.rules, body, as_of=day or services.clock(), anchor=first_dose, trials=trials or None
    )
    report = to_json(outcome.to_json(), indent=2) if style == "json" else write_report(outcome, translate)
    click.echo(report, nl=style == "json")


def read_day(name: str, text: str | None) -> date | None:
    """Return the day that an option gives; None when it is not given.

    Raises:
        RequestError: it is no day.
    """
    if text is None:
        return None
    try:
        if len(text) == len("2026-03-01"):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise RequestError(f"{name} must be a date, YYYY-MM-DD.", field=name)


def read_bytes(name: str) -> bytes:
    """Return a file's content, or standard input's for "-".

    Raises:
        RequestError: it cannot be read.
    """
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except FileNotFoundError:
        raise RequestError("BUNDLE: there is no such file.", field="BUNDLE") from None
    except OSError as error:
        raise RequestError(f"BUNDLE: the file cannot be read ({error.strerror}).", field="BUNDLE") from None

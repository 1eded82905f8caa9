"""``cds-service why-not``: why one patient is no candidate for one trial, from a run or from a Bundle."""

from __future__ import annotations

from pathlib import Path

import click

from cds_service.bootstrap import load_rules, today
from cds_service.cli.evaluate import read_bytes, read_day
from cds_service.cli.tongue import terminal_language
from cds_service.errors import RequestError
from cds_service.gather.json_text import read_json
from cds_service.languages import LANGUAGES, translator
from cds_service.present.cohort.why_not import why_not as explain
from cds_service.present.cohort.why_not import why_not_in_run
from cds_service.screening.patient import screen_bundle
from cds_service.settings import load_settings


@click.command()
@click.argument("arguments", nargs=-1, metavar="[PATIENT] TRIAL")
@click.option("--run", "run", metavar="DIR", help="A finished run of prescreen; then PATIENT is an id in it.")
@click.option("--bundle", metavar="FILE", help="The patient's whole record as a FHIR R4 Bundle; then no PATIENT.")
@click.option("--as-of", metavar="DATE", help="With --bundle: day of the judgement, YYYY-MM-DD; today by default.")
@click.option("--anchor", metavar="DATE", help="With --bundle: planned first dose, where laboratory windows end.")
@click.option("--language", metavar="|".join(LANGUAGES), help="The terminal's by default.")
def why_not(
    arguments: tuple[str, ...],
    run: str | None,
    bundle: str | None,
    as_of: str | None,
    anchor: str | None,
    language: str | None,
) -> None:
    """Say why a patient is no candidate: each criterion that is not passed, and what would change it."""
    if (run is None) == (bundle is None):
        raise RequestError("Give either --run DIR or --bundle FILE.", field="--run")
    wanted = 2 if run is not None else 1
    if len(arguments) != wanted:
        form = "PATIENT TRIAL --run DIR" if run is not None else "TRIAL --bundle FILE"
        raise RequestError(f"Give: why-not {form}.", field="TRIAL")
    trial = arguments[-1]
    day, first_dose = read_day("--as-of", as_of), read_day("--anchor", anchor)
    settings = load_settings()
    language = language or terminal_language()
    if run is not None:
        if day or first_dose:
            raise RequestError("A run has its own days: --as-of and --anchor go with --bundle.", field="--as-of")
        library = load_rules(settings.site).library
        click.echo(why_not_in_run(Path(run), arguments[0], trial, library, language), nl=False)
        return
    body = read_json(read_bytes(str(bundle)), max_bytes=settings.max_bundle_bytes, what="BUNDLE")
    rules = load_rules(settings.site)
    outcome = screen_bundle(rules, body, as_of=day or today(settings), anchor=first_dose, trials=(trial,))
    click.echo(explain(outcome, rules.library, translator(language, rules.library)), nl=False)

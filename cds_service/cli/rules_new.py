"""``cds-service rules new``: begin the rule file of a trial."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from cds_service.cli.rule_files import FOLDER, folder_in_use, library_of
from cds_service.cli.tongue import heard, terminal
from cds_service.trials.cases import CASE_FILE
from cds_service.trials.library import TRIALS
from cds_service.trials.load import FILL_IN, TRIAL_FILE
from cds_service.trials.skeleton import LAB_FACT, TRIGGER_FACT, skeleton


@click.command()
@click.argument("registry_id", metavar="REGISTRY_ID")
@FOLDER
def new(registry_id: str, folder: Path | None) -> None:
    """Write the beginning of a trial: trial.yaml and tests.yaml, which load and pass; nothing is overwritten."""
    folder = folder_in_use(folder)
    try:
        trial, cases = skeleton(registry_id, date.today())
    except ValueError as error:
        raise click.BadParameter(heard(str(error)), param_hint="REGISTRY_ID") from None
    place = folder / TRIALS / registry_id
    if place.exists():
        raise click.BadParameter(heard(f"{place} is there already; nothing was written"), param_hint="REGISTRY_ID")
    library = library_of(folder)
    if lacking := [name for name in (TRIGGER_FACT, LAB_FACT) if name not in library.facts]:
        raise click.UsageError(
            heard(f"{folder}: facts.yaml does not define {' and '.join(lacking)}, which the skeleton reads")
        )
    try:
        place.mkdir()
        (place / TRIAL_FILE).write_text(trial, encoding="utf-8")
        (place / CASE_FILE).write_text(cases, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(heard(f"{place} cannot be written: {error.strerror}")) from None
    t = terminal().t
    click.echo(
        t("{trial} and {cases} are written. What is next:", trial=str(place / TRIAL_FILE), cases=str(place / CASE_FILE))
    )
    for step in (
        t(
            "in {file}, fill every place marked {mark}; a trial is silent in charts while review is pending",
            file=TRIAL_FILE,
            mark=repr(FILL_IN),
        ),
        t("write a criterion for each line, and the patients that show it in {file}", file=CASE_FILE),
        "cds-service rules check",
        f"cds-service rules test {registry_id}",
        t("cds-service rules show {trial}, to be read by someone who knows the protocol", trial=registry_id),
        "review: signed-off",
    ):
        click.echo(f"  - {step}")

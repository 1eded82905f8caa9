"""``cds-service rules explain``: one criterion in full; with a Bundle, how its verdict came about."""

from __future__ import annotations

from pathlib import Path

import click

from cds_service.cli.evaluate import read_bytes, read_day
from cds_service.cli.rule_files import FOLDER, cases_of, criterion_of, folder_in_use, library_of, stop_on, trial_of
from cds_service.cli.tongue import terminal
from cds_service.facts.phrase import words_of_rules
from cds_service.trials.complaints import Complaints
from cds_service.trials.explained import explain_criterion

_WIDEST = 2_000


@click.command()
@click.argument("trial_id", metavar="TRIAL")
@click.argument("criterion_id", metavar="CRITERION")
@click.argument("bundle", metavar="[BUNDLE.json]", required=False)
@click.option("--as-of", metavar="DATE", help="Day of the judgement, YYYY-MM-DD; today by default.")
@click.option("--anchor", metavar="DATE", help="Planned first dose, where laboratory windows end.")
@FOLDER
def explain(
    trial_id: str, criterion_id: str, bundle: str | None, as_of: str | None, anchor: str | None, folder: Path | None
) -> None:
    """Explain one criterion; with the FHIR R4 Bundle of a patient, how its verdict came about."""
    from cds_service.bootstrap import today
    from cds_service.evaluation.judge import judge
    from cds_service.evaluation.trace import trace
    from cds_service.gather.bundle import read_bundle
    from cds_service.gather.json_text import read_json
    from cds_service.present.safe_text import plain
    from cds_service.settings import load_settings

    folder = folder_in_use(folder)
    library = library_of(folder, None if bundle is None else load_settings().site)
    trial = trial_of(library, trial_id)
    criterion = criterion_of(trial, criterion_id)
    speaker = terminal(library)
    if bundle is None:
        complaints = Complaints()
        case_file = cases_of(folder, trial, library, complaints)
        stop_on(complaints)
        for line in explain_criterion(criterion, trial, library.facts, case_file):
            click.echo(speaker.said(line))
        return
    day, first_dose = read_day("--as-of", as_of) or today(load_settings()), read_day("--anchor", anchor)
    body = read_json(read_bytes(bundle), max_bytes=load_settings().max_bundle_bytes, what="BUNDLE")
    outcome = judge(read_bundle(body), library, as_of=day, anchor=first_dose, trials=[trial.id]).trials[0]
    t = speaker.t
    click.echo(
        t(
            "{trial} {criterion}, as of {day}, at the gate {gate}: {words}",
            trial=trial.id,
            criterion=criterion.id,
            day=str(day),
            gate=outcome.gate,
            words=words_of_rules(criterion.text),
        )
    )
    if outcome.gate not in criterion.gates:
        click.echo(t("Not asked at this gate; it belongs to {gates}.", gates=", ".join(criterion.gates)))
        return
    for line in map(speaker.said, trace(outcome.of(criterion.id))):
        indent = len(line) - len(line.lstrip(" "))
        click.echo(" " * indent + plain(line, _WIDEST))

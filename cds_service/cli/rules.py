"""``cds-service rules``: check, try, read, explain, compare, begin and list the rule files."""

from __future__ import annotations

from pathlib import Path

import click

from cds_service.cli.rule_files import (
    FOLDER,
    cases_of,
    counted,
    folder_in_use,
    library_of,
    stop_on,
    trial_of,
)
from cds_service.cli.rules_diff import diff
from cds_service.cli.rules_explain import explain
from cds_service.cli.rules_new import new
from cds_service.cli.tongue import heard, terminal
from cds_service.errors import RuleError
from cds_service.trials.complaints import Complaints
from cds_service.trials.library import TRIALS
from cds_service.trials.limit_sense import doubtful_limits
from cds_service.trials.load import TRIAL_FILE
from cds_service.trials.plain import describe_trial


@click.group()
def rules() -> None:
    """Check, try and read the rule files."""


rules.add_command(explain)
rules.add_command(diff)
rules.add_command(new)


@rules.command()
@FOLDER
def check(folder: Path | None) -> None:
    """Read every rule file and run every test case; print every complaint."""
    from cds_service.screening.case_runner import complain_of_failures, run_cases
    from cds_service.screening.limit_cases import missing_limits

    folder = folder_in_use(folder)
    library = library_of(folder)
    complaints = Complaints()
    run = 0
    for trial in library.trials.values():
        complaints.extend(doubtful_limits(trial, library.facts, folder / TRIALS / trial.id / TRIAL_FILE))
        case_file = cases_of(folder, trial, library, complaints, coverage=True)
        if case_file is not None:
            results = run_cases(library, case_file)
            run += len(results)
            complain_of_failures(case_file, results, complaints)
            complaints.extend(missing_limits(trial, case_file, results))
    stop_on(complaints)
    counts = (
        counted(len(library.trials), "trial"),
        counted(len(library.facts), "fact"),
        counted(len(library.value_sets), "value set"),
        counted(run, "case"),
    )
    speaker = terminal()
    click.echo(speaker.t("{what}: ok", what=speaker.joined(counts, ", ")))


@rules.command()
@click.argument("trial_id", metavar="[TRIAL]", required=False)
@FOLDER
def test(trial_id: str | None, folder: Path | None) -> None:
    """Run the test cases of one trial, or of all."""
    from cds_service.screening.case_runner import run_cases

    folder = folder_in_use(folder)
    library = library_of(folder)
    trials = [trial_of(library, trial_id)] if trial_id else library.trials.values()
    complaints = Complaints()
    files = [cases_of(folder, trial, library, complaints) for trial in trials]
    stop_on(complaints)
    results = [(file.path, result) for file in files if file is not None for result in run_cases(library, file)]
    failed = [(path, result) for path, result in results if not result.passed]
    for path, result in failed:
        click.echo(f"{path}:{result.case.line}: {result.case.it}")
        for problem in result.problems:
            click.echo(f"    {heard(problem)}")
    click.echo(terminal().t("{what}, {failed} failed", what=counted(len(results), "case"), failed=len(failed)))
    if failed:
        raise click.exceptions.Exit(RuleError.exit_code)


@rules.command()
@click.argument("trial_id", metavar="TRIAL")
@FOLDER
def show(trial_id: str, folder: Path | None) -> None:
    """Print a trial as a person reads it."""
    library = library_of(folder_in_use(folder))
    speaker = terminal(library)
    for line in describe_trial(trial_of(library, trial_id), library.facts, speaker.language):
        click.echo(speaker.said(line))


@rules.command()
@click.option("--unverified", is_flag=True, help="Only those that a terminologist has still to check.")
@FOLDER
def codes(unverified: bool, folder: Path | None) -> None:
    """List the codes of the value sets, tab-separated: set, system, code, display, source."""
    library = library_of(folder_in_use(folder))
    for name, value_set in library.value_sets.items():
        for concept in value_set.concepts:
            if unverified and "unverified" not in concept.attributes:
                continue
            code = f"{concept.code}*" if concept.prefix else concept.code
            source = concept.attributes.get("source", "")
            click.echo("\t".join((name, concept.system, code, concept.display, source)))

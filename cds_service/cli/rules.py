"""``cds-service rules``: check, try, read and list the rule files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import click

from cds_service.errors import RuleError
from cds_service.rules_folder import rules_folder
from cds_service.trials.cases import CASE_FILE, CaseFile, load_cases
from cds_service.trials.complaints import Complaints, did_you_mean
from cds_service.trials.coverage import missing_coverage
from cds_service.trials.library import TRIALS, load_library
from cds_service.trials.model import Library, Trial
from cds_service.trials.plain import describe_trial

_FOLDER = click.option(
    "--rules",
    "folder",
    type=click.Path(path_type=Path),
    help="The folder with facts.yaml, valuesets/ and trials/; the one in use otherwise.",
)


@click.group()
def rules() -> None:
    """Check, try and read the rule files."""


@rules.command()
@_FOLDER
def check(folder: Path | None) -> None:
    """Read every rule file and test case; print every complaint."""
    folder = folder_in_use(folder)
    library = _library(folder)
    complaints = Complaints()
    for trial in library.trials.values():
        _cases(folder, trial, library, complaints, coverage=True)
    _stop_on(complaints)
    click.echo(
        f"{counted(len(library.trials), 'trial')}, {counted(len(library.facts), 'fact')}, "
        f"{counted(len(library.value_sets), 'value set')}: ok"
    )


@rules.command()
@click.argument("trial_id", metavar="[TRIAL]", required=False)
@_FOLDER
def test(trial_id: str | None, folder: Path | None) -> None:
    """Run the test cases of one trial, or of all."""
    from cds_service.screening.case_runner import run_cases

    folder = folder_in_use(folder)
    library = _library(folder)
    trials = [_trial(library, trial_id)] if trial_id else library.trials.values()
    complaints = Complaints()
    files = [_cases(folder, trial, library, complaints) for trial in trials]
    _stop_on(complaints)
    results = [(file.path, result) for file in files if file is not None for result in run_cases(library, file)]
    failed = [(path, result) for path, result in results if not result.passed]
    for path, result in failed:
        click.echo(f"{path}:{result.case.line}: {result.case.it}")
        for problem in result.problems:
            click.echo(f"    {problem}")
    click.echo(f"{counted(len(results), 'case')}, {len(failed)} failed")
    if failed:
        raise click.exceptions.Exit(RuleError.exit_code)


@rules.command()
@click.argument("trial_id", metavar="TRIAL")
@_FOLDER
def show(trial_id: str, folder: Path | None) -> None:
    """Print a trial as a person reads it."""
    library = _library(folder_in_use(folder))
    for line in describe_trial(_trial(library, trial_id), library.facts):
        click.echo(line)


@rules.command()
@click.option("--unverified", is_flag=True, help="Only those that a terminologist has still to check.")
@_FOLDER
def codes(unverified: bool, folder: Path | None) -> None:
    """List the codes of the value sets, tab-separated: set, system, code, display, source."""
    library = _library(folder_in_use(folder))
    for name, value_set in library.value_sets.items():
        for concept in value_set.concepts:
            if unverified and "unverified" not in concept.attributes:
                continue
            code = f"{concept.code}*" if concept.prefix else concept.code
            source = concept.attributes.get("source", "")
            click.echo("\t".join((name, concept.system, code, concept.display, source)))


def folder_in_use(given: Path | None) -> Path:
    """Return the folder to read, relative to here if it lies below: complaints then name files shortly."""
    folder = given or rules_folder()
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_absolute() and folder.is_relative_to(here) else folder


def _library(folder: Path) -> Library:
    try:
        return load_library(folder)
    except RuleError as error:
        refuse(str(complaint) for complaint in error.complaints)


def _trial(library: Library, trial_id: str) -> Trial:
    if trial_id not in library.trials:
        hint = did_you_mean(trial_id, library.trials)
        raise click.BadParameter(f"no trial {trial_id!r} ({hint})", param_hint="TRIAL")
    return library.trials[trial_id]


def _cases(
    folder: Path, trial: Trial, library: Library, complaints: Complaints, *, coverage: bool = False
) -> CaseFile | None:
    """Read a trial's cases; what is wrong or, if asked, not covered is complained of."""
    try:
        case_file = load_cases(folder / TRIALS / trial.id / CASE_FILE, trial, library.facts)
    except RuleError as error:
        complaints.take(error)
        return None
    if coverage and (missing := missing_coverage(trial, case_file)):
        complaints.take(RuleError(missing))
    return case_file


def _stop_on(complaints: Complaints) -> None:
    try:
        complaints.raise_any()
    except RuleError as error:
        refuse(str(complaint) for complaint in error.complaints)


def refuse(lines: Iterable[str]) -> NoReturn:
    """Print complaints and end with the exit code of a rule author's mistake."""
    for line in lines:
        click.echo(line, err=True)
    raise click.exceptions.Exit(RuleError.exit_code)


def counted(number: int, thing: str) -> str:
    """Return a number of things: "1 fact", "2 facts"."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"

"""What the commands on rule files share: the folder, what is loaded from it, and how mistakes are told."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NoReturn

import click

from cds_service.cli.tongue import complained, heard, terminal
from cds_service.errors import Complaint, RuleError
from cds_service.rules_folder import rules_folder
from cds_service.settings import check_rules_named
from cds_service.trials.cases import CASE_FILE, CaseFile, load_cases
from cds_service.trials.complaints import Complaints, did_you_mean
from cds_service.trials.coverage import missing_coverage
from cds_service.trials.library import TRIALS, load_library
from cds_service.trials.model import Criterion, Library, Trial

FOLDER = click.option(
    "--rules",
    "folder",
    type=click.Path(path_type=Path),
    help="The folder with facts.yaml, valuesets/ and trials/; the one in use otherwise.",
)


_THINGS: Final = ("trial", "fact", "value set", "case", "example patient", "system", "code", "name", "unit", "limit")
TEMPLATES: Final = tuple(f"{{number}} {thing}{s}" for thing in _THINGS for s in ("", "s"))


def folder_in_use(given: Path | None) -> Path:
    """Return the folder to read, relative to here if it lies below: complaints then name files shortly.

    Raises:
        ConfigError: it is the one of the settings, and is not there.
    """
    if given is None:
        check_rules_named()
    folder = given or rules_folder()
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_absolute() and folder.is_relative_to(here) else folder


def library_of(folder: Path, site: str | None = None) -> Library:
    """Load a rules folder, for a site if one is named; print its complaints and end if there are any."""
    try:
        return load_library(folder, site=site)
    except RuleError as error:
        refuse(error.complaints)


def trial_of(library: Library, trial_id: str) -> Trial:
    """Return a trial.

    Raises:
        click.BadParameter: there is none of this id.
    """
    if trial_id not in library.trials:
        hint = did_you_mean(trial_id, library.trials)
        raise click.BadParameter(heard(f"no trial {trial_id!r} ({hint})"), param_hint="TRIAL")
    return library.trials[trial_id]


def criterion_of(trial: Trial, criterion_id: str) -> Criterion:
    """Return a criterion of a trial.

    Raises:
        click.BadParameter: there is none of this id.
    """
    found = {criterion.id: criterion for criterion in trial.criteria}
    if criterion_id not in found:
        hint = did_you_mean(criterion_id, found)
        message = heard(f"{trial.id} has no criterion {criterion_id!r} ({hint})")
        raise click.BadParameter(message, param_hint="CRITERION")
    return found[criterion_id]


def cases_of(
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


def stop_on(complaints: Complaints) -> None:
    """Print complaints and end if there are any."""
    try:
        complaints.raise_any()
    except RuleError as error:
        refuse(error.complaints)


def refuse(complaints: Iterable[Complaint]) -> NoReturn:
    """Print complaints and end with the exit code of a rule author's mistake."""
    for complaint in complaints:
        click.echo(complained(complaint), err=True)
    raise click.exceptions.Exit(RuleError.exit_code)


def counted(number: int, thing: str) -> str:
    """Return a number of things: "1 fact", "2 facts"."""
    template = f"{{number}} {thing}" + ("" if number == 1 else "s")
    return terminal().t(template, number=number)

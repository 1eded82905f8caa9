"""Files for people and programs, made of a finished run folder and the rules, and of nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from cds_service.errors import ConfigError, RequestError
from cds_service.present.cohort.csv_file import write_csv
from cds_service.present.cohort.fhir_bundle import write_fhir
from cds_service.present.cohort.html_page import write_html
from cds_service.present.cohort.lists import Cohort, read_cohort
from cds_service.present.cohort.parquet_file import write_parquet
from cds_service.present.cohort.private_file import clear_left_parts
from cds_service.present.cohort.run_folder import open_run
from cds_service.present.cohort.told import Name
from cds_service.present.cohort.xlsx_file import write_xlsx
from cds_service.trials.model import Library

Writer = Callable[[Cohort, Path, Name], list[Path]]


def check_formats(formats: Sequence[str], *, pseudonyms: bool = False) -> None:
    """Find out whether lists can be written, as is best done before the job whose lists they are.

    Args:
        formats: of :data:`FORMATS`.
        pseudonyms: whether patients are called by codes.

    Raises:
        RequestError: a format is wrong, or does not go with pseudonyms.
        ConfigError: a package that a format needs is not installed.
    """
    unknown = [one for one in formats if one not in FORMATS]
    if unknown or not formats:
        raise RequestError(f"must be some of {', '.join(FORMATS)}, with commas between", field="--format")
    if pseudonyms and "fhir" in formats:
        raise RequestError(
            "fhir refers to the patients themselves: it cannot be had with --pseudonyms", field="--format"
        )
    for one in formats:
        # Looked for, not imported: pyarrow would take memory during the whole job.
        if one in _PACKAGES and find_spec(_PACKAGES[one]) is None:
            raise ConfigError(f"--format {one} needs {_PACKAGES[one]}: pip install 'cds-service[export]'.")


def write_outputs(
    folder: Path,
    library: Library,
    formats: Sequence[str],
    *,
    language: str = "en",
    name: Name | None = None,
) -> list[Path]:
    """Write the files into the run folder, each whole or not at all; files of an earlier call are replaced.

    Args:
        folder: a finished run.
        library: the rules that it was judged by.
        formats: of :data:`FORMATS`.
        language: of the words, "en" or "zh".
        name: what patients are called; their references for None.

    Returns:
        The files, in the order of the formats.

    Raises:
        RequestError: a format, the language or the folder is wrong, or the rules have changed since the run.
        ConfigError: a package that a format needs is not installed.
        UnavailableError: a file cannot be written, mostly because the disk is full.
    """
    check_formats(formats, pseudonyms=name is not None)
    cohort = read_cohort(open_run(folder), library, language)
    clear_left_parts(folder)
    files: list[Path] = []
    for one in dict.fromkeys(formats):
        files += FORMATS[one](cohort, folder, name or str)
    return files


def _csv(cohort: Cohort, folder: Path, name: Name) -> list[Path]:
    files = []
    for one in cohort.lists:
        files.append(folder / f"{one.trial.id}.csv")
        write_csv(cohort, one, files[-1], name)
    return files


def _xlsx(cohort: Cohort, folder: Path, name: Name) -> list[Path]:
    write_xlsx(cohort, folder / "prescreen.xlsx", name)
    return [folder / "prescreen.xlsx"]


def _parquet(cohort: Cohort, folder: Path, name: Name) -> list[Path]:
    write_parquet(cohort, folder / "prescreen.parquet", name)
    return [folder / "prescreen.parquet"]


def _fhir(cohort: Cohort, folder: Path, name: Name) -> list[Path]:
    files = []
    for one in cohort.lists:
        files.append(folder / f"{one.trial.id}.fhir.json")
        write_fhir(cohort, one, files[-1])
    return files


def _html(cohort: Cohort, folder: Path, name: Name) -> list[Path]:
    write_html(cohort, folder / "prescreen.html", name)
    return [folder / "prescreen.html"]


FORMATS: Final[Mapping[str, Writer]] = {
    "csv": _csv,
    "xlsx": _xlsx,
    "parquet": _parquet,
    "fhir": _fhir,
    "html": _html,
}

_PACKAGES: Final[Mapping[str, str]] = {"parquet": "pyarrow"}

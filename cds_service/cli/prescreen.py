"""``cds-service prescreen``: every patient of a source judged, into a run folder."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final

import click

from cds_service.bootstrap import exporting, reach, today
from cds_service.cli import STOPPED
from cds_service.cli.doctor import server_to_read
from cds_service.cli.evaluate import read_day
from cds_service.cli.prescreen_told import Progress, print_finished
from cds_service.cli.tongue import heard, terminal, terminal_language
from cds_service.engines.spark import THIS_MACHINE
from cds_service.errors import RequestError
from cds_service.gather.bulk.export import fetch_export, parted
from cds_service.gather.chart import PATIENT_ID
from cds_service.present.cohort.outputs import check_formats, write_outputs
from cds_service.screening.cohort.job import Job, day_of_run, run
from cds_service.screening.cohort.judged import Task, rules_for, trials_of
from cds_service.screening.cohort.run_folder import RunFolder
from cds_service.screening.cohort.served import server_source
from cds_service.screening.cohort.source import Source, bundle_source, ndjson_source
from cds_service.settings import Settings, load_settings

NOT_WHOLE: Final = 6
"""Exit code of a run that is finished although parts of the source could not be read."""

_FOLDER: Final = click.Path(path_type=Path, file_okay=False)
_FILE: Final = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option("--bundles", type=_FOLDER, help="A folder of Bundles, each the whole record of one patient.")
@click.option("--ndjson", type=_FOLDER, help="A folder of NDJSON, such as a Bulk Data export; .gz too.")
@click.option("--fhir", metavar="URL", help="A FHIR server: the patients with a condition that a trial looks for.")
@click.option("--all", "everybody", is_flag=True, help="With --fhir: all its patients.")
@click.option(
    "--patients", type=_FILE, metavar="FILE", help="With --fhir: the patients whose ids are in FILE, a line each."
)
@click.option("--export", metavar="URL", help="A FHIR server's Bulk Data export: [base]/Group/ID/$export and the like.")
@click.option("--out", required=True, type=_FOLDER, help="The run folder: a new one, or that of a run to go on with.")
@click.option("--trial", "trials", multiple=True, metavar="ID", help="Only this trial; may be given more than once.")
@click.option("--as-of", metavar="DATE", help="Day of the judgement, YYYY-MM-DD; today by default.")
@click.option("--anchor", metavar="DATE", help="Planned first dose, where laboratory windows end.")
@click.option("--since", type=_FOLDER, help="An earlier run: only patients whose data or rules changed are judged.")
@click.option("--keep-charts", is_flag=True, help="Keep the charts of those with a trial's disease, for the worklist.")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes; as many as there are cores by default.")
@click.option("--engine", type=click.Choice(["local", "spark"]), default="local", show_default=True)
@click.option("--master", metavar="URL", help="With --engine spark: the cluster; this machine by default.")
@click.option("--format", "formats", default="csv,html", show_default=True, help="Lists to write at the end; none: -.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@click.pass_context
def prescreen(
    context: click.Context,
    bundles: Path | None,
    ndjson: Path | None,
    fhir: str | None,
    everybody: bool,
    patients: Path | None,
    export: str | None,
    out: Path,
    trials: tuple[str, ...],
    as_of: str | None,
    anchor: str | None,
    since: Path | None,
    keep_charts: bool,
    workers: int | None,
    engine: str,
    master: str | None,
    formats: str,
    quiet: bool,
) -> None:
    """Judge every patient of a source, and list who may be a candidate.

    The run folder will hold patient data. A run that was stopped goes on when the same command is given again. Exit
    codes: 0 done, 6 done but parts of the source could not be read (the manifest says which), 2 a wrong option, 3 the
    FHIR server did not answer, 5 the disk is full or a process died, 10 the rules are wrong, 12 a setting is, 130
    stopped by Ctrl-C.
    """
    settings = load_settings()
    day = read_day("--as-of", as_of) or day_of_run(out) or today(settings)
    task = Task(settings.site, day, read_day("--anchor", anchor), trials or None, keep_charts)
    if sum(one is not None for one in (bundles, ndjson, fhir, export)) != 1:
        raise RequestError("Give one source: --bundles, --ndjson, --fhir or --export.", field="SOURCE")
    lists = _lists_wanted(formats)
    cluster = _cluster(engine, master, fhir, since)
    if fhir is None:
        if everybody or patients is not None:
            raise RequestError("--all and --patients go with --fhir.", field="--fhir")
        if export is not None:
            ndjson = _exported(export, out, settings, quiet=quiet)
        source = _folder(bundles, ndjson, out)
    else:
        source = _server(fhir, everybody, patients, settings, task)
    progress = Progress() if sys.stderr.isatty() and not quiet else None
    job = Job(task, source, out, since)
    try:
        with progress or _nothing():
            done = run(
                job,
                workers=workers or os.cpu_count() or 1,
                tell=progress.tell if progress else _silent,
                cluster=cluster,
            )
    except KeyboardInterrupt:
        told = terminal().t("Stopped. What is done is kept: give the same command again to go on.")
        click.echo(told, err=True)
        context.exit(STOPPED)
    language = terminal_language()
    files = write_outputs(out, rules_for(task.site), lists, language=language) if lists else []
    if not quiet:
        print_finished(done, rules_for(task.site), out, files)
    context.exit(0 if done.whole else NOT_WHOLE)


def _cluster(engine: str, master: str | None, fhir: str | None, since: Path | None) -> str | None:
    if engine == "local":
        if master is not None:
            raise RequestError("--master goes with --engine spark.", field="--master")
        return None
    if fhir is not None or since is not None:
        raise RequestError("--fhir and --since are for the local engine.", field="--engine")
    return master or THIS_MACHINE


def _exported(url: str, out: Path, settings: Settings, *, quiet: bool) -> Path:
    """Have a server export into the run folder; return the folder of NDJSON."""
    base, path = parted(url)
    folder = RunFolder(out)
    server = exporting(server_to_read(base, settings), settings)
    try:
        with folder.locked():
            tell = _to_nobody if quiet else _to_stderr
            fetch_export(server, path, folder.export, fixed=folder.known_job() is not None, tell=tell)
    except KeyboardInterrupt:
        raise click.exceptions.Exit(STOPPED) from None
    return folder.export


def _to_nobody(_line: str) -> None:
    """Tell nobody."""


def _to_stderr(line: str) -> None:
    click.echo(heard(line), err=True)


def _folder(bundles: Path | None, ndjson: Path | None, out: Path) -> Source:
    exported = ndjson is not None and ndjson == RunFolder(out).export
    source = bundle_source(bundles) if bundles is not None else ndjson_source(ndjson or Path(), exported=exported)
    if out.resolve().is_relative_to(source.folder.path.resolve()):
        raise RequestError("--out must not lie in the source: it would be read too.", field="--out")
    return source


def _server(url: str, everybody: bool, patients: Path | None, settings: Settings, task: Task) -> Source:
    if everybody and patients is not None:
        raise RequestError("Give either --all or --patients.", field="--patients")
    server = server_to_read(url, settings)
    library = rules_for(task.site)
    who = _ids(patients) if patients is not None else ("all" if everybody else "disease")
    return server_source(server.base_url, reach(server, settings), library, trials_of(task, library), who)


def _ids(file: Path) -> tuple[str, ...]:
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, ValueError):
        raise RequestError("--patients: the file cannot be read.", field="--patients") from None
    ids = tuple(line.removeprefix("Patient/") for line in lines if line)
    wrong = [number for number, one in enumerate(ids, 1) if not PATIENT_ID.fullmatch(one)]
    if wrong or not ids:
        where = f"entry {wrong[0]} is none" if wrong else "it is empty"
        raise RequestError(f"--patients must hold one patient id a line; {where}.", field="--patients")
    return ids


def _lists_wanted(formats: str) -> list[str]:
    wanted = [] if formats == "-" else [one.strip() for one in formats.split(",") if one.strip()]
    if wanted:
        check_formats(wanted)  # now, not after hours of judging
    return wanted


def _nothing() -> AbstractContextManager[None]:
    return nullcontext()


def _silent(_step: str, _done: int, _count: int, _patients: int) -> None:
    """Tell nobody."""

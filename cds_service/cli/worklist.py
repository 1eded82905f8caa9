"""``cds-service worklist``: a finished run taken into the worklist, its counts, and a person forgotten."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cds_service.bootstrap import load_rules, today, utc_now
from cds_service.cli import STOPPED
from cds_service.cli.tongue import heard, terminal
from cds_service.errors import ConfigError, RequestError
from cds_service.gather.origin import Origin
from cds_service.screening.cohort.run_folder import RunFolder
from cds_service.screening.worklist.run_intake import TakenRun, take_run
from cds_service.settings import load_settings
from cds_service.store import Store, open_store, read_store
from cds_service.store.worklist import WhyForgotten

_NONE: Final = "-"  # what --server says where no server is named
_STORE: Final = click.option("--store", "url", metavar="URL", help="The database; by default that of the settings.")


@click.group()
def worklist() -> None:
    """Take a prescreening run into the worklist, count what is in it, or forget a person."""


@worklist.command()
@click.argument("run", metavar="RUN_DIR", type=click.Path(path_type=Path))
@click.option(
    "--server",
    metavar="URL",
    help="The `fhirServer` that record systems name for the patients; - where they name none. "
    "By default the server that a run with --fhir read.",
)
@_STORE
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def take(run: Path, server: str | None, url: str | None, quiet: bool) -> None:
    """Take the patients of a finished run into the worklist of each trial.

    The run must have been made with --keep-charts. What people decided stays as it is: where something differs from
    what they saw, the entry is marked as changed. To take a run again changes nothing.
    """
    settings = load_settings()
    source = _source(run, server)
    store = _open(url, create=True)
    rules = load_rules(settings.site)
    try:
        with _bar(quiet=quiet) as tell:
            taken = take_run(run, store.worklist, rules, source=source, now=utc_now(), today=today(settings), tell=tell)
    except KeyboardInterrupt:
        click.echo(terminal().t("Stopped. Who was taken stays taken: give the same command again to go on."), err=True)
        raise click.exceptions.Exit(STOPPED) from None
    if not quiet:
        click.echo("\n".join(_told(taken)))


@worklist.command("list")
@_STORE
def list_(url: str | None) -> None:
    """Count the entries of each trial by status and by what people decided; no patient is named."""
    store = read_store(url or load_settings().store).worklist
    trials, t = store.trials(), terminal().t
    if not trials:
        click.echo(t("The worklist is empty. Fill it: cds-service prescreen --keep-charts, then worklist take."))
    for trial in trials:
        counts = store.counts(trial)
        click.echo(
            t(
                "{trial}: {patients} patients, {changed} with changed data to look at",
                trial=trial,
                patients=counts.total,
                changed=counts.changed,
            )
        )
        status = _listed({str(name): number for name, number in counts.status.items()})
        click.echo(t("  status: {counts}", counts=status))
        decided = _listed({name.value: number for name, number in counts.state.items()})
        click.echo(t("  decided: {counts}", counts=decided))


@worklist.command()
@click.argument("entry", metavar="ENTRY_ID")
@click.option(
    "--reason",
    type=click.Choice([one.value for one in WhyForgotten]),
    required=True,
    help="For the audit: the person asked, a court ordered it, it should never have been here, it was kept for long "
    "enough, or other.",
)
@click.option("--by", "who", required=True, help="Who does it; the audit keeps it.")
@_STORE
def forget(entry: str, reason: str, who: str, url: str | None) -> None:
    """Remove everything about the person of an entry, on every trial's list, but the audit's rows.

    ENTRY_ID is the last part of the address of the entry's page.
    """
    store = _open(url).worklist
    found = store.entry(entry)
    if found is None:
        raise RequestError("There is no such entry.", field="ENTRY_ID", status=404)
    store.forget(found.patient, who=who, reason=WhyForgotten(reason), now=utc_now())
    t = terminal().t
    click.echo(t("Forgotten. Copies made by backup still hold the person."))
    click.echo(t("So do hashed cards, and comments on them, of calls that named another FHIR server or none."))


def _open(url: str | None, *, create: bool = False) -> Store:
    chosen = url or load_settings().store
    if chosen == "sqlite://":
        raise ConfigError("Setting store: the database in memory belongs to a running service; name another (--store).")
    return open_store(chosen, create=create)


def _source(run: Path, server: str | None) -> str:
    """Return the base that the run's patients are known at, "" where record systems name none."""
    if server == _NONE:
        return ""
    named = server if server is not None else RunFolder(run).begun.server
    if not named:
        raise RequestError(
            "Say which fhirServer record systems name for these patients: a patient is known by it and the id; "
            "--server - where they name none.",
            field="--server",
        )
    try:
        return Origin.of(named).base
    except ValueError as error:
        raise ConfigError(f"--server: {error}.") from None


def _listed(counts: dict[str, int]) -> str:
    speaker = terminal()
    told = (speaker.t("{count} {what}", count=number, what=heard(name)) for name, number in counts.items())
    return speaker.joined(told, ", ")


def _told(taken: TakenRun) -> list[str]:
    t = terminal().t
    lines = [t("{patients} patients taken, as of {day}.", patients=taken.patients, day=str(taken.manifest.as_of))]
    for trial in taken.manifest.digests:
        new, changed, other = (taken.entries[trial, what] for what in ("new", "changed", "unchanged"))
        moved = {(was, now): count for (of, was, now), count in taken.moved.most_common() if of == trial}
        lines.append(
            t(
                "{trial}: {new} new, {moved} with another status, {same} with the same; {changed} to look at",
                trial=trial,
                new=new,
                moved=sum(moved.values()),
                same=changed + other - sum(moved.values()),
                changed=changed,
            )
        )
        for (was, now), count in moved.items():
            lines.append(t("  {count} from {was} to {now}", count=count, was=heard(was), now=heard(now)))
        if missed := taken.entries[trial, "not found"]:
            lines.append(
                t("  {count} on the list not found with this trial's disease: marked as changed", count=missed)
            )
    if taken.left:
        lines.append(
            t("{patients} on a list have no chart in this run; what stands for them stays.", patients=taken.left)
        )
    if taken.another:
        lines.append(
            t(
                "{patients} left alone: by birth date or gender their id is somebody else's on the list.",
                patients=taken.another,
            )
        )
    return lines


def _bar(*, quiet: bool) -> AbstractContextManager[Callable[[int], None]]:
    return nullcontext(_silent) if quiet or not sys.stderr.isatty() else _Bar()


def _silent(_patients: int) -> None:
    """Tell nobody."""


class _Bar(AbstractContextManager[Callable[[int], None]]):
    """How many were taken, on a terminal."""

    def __init__(self) -> None:
        columns = (TextColumn(terminal().t("Taking patients")), BarColumn(), MofNCompleteColumn())
        self._progress = Progress(*columns, console=Console(stderr=True))

    def __enter__(self) -> Callable[[int], None]:
        self._progress.start()
        task = self._progress.add_task("", total=None)
        return lambda patients: self._progress.update(task, completed=patients)

    def __exit__(self, *_told: object) -> None:
        self._progress.stop()

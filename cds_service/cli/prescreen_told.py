"""What ``cds-service prescreen`` shows: a bar while it works, and counts at the end. No patient is named."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from cds_service.present.safe_text import plain
from cds_service.screening.cohort.job import Finished
from cds_service.trials.model import Library

_STEPS: Final = {"read": "Reading the source", "judge": "Judging patients"}


class Progress:
    """A bar for each step on a terminal, with rate and time left."""

    def __init__(self) -> None:
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[rate]}"),
            console=Console(stderr=True),
        )
        self._tasks: dict[str, Any] = {}
        self._begun: dict[str, float] = {}

    def __enter__(self) -> Self:
        """Show it."""
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Leave it as it stands."""
        self._bars.stop()

    def tell(self, step: str, done: int, count: int, patients: int) -> None:
        """Show how far a step is.

        Args:
            step: "read" or "judge".
            done: parts of it.
            count: parts in all.
            patients: judged since this run began.
        """
        if step not in self._tasks:
            self._begun[step] = time.monotonic()
            self._tasks[step] = self._bars.add_task(_STEPS[step], total=count, rate="")
        seconds = time.monotonic() - self._begun[step]
        rate = f"{patients / seconds:.0f} patients/s" if patients and seconds > 0.5 else ""
        self._bars.update(self._tasks[step], completed=done, total=count, rate=rate)


def print_finished(done: Finished, library: Library, out: Path, files: list[Path]) -> None:
    """Print what came of a run."""
    counts = done.manifest["counts"]
    if done.already:
        click.echo("The run was finished before; nothing was read again.")
    kept = f", {done.kept} of them taken over from the earlier run" if done.kept else ""
    click.echo(f"{counts['patients']} patients, {counts['judged']} judged{kept} (as of {done.manifest['as_of']}).")
    for trial in (one["trial"] for one in done.manifest["trials"]):
        told = ", ".join(f"{count} {status}" for (name, status), count in done.statuses.items() if name == trial)
        if told:
            click.echo(f"{trial}: {told}")
        if library.trials[trial].exclusions == "not-published":
            click.echo(f"{trial}: exclusion criteria not encoded; candidates are for review by people.")
    aside = [f"{counts[name]} {words}" for name, words in _ASIDE.items() if counts[name]]
    click.echo(f"{counts['resources']} resources, {counts['used']} used" + (f"; {', '.join(aside)}" if aside else ""))
    for one in done.manifest["incomplete"]:
        kind = "every type" if one["type"] == "*" else one["type"]
        click.echo(f"Not complete: {plain(kind)} ({plain(one['why'])})")
    for path in (out, *files):
        click.echo(path)


_ASIDE: Final = {
    "quarantined": "could not be read (quarantine.jsonl)",
    "unassigned": "of no patient",
    "without_patient": "of patients who are not in the source",
    "not_needed": "not needed",
}

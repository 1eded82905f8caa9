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

from cds_service.cli.tongue import heard, terminal
from cds_service.facts.phrase import say
from cds_service.present.safe_text import plain
from cds_service.screening.cohort.job import Finished
from cds_service.trials.model import Library

_STEPS: Final = {"read": say("Reading the source"), "judge": say("Judging patients")}


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
            self._tasks[step] = self._bars.add_task(terminal().said(_STEPS[step]), total=count, rate="")
        seconds = time.monotonic() - self._begun[step]
        rate = ""
        if patients and seconds > 0.5:
            rate = terminal().t("{rate} patients/s", rate=f"{patients / seconds:.0f}")
        self._bars.update(self._tasks[step], completed=done, total=count, rate=rate)


def print_finished(done: Finished, library: Library, out: Path, files: list[Path]) -> None:
    """Print what came of a run."""
    speaker = terminal()
    t, counts, day = speaker.t, done.manifest["counts"], str(done.manifest["as_of"])
    if done.already:
        click.echo(t("The run was finished before; nothing was read again."))
    people = t("{patients} patients, {judged} judged", patients=counts["patients"], judged=counts["judged"])
    if done.kept:
        people = t("{people}, {kept} of them taken over from the earlier run", people=people, kept=done.kept)
    click.echo(t("{people} (as of {day}).", people=people, day=day))
    for trial in (one["trial"] for one in done.manifest["trials"]):
        told = [
            t("{count} {what}", count=count, what=heard(status))
            for (name, status), count in done.statuses.items()
            if name == trial
        ]
        if told:
            click.echo(t("{trial}: {what}", trial=trial, what=speaker.joined(told, ", ")))
        if library.trials[trial].exclusions == "not-published":
            click.echo(t("{trial}: exclusion criteria not encoded; candidates are for review by people.", trial=trial))
    aside = [t("{count} {what}", count=counts[name], what=words) for name, words in _ASIDE.items() if counts[name]]
    records = t("{resources} resources, {used} used", resources=counts["resources"], used=counts["used"])
    click.echo(speaker.joined([records, speaker.joined(aside, ", ")]))
    for one in done.manifest["incomplete"]:
        kind = t("every type") if one["type"] == "*" else plain(one["type"])
        click.echo(t("Not complete: {type} ({why})", type=kind, why=plain(heard(one["why"]))))
    for path in (out, *files):
        click.echo(path)


_ASIDE: Final = {
    "quarantined": say("could not be read (quarantine.jsonl)"),
    "unassigned": say("of no patient"),
    "without_patient": say("of patients who are not in the source"),
    "not_needed": say("not needed"),
}

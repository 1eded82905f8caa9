"""``cds-service synth``: a population of made-up patients, and the truth about each."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from cds_service.cli.tongue import heard, terminal
from cds_service.cli.wide import padded
from cds_service.errors import RequestError
from cds_service.synth.folder import TRUTH, Made, write_population
from cds_service.synth.person import AS_OF


@click.command()
@click.option("--patients", type=click.IntRange(min=1), required=True, help="How many.")
@click.option("--seed", type=int, required=True, help="The same seed gives the same patients.")
@click.option(
    "--missing",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Probability that a fact is left out of the record or spoilt.",
)
@click.option("--grouped", is_flag=True, help="Files of whole patients instead of one file per resource type.")
@click.option("--names", "named", is_flag=True, help="Give patients names, in Chinese and in Latin script.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A new or empty folder.")
def synth(patients: int, seed: int, missing: float, grouped: bool, named: bool, out: Path) -> None:
    """Write a population of made-up patients as NDJSON, and what is true of each to truth/truth.lines."""
    try:
        if out.exists() and any(out.iterdir()):
            raise RequestError("--out: the folder is not empty.", field="--out")
        made = write_population(out, patients=patients, seed=seed, missing=missing, grouped=grouped, named=named)
    except OSError as error:
        raise RequestError(f"--out: the folder cannot be written ({error.strerror}).", field="--out") from None
    click.echo(_told(made))


def _told(made: Made) -> str:
    t = terminal().t
    lines = [
        t(
            "{patients} patients, {resources} resources, as of {day}; truth in {file}",
            patients=made.patients,
            resources=made.resources.total(),
            day=str(AS_OF),
            file=TRUTH,
        )
    ]
    for title, counts in (
        (t("kind of patient"), made.stories),
        (t("true status"), {heard(status): number for status, number in made.statuses.most_common()}),
        (t("resource"), made.resources),
    ):
        lines += ["", title]
        lines += [f"  {padded(name, 24)}{count:>10}" for name, count in Counter(counts).most_common()]
    return "\n".join(lines)

"""``cds-service score``: a prescreening run compared with the truth of a made-up population."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cds_service.cli.score_told import score_lines
from cds_service.synth.score import score_run, to_mapping


@click.command()
@click.argument("run_dir", type=click.Path(path_type=Path))
@click.argument("synth_dir", type=click.Path(path_type=Path))
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def score(context: click.Context, run_dir: Path, synth_dir: Path, style: str) -> None:
    """Compare the run in RUN_DIR with the truth that `synth` wrote to SYNTH_DIR.

    Exit 0 only if no definite verdict contradicts the truth, every criterion of which nothing was left out has
    exactly the contract's verdict, and every patient was judged once; else 1.
    """
    tally = score_run(run_dir, synth_dir)
    if style == "json":
        click.echo(json.dumps(to_mapping(tally), indent=2))
    else:
        click.echo("\n".join(score_lines(tally)))
    context.exit(1 if tally.wrong else 0)

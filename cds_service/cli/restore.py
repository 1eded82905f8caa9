"""``cds-service restore``: the store made anew from a copy."""

from __future__ import annotations

from pathlib import Path

import click

from cds_service.bootstrap import utc_now
from cds_service.cli.backup import told
from cds_service.cli.tongue import terminal
from cds_service.settings import load_settings
from cds_service.store import backup


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--store", "url", metavar="URL", help="The database; by default that of the settings.")
@click.option("--replace", is_flag=True, help="Also when the store holds rows; its file is kept beside.")
def restore(file: Path, url: str | None, replace: bool) -> None:
    """Make the store anew from FILE, a copy made by cds-service backup. Stop the service first.

    The copy is looked through before anything is changed: its integrity, its schema, every row of its audit.
    """
    copied = backup.restore(url or load_settings().store, file, replace=replace, now=utc_now())
    t = terminal().t
    click.echo(t("Restored: {what}", what=told(copied)))
    if copied.kept is not None:
        click.echo(t("What was there before is kept in {file}; it holds patient data.", file=str(copied.kept)))

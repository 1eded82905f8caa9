"""``cds-service backup``: a copy of the store in one file, taken while the service runs."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from cds_service.bootstrap import utc_now
from cds_service.cli.tongue import terminal
from cds_service.settings import load_settings
from cds_service.store.backup import Copied, back_up


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--store", "url", metavar="URL", help="The database; by default that of the settings.")
@click.pass_context
def backup(ctx: click.Context, file: Path, url: str | None) -> None:
    """Write a copy of the store to FILE, which must not be there yet. The service may go on writing.

    The copy holds patient data and people's decisions: keep it like the chart. For PostgreSQL use pg_dump. Exits with 1
    when the copy is written, but a row of the audit was changed or is missing.
    """
    copied = back_up(url or load_settings().store, file, who=_account(), now=utc_now())
    click.echo(f"{file}: {told(copied)}")
    if copied.bad is not None:
        wrong = terminal().t("Row {number} of the audit is not as it was written, or missing.", number=copied.bad)
        click.echo(wrong, err=True)
        ctx.exit(1)


def _account() -> str:
    """Return the account that runs this, for the audit; "" where the system knows none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def told(copied: Copied) -> str:
    """Say what a copy holds, in numbers; the last digest is worth writing down elsewhere."""
    t = terminal().t
    entries = (
        t("{number} entry of the worklist", number=copied.entries)
        if copied.entries == 1
        else t("{number} entries of the worklist", number=copied.entries)
    )
    if not copied.audit:
        return t("{entries}, no audit.", entries=entries)
    last = f"{copied.audit}:{copied.digest}"
    return t("{entries}, {number} rows of the audit, the last {last}.", entries=entries, number=copied.audit, last=last)

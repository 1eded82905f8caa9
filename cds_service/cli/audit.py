"""``cds-service audit``: whether the audit is as it was written."""

from __future__ import annotations

import click

from cds_service.cli.tongue import terminal
from cds_service.errors import ConfigError
from cds_service.settings import load_settings
from cds_service.store import Store, read_store


@click.group()
def audit() -> None:
    """Look after the audit: who saw and did what in the worklist."""


@audit.command()
@click.option("--store", "url", metavar="URL", help="The database; by default that of the settings.")
@click.option(
    "--last", metavar="NUMBER:DIGEST", help="A last row that was written down before: it must still be there."
)
@click.pass_context
def verify(ctx: click.Context, url: str | None, last: str | None) -> None:
    """Verify every row of the audit; exit with 1 if one was changed or is missing.

    Rows cut off at the end show only against a NUMBER:DIGEST that was kept elsewhere: this command and backup print it.
    """
    store = read_store(url or load_settings().store)
    try:
        bad = store.worklist.verify_audit()
        number, digest = store.worklist.audit_tip()
        cut = last is not None and not _there(store, last)
    finally:
        store.close()
    t = terminal().t
    if bad is not None:
        click.echo(t("Row {number} of the audit is not as it was written, or missing.", number=bad), err=True)
    elif cut:
        click.echo(
            t("The audit has {number} rows, and the one that --last names is not among them.", number=number), err=True
        )
    else:
        click.echo(
            t("{number} rows, all as they were written. The last: {last}", number=number, last=f"{number}:{digest}")
            if number
            else t("{number} rows, all as they were written.", number=number)
        )
    ctx.exit(1 if bad is not None or cut else 0)


def _there(store: Store, last: str) -> bool:
    number, _, digest = last.partition(":")
    if not (number.isascii() and number.isdecimal() and len(number) < 10 and digest):
        raise ConfigError("--last: write NUMBER:DIGEST, as this command prints it.")
    rows = store.worklist.audit(before=int(number) + 1, limit=1)
    return [(one.number, one.digest) for one in rows] == [(int(number), digest)]

"""``cds-service keys``: our own signing keys, made, shown and retired."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from cds_service.cli.tongue import terminal
from cds_service.errors import ConfigError
from cds_service.settings import load_settings
from cds_service.trust.own_keys import GRACE, new_key, read_keys, signing_key
from cds_service.trust.own_keys import retire as retire_key
from cds_service.trust.public_keys import ALGORITHMS


@click.group()
def keys() -> None:
    """Keys that the service signs with; their public parts are at /.well-known/jwks.json."""


def _folder() -> Path:
    folder = load_settings().keys
    if folder is None:
        raise ConfigError("Setting keys: name the folder of the keys (CDS_KEYS).")
    return folder


@keys.command()
def new() -> None:
    """Make a key for each algorithm (ES384, RS384). Published at once; signs after an hour, or at once if alone."""
    folder = _folder()
    for algorithm in ALGORITHMS:
        click.echo(f"{algorithm}  {new_key(folder, algorithm, datetime.now(UTC)).kid}")


@keys.command("list")
def list_keys() -> None:
    """Show every key, oldest first: algorithm, kid, when it was made, what it is used for."""
    now = datetime.now(UTC)
    every = read_keys(_folder())
    t = terminal().t
    for key in every:
        if key == signing_key(every, key.algorithm, now):
            use = t("signs")
        elif now - key.made < GRACE:
            use = t("published, signs from {time} UTC", time=f"{(key.made + GRACE).astimezone(UTC):%Y-%m-%d %H:%M}")
        else:
            use = t("published, signs no more; may be retired")
        click.echo(f"{key.algorithm}  {key.kid}  {key.made.astimezone(UTC):%Y-%m-%d %H:%M} UTC  {use}")
    if not every:
        click.echo(t("No keys; make some with: cds-service keys new."))


@keys.command()
@click.argument("kid")
@click.option("--compromised", is_flag=True, help="Also when it still signs: somebody else has it.")
def retire(kid: str, compromised: bool) -> None:
    """Delete a key that no longer signs."""
    retire_key(_folder(), kid, datetime.now(UTC), compromised=compromised)
    click.echo(terminal().t("Retired."))

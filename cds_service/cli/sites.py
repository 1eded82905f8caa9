"""``cds-service sites``: check site files, and list what charts held that nothing maps."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from cds_service.cli.rule_files import counted, folder_in_use, refuse
from cds_service.cli.tongue import terminal
from cds_service.errors import Complaint, RequestError, RuleError
from cds_service.facts.chart import read_entries
from cds_service.facts.codes import NAMES
from cds_service.facts.unmapped import Unmapped, find_unmapped, listed
from cds_service.gather.bundle import read_bundle
from cds_service.gather.json_text import read_json
from cds_service.present.json_text import to_json
from cds_service.present.safe_text import plain
from cds_service.settings import load_settings
from cds_service.trials.library import load_library
from cds_service.trials.model import Library
from cds_service.trials.site_file import site_names

_RULES = click.option(
    "--rules", "folder", type=click.Path(path_type=Path), help="The rules folder; the one in use otherwise."
)


@click.group()
def sites() -> None:
    """Check site files; list what charts hold that nothing maps."""


@sites.command()
@click.argument("site", metavar="[SITE]", required=False)
@_RULES
def check(site: str | None, folder: Path | None) -> None:
    """Read one site file, or all; print every complaint."""
    folder = folder_in_use(folder)
    names = site_names(folder) if site is None else [site]
    complaints: list[Complaint] = []
    for name in names:
        try:
            click.echo(_described(load_library(folder, site=name)))
        except RuleError as error:
            complaints += error.complaints
    if complaints:
        refuse(dict.fromkeys(complaints))
    if not names:
        click.echo(terminal().t("no site files"))


@sites.command()
@click.argument("bundles", metavar="BUNDLE.json...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--site", help="The site file to take into account; the one of the settings otherwise.")
@click.option("--all", "every", is_flag=True, help="Also codes of known systems that no value set holds.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
@_RULES
def unmapped(bundles: tuple[Path, ...], site: str | None, every: bool, style: str, folder: Path | None) -> None:
    """List codes, names and units of charts that nothing maps, with how often each was seen.

    No values, dates or patients; names are as people wrote them, digits masked: look them through all the same.
    """
    settings = load_settings()
    library = _library(folder_in_use(folder), site or settings.site)
    found: Counter[Unmapped] = Counter()
    for file in bundles:
        body = read_json(_read(file), max_bytes=settings.max_bundle_bytes, what=file.name)
        record = read_bundle(body)
        entries = read_entries(library.site.localised(record) if library.site else record)
        found += find_unmapped(entries, library.value_sets, library.facts, library.site, every=every)
    rows = listed(found)
    if style == "json":
        items = [
            {"element": one.element, "system": one.system, "code": one.code, "text": one.text, "count": count}
            for one, count in rows
        ]
        label = library.site.label if library.site else None
        click.echo(to_json({"site": label, "bundles": len(bundles), "unmapped": items}, indent=2))
        return
    for one, count in rows:
        cells = (one.element, one.system or "-", one.code or "-", one.text or "-")
        click.echo("\t".join((str(count), *(plain(cell) for cell in cells))))
    if not rows:
        click.echo(terminal().t("nothing unmapped"))


def _library(folder: Path, site: str | None) -> Library:
    try:
        return load_library(folder, site=site)
    except RuleError as error:
        refuse(error.complaints)


def _described(library: Library) -> str:
    site = library.site
    assert site is not None  # noqa: S101 (asked for by name)
    added = [concept.system == NAMES for found in site.concepts.values() for concept in found]
    parts = (
        counted(len(site.aliases), "system"),
        counted(added.count(False), "code"),
        counted(added.count(True), "name"),
        counted(len(site.units), "unit"),
        counted(sum(map(len, site.limits.values())), "limit"),
    )
    speaker = terminal()
    return speaker.t("{site}: {what}: ok", site=site.label, what=speaker.joined(parts, ", "))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise RequestError(f"BUNDLE: {file.name} cannot be read ({error.strerror}).", field="BUNDLE") from None

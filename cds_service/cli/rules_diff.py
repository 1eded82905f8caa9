"""``cds-service rules diff``: what changed between two versions of the rules, and which example patients it moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import click

from cds_service.cli.evaluate import read_bytes, read_day
from cds_service.cli.rule_files import FOLDER, counted, folder_in_use, library_of, refuse
from cds_service.cli.tongue import terminal
from cds_service.errors import RuleError
from cds_service.present.safe_text import plain
from cds_service.present.speaker import Speaker
from cds_service.trials.compare import library_changes, rule_changes
from cds_service.trials.complaints import Complaints
from cds_service.trials.facts_file import FACTS_FILE
from cds_service.trials.load import read_trial
from cds_service.trials.model import Library
from cds_service.trials.yaml_text import read_document

VERDICTS_CHANGED: Final = 1
_WIDEST: Final = 600


@dataclass(frozen=True)
class Example:
    """A patient to judge by both versions.

    Args:
        name: of its folder or file.
        file: the Bundle.
        as_of: the day its story is told of; None when it says none.
        anchor: its planned first dose, if it has one.
    """

    name: str
    file: Path
    as_of: date | None
    anchor: date | None


@click.command()
@click.argument("old", type=click.Path(path_type=Path, exists=True))
@click.argument("new", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--examples",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path("fhir_examples/patients"),
    show_default=True,
    help="Folder of patients: <name>/bundle.json with as_of in expected.yaml beside it, or <name>.json.",
)
@click.option("--as-of", metavar="DATE", help="Day of the judgement where an example names none; today by default.")
@FOLDER
def diff(old: Path, new: Path, examples: Path, as_of: str | None, folder: Path | None) -> None:
    """Compare two rules folders, or two trial.yaml files of one trial.

    A trial.yaml in a rules folder is read with the facts of that folder, any other with the folder in use. Ends with
    0 when no example patient's status or verdict changes (the rules may), and with 1 when one does.
    """
    from cds_service.bootstrap import today
    from cds_service.settings import load_settings

    day = read_day("--as-of", as_of) or today(load_settings())
    before, after = (_load(path, folder) for path in (old, new))
    speaker = _speaker(before, after)
    t = speaker.t
    for line in library_changes(before, after):
        click.echo(speaker.said(line))
    for trial_id in dict.fromkeys((*before.trials, *after.trials)):
        if trial_id not in before.trials or trial_id not in after.trials:
            added = trial_id in after.trials
            click.echo(t("{trial}: added", trial=trial_id) if added else t("{trial}: removed", trial=trial_id))
            continue
        for line in rule_changes(before.trials[trial_id], after.trials[trial_id]):
            click.echo(t("{one}: {other}", one=trial_id, other=line))
    patients = list(_examples(examples))
    moved: set[str] = set()
    for one in patients:
        for trial_id, line in _judged(one, before, after, day):
            moved.add(one.name)
            told = t("{one}: {other}", one=trial_id, other=line)
            click.echo(plain(t("{one}: {other}", one=one.name, other=told), _WIDEST))
    changed = len(moved)
    click.echo(t("{what}, {changed} changed", what=counted(len(patients), "example patient"), changed=changed))
    if moved:
        raise click.exceptions.Exit(VERDICTS_CHANGED)


def _load(path: Path, folder: Path | None) -> Library:
    """Load a rules folder, or one trial with the facts beside it or those in use."""
    if path.is_dir():
        return library_of(path)
    above = path.resolve().parents
    own = next((one for one in above[2:3] if (one / FACTS_FILE).is_file()), None)
    library = library_of(own or folder_in_use(folder))
    complaints = Complaints()
    try:
        document = read_document(path)
    except RuleError as error:
        refuse(error.complaints)
    # A copy checked out of git may lie in a folder of any name.
    head: Any = document.data.get("trial") if isinstance(document.data, dict) else None
    named = str(head.get("id")) if isinstance(head, dict) else ""
    trial = read_trial(document, library.facts, complaints, folder=named)
    if trial is None:
        refuse(complaints.found)
    return Library({trial.id: trial}, library.facts, library.value_sets, library.site)


def _examples(folder: Path) -> Iterator[Example]:
    for file in sorted((*folder.glob("*/bundle.json"), *folder.glob("*.json"))):
        name = file.parent.name if file.name == "bundle.json" else file.stem
        told = file.parent / "expected.yaml"
        known: Any = read_document(told).data if file.name == "bundle.json" and told.is_file() else {}
        days = [known.get(key) if isinstance(known, dict) else None for key in ("as_of", "anchor")]
        as_of, anchor = (read_day(str(told), str(day)) if day is not None else None for day in days)
        yield Example(name, file, as_of, anchor)


def _speaker(before: Library, after: Library) -> Speaker:
    """Return who says the words of either version; the newer one's translation counts where both have one."""
    newer, older = terminal(after), terminal(before)
    if newer.language == "en":
        return newer

    def translate(template: str) -> str:
        said = newer.translate(template)
        return said if said != template else older.translate(template)

    return Speaker(newer.language, translate)


def _judged(one: Example, before: Library, after: Library, day: date) -> Iterator[tuple[str, str]]:
    """Judge an example by both versions; yield what changed for each trial that both have."""
    from cds_service.evaluation.differences import verdict_changes
    from cds_service.evaluation.judge import judge
    from cds_service.gather.bundle import read_bundle
    from cds_service.gather.json_text import read_json
    from cds_service.settings import load_settings

    body = read_json(read_bytes(str(one.file)), max_bytes=load_settings().max_bundle_bytes, what=one.name)
    record, as_of = read_bundle(body), one.as_of or day
    trials = [name for name in before.trials if name in after.trials]
    old, new = (judge(record, rules, as_of=as_of, anchor=one.anchor, trials=trials) for rules in (before, after))
    for was, now in zip(old.trials, new.trials, strict=True):
        for line in verdict_changes(was, now):
            yield now.trial.id, line

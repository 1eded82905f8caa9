"""Everything under ``rules/``, loaded once at start; a mistake in any file refuses the whole."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from cds_service.errors import ConfigError, RuleError
from cds_service.facts.codes import ValueSets
from cds_service.facts.definitions import FactDefinition
from cds_service.facts.site import Site
from cds_service.trials.complaints import Complaints
from cds_service.trials.digest import canonical, rules_digest
from cds_service.trials.facts_file import FACTS_FILE, Known, read_facts
from cds_service.trials.load import TRIAL_FILE, read_trial
from cds_service.trials.model import Library, Trial
from cds_service.trials.site_file import read_site, site_path
from cds_service.trials.yaml_text import Document, read_document

TRIALS: Final = "trials"
VALUE_SETS: Final = "valuesets"


def load_library(
    folder: Path,
    extra_trials: Iterable[Path] = (),
    *,
    kinds: Collection[str] | None = None,
    site: str | None = None,
) -> Library:
    """Load the rules.

    Args:
        folder: holds ``facts.yaml``, ``valuesets/`` and ``trials/<registry id>/trial.yaml``.
        extra_trials: further trial folders, such as one that is being written.
        kinds: names of the readers that build facts; the chart's own by default.
        site: the hospital whose ``sites/<site>.yaml`` maps its codes, units, limits and names; None for none.

    Returns:
        Trials by registry number, in the order of their numbers.

    Raises:
        RuleError: every complaint of every file.
    """
    complaints = Complaints()
    if kinds is None:
        from cds_service.facts.chart import FACT_KINDS

        kinds = FACT_KINDS
    value_sets = _value_sets(folder / VALUE_SETS, complaints)
    # Without them every trial would complain of every fact, so the trials wait until facts.yaml can be read.
    facts_document = _read(folder / FACTS_FILE, complaints)
    if value_sets is None or facts_document is None:
        complaints.raise_any()
        raise AssertionError("something is missing without a complaint")  # pragma: no cover
    facts = read_facts(facts_document, Known(kinds, value_sets), complaints)
    local, local_data = (None, None) if site is None else _site(folder, site, facts, value_sets, complaints)
    shared = (
        canonical(facts_document.data),
        canonical(_value_set_data(folder / VALUE_SETS)),
        None if local_data is None else canonical(local_data),
    )
    trials: dict[str, Trial] = {}
    for trial_folder in (*_trial_folders(folder / TRIALS, complaints), *extra_trials):
        document = _read(trial_folder / TRIAL_FILE, complaints)
        if document is None:
            continue
        trial = read_trial(document, facts, complaints, folder=trial_folder.resolve().name)
        if trial is None:
            continue
        if trial.id in trials:
            complaints.add(document.name, f"{trial.id} is loaded already, from another folder")
        trials[trial.id] = replace(trial, digest=rules_digest(canonical(document.data), *shared))
    complaints.raise_any()
    return Library(trials, facts, value_sets.with_concepts(local.concepts) if local else value_sets, local)


def _site(
    folder: Path, name: str, facts: Mapping[str, FactDefinition], value_sets: ValueSets, complaints: Complaints
) -> tuple[Site | None, Any]:
    """Read a site file; return it with its data, for the digest."""
    file = site_path(folder, name, complaints)
    document = _read(file, complaints) if file else None
    if document is None:
        return None, None
    return read_site(document, facts, value_sets, complaints), document.data


def _trial_folders(trials: Path, complaints: Complaints) -> list[Path]:
    folders = sorted(path for path in trials.glob("*") if path.is_dir()) if trials.is_dir() else []
    if not folders:
        complaints.add(str(trials), f"no trial here: expected folders that hold a {TRIAL_FILE}")
    return folders


def _read(file: Path, complaints: Complaints) -> Document | None:
    try:
        return read_document(file)
    except RuleError as error:
        complaints.take(error)
        return None


def _value_sets(folder: Path, complaints: Complaints) -> ValueSets | None:
    """Load the value sets; their first mistake is one complaint among the others."""
    try:
        return ValueSets.load(folder)
    except ConfigError as error:
        where, _, message = str(error).partition(": ")
        complaints.add(where, message)
        return None


def _value_set_data(folder: Path) -> dict[str, Any]:
    """Read the files again as plain data, for the digest: what a display or a note says counts too."""
    return {
        file.stem: json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
        for file in sorted(folder.glob("*.json"))
    }

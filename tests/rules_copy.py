"""A rules folder of a test's own, small enough to be read and proven in a moment."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TRIAL = "NCT99999999"
FICTITIOUS = ROOT / "tests" / "rules" / "fictitious" / TRIAL
PENDING, SIGNED = "review: pending", "review: signed-off"


def copy_rules(folder: Path) -> Path:
    """Copy facts, value sets and the fictitious trial alone; return the trial's file."""
    shutil.copytree(ROOT / "rules" / "valuesets", folder / "valuesets")
    shutil.copy(ROOT / "rules" / "facts.yaml", folder)
    shutil.copytree(FICTITIOUS, folder / "trials" / TRIAL)
    return folder / "trials" / TRIAL / "trial.yaml"


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, old
    file.write_text(text.replace(old, new), encoding="utf-8")

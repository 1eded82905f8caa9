"""Run folders made without the job: judged patients, written as the design of prescreening says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from cds_service.bootstrap import load_rules
from cds_service.evaluation.outcome import PatientOutcome, TrialOutcome, Verdict
from cds_service.gather.json_text import read_json
from cds_service.present.json_text import to_json
from cds_service.screening.patient import Rules, screen_bundle
from cds_service.trials.model import Library

ROOT = Path(__file__).resolve().parents[2]
STORIES = sorted(path.parent for path in (ROOT / "fhir_examples" / "patients").glob("*/bundle.json"))
AS_OF = date(2026, 3, 1)
NPC = "NCT07235319"
SIGNED = (NPC,)


def story_outcomes(rules: Rules, trials: Sequence[str] = SIGNED) -> list[PatientOutcome]:
    """Judge every story on the one day of a run."""
    found = []
    for story in STORIES:
        body = read_json((story / "bundle.json").read_bytes(), max_bytes=10**8, what="bundle")
        found.append(screen_bundle(rules, body, as_of=AS_OF, trials=trials))
    return found


def expected_day(story: Path) -> str:
    return str(YAML(typ="safe").load(story / "expected.yaml")["as_of"])


def trigger_fails(outcome: TrialOutcome) -> bool:
    return any(one.criterion.trigger and one.verdict is Verdict.FAIL for one in outcome.criteria)


def line_of(outcome: PatientOutcome) -> dict[str, Any]:
    told = outcome.to_json()
    gone = {one.trial.id for one in outcome.trials if trigger_fails(one)}
    return {
        "patient": told["patient"],
        "as_of": told["as_of"],
        "site": told["site"],
        "data": "sha256:" + "0" * 64,
        "results": [one for one in told["results"] if one["trial"] not in gone],
        "others": [
            {"trial": one["trial"], "gate": one["gate"], "status": one["status"], "trigger": "fail"}
            for one in told["results"]
            if one["trial"] in gone
        ],
        "unread": told["unread"],
        "set_aside": told["set_aside"],
    }


def write_run(
    folder: Path, lines: Iterable[Mapping[str, Any]], library: Library, trials: Sequence[str] = SIGNED, **changes: Any
) -> Path:
    """Write a finished run folder."""
    folder.mkdir(mode=0o700, exist_ok=True)
    text = [to_json(line) + "\n" for line in lines]
    (folder / "results.jsonl").write_text("".join(text), encoding="utf-8")
    manifest = {
        "format": 1,
        "as_of": AS_OF.isoformat(),
        "anchor": None,
        "site": None,
        "trials": [{"trial": one, "rules_digest": library.trials[one].digest} for one in trials],
        "source": {"kind": "bundles", "files": []},
        "counts": {
            **{"patients": len(text), "resources": 12, "used": 9, "not_needed": 1, "quarantined": 0, "unassigned": 1},
            **{"without_patient": 1, "judged": len(text)},
        },
        "incomplete": [],
        **changes,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False), encoding="utf-8")
    return folder


def rules() -> Rules:
    return load_rules()


def statuses(outcomes: Iterable[PatientOutcome]) -> Counter[str]:
    return Counter(one.status.value for patient in outcomes for one in patient.trials)

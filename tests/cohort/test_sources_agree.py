"""Bundles, NDJSON in any arrangement and ``evaluate`` give the very same results."""

import gzip
import json
import random
from pathlib import Path

import pytest

from cds_service.bootstrap import load_rules
from cds_service.gather.json_text import read_json
from cds_service.present.json_text import to_json
from cds_service.screening.cohort.judged import PatientInput, Task, judge_of
from cds_service.screening.cohort.source import bundle_source
from cds_service.screening.patient import screen_bundle
from tests.cohort.populations import (
    DAY,
    EXAMPLES,
    TASK,
    Resource,
    by_type,
    example,
    npc,
    observation,
    person,
    prescreened,
    results,
    run_of,
    write,
)

NAMES = sorted(path.name for path in EXAMPLES.iterdir())
TRIAL = "NCT07235319"


def without_digest(found: dict[str, Resource]) -> dict[str, Resource]:
    return {name: {key: value for key, value in one.items() if key != "data"} for name, one in found.items()}


def evaluated(name: str) -> Resource:
    rules = load_rules()
    body = read_json((EXAMPLES / name / "bundle.json").read_bytes(), max_bytes=2**24)
    found = json.loads(to_json(screen_bundle(rules, body, as_of=DAY, trials=[TRIAL]).to_json()))
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def from_bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Resource]:
    out = tmp_path_factory.mktemp("bundles") / "run"
    done = prescreened(bundle_source(EXAMPLES), out)
    assert done.whole
    assert done.manifest["counts"]["judged"] == len(NAMES)
    return without_digest(results(out))


def test_bundles_are_judged_as_evaluate_does(from_bundles: dict[str, Resource]) -> None:
    for name in NAMES:
        one, wanted = from_bundles[f"Patient/{name}"], evaluated(name)
        trigger = next(c for c in wanted["results"][0]["criteria"] if c["id"] == "npc-primary")
        if trigger["verdict"] == "fail":
            told = wanted["results"][0]
            assert one["results"] == []
            assert one["others"] == [
                {"trial": TRIAL, "gate": told["gate"], "status": told["status"], "trigger": "fail"}
            ]
        else:
            assert one["results"] == wanted["results"]
            assert one["others"] == []
        assert one["unread"] == wanted["unread"]
    assert sum(not one["results"] for one in from_bundles.values()) == 1  # the healthy person


@pytest.mark.parametrize("arranged", ["by type", "interleaved", "per patient", "packed", "shuffled"])
def test_ndjson_of_any_arrangement_gives_the_same(
    arranged: str, tmp_path: Path, from_bundles: dict[str, Resource]
) -> None:
    everything = [line for name in NAMES for line in example(name)]
    random.Random(7).shuffle(everything)
    if arranged in ("by type", "shuffled"):
        folder = write(tmp_path / "in", by_type(sorted(everything) if arranged == "by type" else everything))
    elif arranged == "interleaved":
        folder = write(tmp_path / "in", {"all.ndjson": everything}, every_type=False)
    elif arranged == "per patient":
        files = {f"ward/{name}.ndjson": example(name) for name in NAMES}
        (tmp_path / "in" / "ward").mkdir(parents=True)
        folder = write(tmp_path / "in", files)
    else:
        folder = write(tmp_path / "in", by_type(everything))
        for file in folder.iterdir():
            (folder / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
            file.unlink()
    done = run_of(folder, tmp_path / "run")
    assert done.whole
    assert without_digest(results(tmp_path / "run")) == from_bundles


def test_order_of_lines_changes_nothing() -> None:
    lines = tuple(line.encode() for line in example("candidate"))
    assert judge_of(TASK)(PatientInput("candidate", lines)) == judge_of(TASK)(PatientInput("candidate", lines[::-1]))


def test_numbers_stay_as_they_were_written() -> None:
    lab = json.dumps(observation("p", valueQuantity={"value": 0, "code": "g/L"})).replace(
        '"value": 0', '"value": 90.00'
    )
    lines = tuple(one.encode() for one in (json.dumps(person("p")), json.dumps(npc("p")), lab))
    assert '"value":90.00' in judge_of(TASK)(PatientInput("p", lines))


def test_the_digest_tells_every_change() -> None:
    one = PatientInput("p", (b"a", b"b"), (b"d",), {"Condition": "why"})
    same = PatientInput("p", (b"b", b"a"), (b"d",), {"Condition": "why"})
    others = [
        PatientInput("p", (b"a", b"b", b"d"), (), {"Condition": "why"}),
        PatientInput("p", (b"ab",), (b"d",), {"Condition": "why"}),
        PatientInput("p", (b"a", b"b"), (b"d",), {}),
        PatientInput("p", (b"a", b"b", b"b"), (b"d",), {"Condition": "why"}),
    ]
    assert one.digest == same.digest
    assert len({one.digest, *(other.digest for other in others)}) == 5


def test_a_pending_trial_is_judged_when_named_only() -> None:
    lines = tuple(line.encode() for line in example("candidate"))
    plain = json.loads(judge_of(TASK)(PatientInput("candidate", lines)))
    named = json.loads(judge_of(Task(None, DAY, None, ("NCT04557020",)))(PatientInput("candidate", lines)))
    assert [one["trial"] for one in plain["results"]] == [TRIAL]
    assert [one["trial"] for one in named["results"]] == ["NCT04557020"]

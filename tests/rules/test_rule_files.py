"""The rule files that are shipped load, and do what their own test cases say."""

import json
from pathlib import Path

import pytest

from cds_service.present.cohort import words as cohort_words
from cds_service.screening.case_runner import run_cases
from cds_service.trials import cases, criteria, facts_file, load
from cds_service.trials.cases import CASE_FILE, CaseFile, load_cases
from cds_service.trials.coverage import missing_coverage
from cds_service.trials.library import TRIALS, load_library
from cds_service.trials.model import Library

FOLDER = Path(__file__).resolve().parents[2] / "rules"
TRIAL_IDS = sorted(path.name for path in (FOLDER / TRIALS).iterdir())


@pytest.fixture(scope="module")
def library() -> Library:
    return load_library(FOLDER)


def case_file(library: Library, trial: str) -> CaseFile:
    return load_cases(FOLDER / TRIALS / trial / CASE_FILE, library.trials[trial], library.facts)


def test_every_trial_is_loaded(library: Library) -> None:
    assert sorted(library.trials) == TRIAL_IDS


@pytest.mark.parametrize("trial", TRIAL_IDS)
def test_the_cases_show_every_verdict_and_limit(library: Library, trial: str) -> None:
    assert missing_coverage(library.trials[trial], case_file(library, trial)) == ()


@pytest.mark.parametrize("trial", TRIAL_IDS)
def test_the_cases_hold(library: Library, trial: str) -> None:
    results = run_cases(library, case_file(library, trial))
    assert [(result.case.it, result.problems) for result in results if not result.passed] == []
    assert results


def test_what_coordinators_read_holds_no_notes_of_ours(library: Library) -> None:
    titles = [title for trial in library.trials.values() for title in trial.title.values()]
    assert [title for title in titles if any(note in title for note in ("our words", "the copy", "转述"))] == []
    told = [text for text in vars(cohort_words).values() if isinstance(text, str)]
    assert [text for text in told if "trigger" in text.lower()] == []


def keys(schema: dict[str, object]) -> tuple[set[str], set[str]]:
    required, properties = schema["required"], schema["properties"]
    assert isinstance(required, list)
    assert isinstance(properties, dict)
    assert schema["additionalProperties"] is False
    return set(required), set(properties) - set(required)


@pytest.mark.parametrize(
    ("name", "part", "required", "optional"),
    [
        ("trial", "", load.TOP, load.TOP_OPTIONAL),
        ("trial", "trial", load.HEAD, load.HEAD_OPTIONAL),
        ("trial", "criterion", criteria.REQUIRED, criteria.OPTIONAL),
        ("facts", "fact", facts_file.REQUIRED, facts_file.OPTIONAL),
        ("cases", "", cases.TOP, cases.TOP_OPTIONAL),
        ("cases", "case", cases.REQUIRED, cases.OPTIONAL),
    ],
)
def test_editors_are_told_the_same_keys(
    name: str, part: str, required: tuple[str, ...], optional: tuple[str, ...]
) -> None:
    schema = json.loads((FOLDER / f"{name}.schema.json").read_text(encoding="utf-8"))
    assert keys(schema["$defs"][part] if part else schema) == (set(required), set(optional))


def test_editors_are_told_the_same_words() -> None:
    facts = json.loads((FOLDER / "facts.schema.json").read_text(encoding="utf-8"))["$defs"]["fact"]["properties"]
    assert facts["type"]["enum"] == list(facts_file.TYPES)
    assert facts["ask"]["properties"]["kind"]["enum"] == list(facts_file.ASK_KINDS)
    head = json.loads((FOLDER / "trial.schema.json").read_text(encoding="utf-8"))["$defs"]["trial"]["properties"]
    assert head["exclusions"]["enum"] == list(load.EXCLUSIONS)
    assert head["review"]["enum"] == list(load.REVIEWS)


def test_the_example_of_the_readme_holds(tmp_path: Path, library: Library) -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    blocks = [block.split("```")[0] for block in text.split("```yaml\n")[1:]]
    folder = tmp_path / "NCT00000001"
    folder.mkdir()
    for name, key in (("trial.yaml", "criteria:"), (CASE_FILE, "cases:")):
        (folder / name).write_text(next(block for block in blocks if key in block), encoding="utf-8")
    extended = load_library(FOLDER, [folder])
    example = load_cases(folder / CASE_FILE, extended.trials["NCT00000001"], library.facts)
    assert missing_coverage(extended.trials["NCT00000001"], example) == ()
    assert [result.problems for result in run_cases(extended, example)] == [()] * 6

"""A service with a worklist, a store of its own, and patients taken into it."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.bootstrap import Services, build, load_rules
from cds_service.gather.bundle import read_bundle
from cds_service.screening.cohort.source import ndjson_source
from cds_service.screening.patient import Rules
from cds_service.screening.worklist.intake import take_outcome
from cds_service.settings import load_settings
from cds_service.store import open_store
from cds_service.store.worklist import Entry
from cds_service.store.worklist_store import WorklistStore
from cds_service.web import create_app
from tests.cohort.populations import prescreened, write
from tests.intake.opened_charts import DAY, NOW, NPC, bundle
from tests.intake.taken_runs import KEEP, PATIENTS, lines_of


@pytest.fixture(scope="module")
def rules() -> Rules:
    return load_rules()


@pytest.fixture
def services(rules: Rules) -> Iterator[Services]:
    found = build(load_settings(mode="open", store="sqlite://"), clock=lambda: DAY, now=lambda: NOW, rules=rules)
    yield found
    found.store.close()


@pytest.fixture
def client(services: Services) -> FlaskClient:
    return create_app(services).test_client()


@pytest.fixture
def worklist() -> Iterator[WorklistStore]:
    store = open_store("sqlite://")
    yield store.worklist
    store.close()


@pytest.fixture
def taken(worklist: WorklistStore, rules: Rules) -> Callable[..., Entry]:
    def take(story: str = "candidate", day: date = DAY, body: dict[str, Any] | None = None) -> Entry:
        record = read_bundle(body or bundle(story))
        outcome = rules.judge(record, rules.library, as_of=day, trials=[NPC])
        ids = take_outcome(worklist, record, outcome, source="", now=NOW)
        found = worklist.entry(ids[NPC])
        assert found is not None
        return found

    return take


@pytest.fixture(scope="session")
def population(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight patients of the trial's disease, and two healthy ones."""
    stories = ["candidate", "stale-bilirubin"]
    names = {f"p{n}": stories[n % 2] for n in range(PATIENTS)}
    return write(tmp_path_factory.mktemp("population") / "in", lines_of({**names, "q1": "healthy-person"}))


@pytest.fixture(scope="session")
def undisturbed(population: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    prescreened(ndjson_source(population, part_bytes=20_000), out, task=KEEP)
    return out


@pytest.fixture
def store() -> Any:
    found = open_store("sqlite://")
    yield found
    found.close()

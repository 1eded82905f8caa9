"""The demo's clinic: made-up patients, prescreened and taken into the worklist."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from cds_service.bootstrap import Services
from cds_service.screening.cohort.job import Job, run
from cds_service.screening.cohort.judged import Task
from cds_service.screening.cohort.source import ndjson_source
from cds_service.screening.worklist.run_intake import take_run
from cds_service.store.worklist import Wanted
from cds_service.synth.folder import write_population
from cds_service.synth.person import AS_OF, TRIAL

PATIENTS: Final = 150
_SEED: Final = 1
_MISSING: Final = 0.15


@dataclass(frozen=True)
class Clinic:
    """What the worklist was filled with.

    Args:
        patients: how many were prescreened.
        listed: how many of them are on the list.
        trial: whose list it is.
        first: id of the entry at the top of it.
    """

    patients: int
    listed: int
    trial: str
    first: str


def fill_worklist(services: Services) -> Clinic:
    """Make a population up, prescreen it and take it into the worklist.

    Args:
        services: whose store is filled.
    """
    with TemporaryDirectory(prefix="cds-demo-") as folder:
        population, out = Path(folder, "population"), Path(folder, "run")
        write_population(population, patients=PATIENTS, seed=_SEED, missing=_MISSING, named=True)
        task = Task(services.settings.site, AS_OF, None, (TRIAL,), charts=True)
        run(Job(task, ndjson_source(population), out), workers=1)  # so few are done before a second process has begun
        taken = take_run(out, services.store.worklist, services.rules, source="", now=services.now())
    top = services.store.worklist.entries(TRIAL, wanted=Wanted(size=1)).entries
    return Clinic(PATIENTS, taken.patients, TRIAL, top[0].id)

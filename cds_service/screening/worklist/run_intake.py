"""A finished prescreening run taken into the worklist: its patients' judgements, their charts, and its funnels.

Some patients share a transaction. To take a run again, whole or after it was stopped, changes nothing.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cds_service.errors import RequestError
from cds_service.evaluation.attested import Attestation
from cds_service.evaluation.outcome import Verdict
from cds_service.gather.snapshot import unpack
from cds_service.present.cohort.funnel import to_json as funnels_json
from cds_service.present.cohort.lists import read_cohort
from cds_service.present.cohort.ranking import trigger_of
from cds_service.present.cohort.read_back import patient_outcome, trials_of
from cds_service.present.cohort.run_folder import MANIFEST, Manifest, open_run
from cds_service.screening.cohort.charts import KeptChart, read_charts
from cds_service.screening.patient import Rules
from cds_service.screening.worklist.changes import differs
from cds_service.screening.worklist.intake import screening_of
from cds_service.store.worklist import Chart, NewScreening, Person, Run
from cds_service.store.worklist_store import WorklistStore

Tell = Callable[[int], None]
"""Takes how many patients were taken."""
_TOGETHER: Final = 20
"""Patients in one transaction: few enough that a hook call never waits long for its turn."""


_Prepared = tuple[Person, Chart, list[NewScreening]]


@dataclass(frozen=True)
class TakenRun:
    """What came of it.

    Args:
        manifest: of the run.
        patients: who were taken.
        entries: by trial and what became of the entry: "new", "changed" (to be looked at), "unchanged".
        left: who are on a list, but of whom no trial's trigger passes in this run: their entries stay as they were.
    """

    manifest: Manifest
    patients: int = 0
    entries: Counter[tuple[str, str]] = field(default_factory=Counter)
    left: int = 0


def take_run(
    folder: Path,
    store: WorklistStore,
    rules: Rules,
    *,
    source: str,
    now: datetime,
    tell: Tell = lambda _patients: None,
) -> TakenRun:
    """Take a run.

    Args:
        folder: of the run.
        store: of the worklist.
        rules: that it was judged by.
        source: FHIR base that its patients are known at, as record systems name it; "" for none.
        now: the present instant.
        tell: told how far it is.

    Raises:
        RequestError: the run is not finished, kept no charts, is damaged, or the rules have changed since.
        UnavailableError: the store is down; who was taken stays taken.
    """
    manifest = open_run(folder).manifest
    trials_of(manifest, rules.library)
    if (rules.library.site.label if rules.library.site else "") != manifest.site:
        raise RequestError("the run was judged with another site file; run prescreen again", field="RUN_DIR")
    taking = _Taking(store, rules, manifest, source, now, _begun(folder, now), _listed(store, manifest, source))
    patients = left = 0
    entries: Counter[tuple[str, str]] = Counter()
    waiting: list[_Prepared] = []
    for line, chart in _with_charts(folder):
        if chart is None:
            left += line["patient"] in taking.listed
            continue
        waiting.append(taking.prepared(line, chart))
        if len(waiting) == _TOGETHER:
            entries.update(taking.take(waiting))
            patients += len(waiting)
            tell(patients)
            waiting = []
    entries.update(taking.take(waiting))
    patients += len(waiting)
    _keep_run(folder, manifest, store, rules, now)
    return TakenRun(manifest, patients, entries, left)


def _with_charts(folder: Path) -> Iterator[tuple[dict[str, Any], KeptChart | None]]:
    """Yield each line of the results, with the patient's chart if it was kept; both are in the same order."""
    charts = read_charts(folder)
    chart = next(charts, None)
    for _offset, line in open_run(folder).lines():
        if chart is not None and line["patient"] == chart.patient:
            yield line, chart
            chart = next(charts, None)
        else:
            yield line, None
    if chart is not None:
        raise RequestError("its charts.jsonl does not fit its results.jsonl; run prescreen again", field="RUN_DIR")


def _listed(store: WorklistStore, manifest: Manifest, source: str) -> dict[str, set[str]]:
    """Return who is on the lists of the run's trials: the trials, by reference."""
    return {who: some for who, trials in store.listed(source).items() if (some := trials & set(manifest.digests))}


def _begun(folder: Path, now: datetime) -> datetime:
    """Return when the run began: no chart of it was read earlier, and one that a hook read since is newer."""
    oldest = min(one.stat().st_mtime for one in folder.iterdir())
    return min(now, datetime.fromtimestamp(oldest, UTC))


@dataclass(frozen=True)
class _Taking:
    """Takes one patient after the other."""

    store: WorklistStore
    rules: Rules
    manifest: Manifest
    source: str
    now: datetime
    read: datetime
    listed: Mapping[str, set[str]]

    def take(self, patients: Sequence[_Prepared]) -> Iterator[tuple[str, str]]:
        """Take patients in one transaction; yield trial and what became of the entry."""
        found = self.store.take_all(patients, differs=differs, now=self.now, read=self.read)
        for (person, _chart, _screenings), entries in zip(patients, found, strict=True):
            known = self.listed.get(person.reference, set())
            for trial, entry_id in entries.items():
                entry = self.store.entry(entry_id) if trial in known else None
                yield trial, "new" if trial not in known else "changed" if entry and entry.changed else "unchanged"

    def prepared(self, line: Mapping[str, Any], kept: KeptChart) -> _Prepared:
        """Return what is to be taken of a patient."""
        known = self.listed.get(kept.patient, set())
        person = Person(self.source, kept.patient, kept.names, kept.birth_date, kept.gender)
        attested = self._attested(kept.patient) if known else ()
        passing = self._passing(line)
        told = {one["trial"]: one for one in line["results"]}
        unread = line.get("unread") or {}
        # Judged again: with what people attested, and where the trigger fails now of a trial that has the patient.
        if attested or not known <= passing:
            outcome = self.rules.judge(
                unpack(kept.body),
                self.rules.library,
                as_of=self.manifest.as_of,
                anchor=self.manifest.anchor,
                trials=list(self.manifest.digests),
                attested=attested,
            )
            told, unread = {one["trial"]: one for one in outcome.to_json()["results"]}, outcome.unread
        screenings = [self._screening(told[name], kept, attested, unread) for name in sorted(passing | known)]
        return person, Chart(kept.fingerprint, kept.body), screenings

    def _passing(self, line: Mapping[str, Any]) -> set[str]:
        library = self.rules.library
        trials = {name: library.trials[name] for name in self.manifest.digests if library.trials[name].speaks}
        outcome = patient_outcome(line, library, "en", trials)
        return {one.trial.id for one in outcome.trials if trigger_of(one) is Verdict.PASS}

    def _attested(self, patient: str) -> tuple[Attestation, ...]:
        found = self.store.attestations(self.source, patient, self.manifest.as_of)
        return tuple(one for some in found.values() for one in some)

    def _screening(
        self,
        result: Mapping[str, Any],
        kept: KeptChart,
        attested: tuple[Attestation, ...],
        unread: Mapping[str, str],
    ) -> NewScreening:
        return screening_of(
            result,
            patient=kept.patient,
            as_of=self.manifest.as_of,
            anchor=self.manifest.anchor,
            attested=attested,
            fingerprint=kept.fingerprint,
            unread=unread,
            site=self.manifest.site,
        )


def _keep_run(folder: Path, manifest: Manifest, store: WorklistStore, rules: Rules, now: datetime) -> None:
    """Keep the funnel of each trial of the run."""
    name = f"sha256:{hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()}"
    for one in read_cohort(open_run(folder), rules.library).lists:
        store.keep_run(
            Run(
                id=name,
                trial=one.trial.id,
                as_of=manifest.as_of,
                taken=now,
                source=manifest.source,
                patients=manifest.counts.get("patients", 0),
                funnel=funnels_json(one.funnels),
            )
        )

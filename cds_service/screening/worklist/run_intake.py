"""A finished prescreening run taken into the worklist: its patients' judgements, their charts, and its funnels.

Some patients share a transaction. To take a run again, whole or after it was stopped, changes nothing.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any, Final

from cds_service.errors import RequestError
from cds_service.evaluation.attested import Attestation
from cds_service.evaluation.outcome import TrialOutcome
from cds_service.gather.snapshot import unpack
from cds_service.present.cohort.funnel import to_json as funnels_json
from cds_service.present.cohort.lists import read_cohort
from cds_service.present.cohort.read_back import patient_outcome, trials_of
from cds_service.present.cohort.run_folder import MANIFEST, Manifest, open_run
from cds_service.present.speaking import not_checked
from cds_service.screening.cohort.charts import KeptChart, read_charts
from cds_service.screening.cohort.run_folder import RunFolder
from cds_service.screening.patient import Rules
from cds_service.screening.worklist.changes import differs, stands
from cds_service.screening.worklist.intake import belongs, contradicts, screening_of
from cds_service.store.misses import Missed
from cds_service.store.worklist import Chart, NewScreening, Person, Run
from cds_service.store.worklist_store import WorklistStore

log = logging.getLogger("cds_service.screening")

_PATIENT: Final = "Patient"

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
        entries: by trial and what became of the entry: "new", "changed" (to be looked at), "unchanged", "not found"
            (on the list, but without the trial's disease in this run: to be looked at).
        left: who are on a list, but whose chart the run did not keep: what stands for them stays.
        another: whose id is somebody else's on the worklist, by birth date or gender: they were left alone.
    """

    manifest: Manifest
    patients: int = 0
    entries: Counter[tuple[str, str]] = field(default_factory=Counter)
    left: int = 0
    another: int = 0


def take_run(
    folder: Path,
    store: WorklistStore,
    rules: Rules,
    *,
    source: str,
    now: datetime,
    today: date | None = None,
    tell: Tell = lambda _patients: None,
) -> TakenRun:
    """Take a run.

    Args:
        folder: of the run.
        store: of the worklist.
        rules: that it was judged by.
        source: FHIR base that its patients are known at, as record systems name it; "" for none.
        now: the present instant.
        today: the day that it is where the patients are; by default that of UTC.
        tell: told how far it is.

    Raises:
        RequestError: the run is not finished, kept no charts, is damaged, or the rules have changed since.
        UnavailableError: the store is down; who was taken stays taken.
    """
    manifest = open_run(folder).manifest
    trials_of(manifest, rules.library)
    if (rules.library.site.label if rules.library.site else "") != manifest.site:
        raise RequestError("the run was judged with another site file; run prescreen again", field="RUN_DIR")
    read = _read(folder, manifest, now)
    taking = _Taking(store, rules, manifest, source, now, today, read, _name(folder), _listed(store, manifest, source))
    patients = left = another = 0
    entries: Counter[tuple[str, str]] = Counter()
    waiting: list[_Prepared] = []
    for line, chart in _with_charts(folder):
        if chart is None:
            left += line["patient"] in taking.listed
            entries.update((trial, "not found") for trial in taking.not_found(line))
            continue
        if taking.another(chart):
            another += 1
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
    if another:
        log.warning("one patient id, of no named server, is two people's: the worklist is left alone (%d)", another)
    return TakenRun(manifest, patients, entries, left, another)


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


def _read(folder: Path, manifest: Manifest, now: datetime) -> datetime:
    """Return when the run began: no chart of it was read earlier, and one that a hook read since is newer.

    Where the folder does not say, before its day had begun anywhere: any hook of that day is newer.
    """
    told = RunFolder(folder).begun.at
    return min(now, told or datetime.combine(manifest.as_of, time.min, _FIRST))


_FIRST: Final = timezone(timedelta(hours=14))  # where a day begins first


def _name(folder: Path) -> str:
    """Return the digest that the run is kept by."""
    return f"sha256:{hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()}"


@dataclass(frozen=True)
class _Taking:
    """Takes one patient after the other."""

    store: WorklistStore
    rules: Rules
    manifest: Manifest
    source: str
    now: datetime
    today: date | None
    read: datetime
    run: str
    listed: Mapping[str, set[str]]

    def take(self, patients: Sequence[_Prepared]) -> Iterator[tuple[str, str]]:
        """Take patients in one transaction; yield trial and what became of the entry."""
        found = self.store.take_all(
            patients, differs=differs, stands=stands, now=self.now, read=self.read, today=self.today
        )
        for entries in found:
            for trial, taken in entries.items():
                yield trial, taken.became

    def another(self, kept: KeptChart) -> bool:
        """Say whether the id is somebody else's on the worklist."""
        known = self.store.person(self.source, kept.patient) if kept.patient in self.listed else None
        return known is not None and contradicts(known, self._person(kept))

    def not_found(self, line: Mapping[str, Any]) -> list[str]:
        """Flag who is on lists of trials whose disease the run looked for and did not find; return the trials."""
        known = self.listed.get(line["patient"], set())
        if not known or _PATIENT in (line.get("unread") or {}):
            return []
        looked = {one for one in known if not any(not_checked(o) for o in self._outcomes(line) if o.trial.id == one)}
        missed = Missed(self.source, line["patient"], looked, self.run, self.manifest.as_of, self.read)
        return self.store.not_found(missed, now=self.now, today=self.today) if looked else []

    def _person(self, kept: KeptChart) -> Person:
        return Person(self.source, kept.patient, kept.names, kept.birth_date, kept.gender)

    def prepared(self, line: Mapping[str, Any], kept: KeptChart) -> _Prepared:
        """Return what is to be taken of a patient."""
        known = self.listed.get(kept.patient, set())
        attested = self._attested(kept.patient) if known else ()
        outcomes = self._outcomes(line)
        told = {one["trial"]: one for one in line["results"]}
        unread = line.get("unread") or {}
        # Judged again: with what people attested, and where the trigger fails now of a trial that has the patient.
        if attested or not known <= {one.trial.id for one in outcomes}:
            outcome = self.rules.judge(
                unpack(kept.body),
                self.rules.library,
                as_of=self.manifest.as_of,
                anchor=self.manifest.anchor,
                trials=list(self.manifest.digests),
                attested=attested,
            )
            told, unread = {one["trial"]: one for one in outcome.to_json()["results"]}, outcome.unread
            outcomes = outcome.trials
        chosen = sorted(one.trial.id for one in outcomes if belongs(one, known))
        screenings = [self._screening(told[name], kept, attested, unread) for name in chosen]
        return self._person(kept), Chart(kept.fingerprint, kept.body), screenings

    def _outcomes(self, line: Mapping[str, Any]) -> tuple[TrialOutcome, ...]:
        """Return what the run says of the trials whose trigger does not fail."""
        trials = {name: self.rules.library.trials[name] for name in self.manifest.digests}
        return patient_outcome(line, self.rules.library, "en", trials).trials

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
    name = _name(folder)
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

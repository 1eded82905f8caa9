"""A finished prescreening run taken into the worklist: its patients' judgements, their charts, and its funnels.

Some patients share a transaction. To take a run again, whole or after it was stopped, changes nothing.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any, Final

from cds_service.errors import RequestError, UnavailableError
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
from cds_service.screening.worklist.intake import TWO_PEOPLE, belongs, contradicts, screening_of
from cds_service.screening.worklist.recalled import Recalled, recalled
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
        moved: of entries that were there before and have another status now, by trial, the one before and that now.
        left: who are on a list, but whose chart the run did not keep: what stands for them stays.
        another: whose id is somebody else's on the worklist, by birth date or gender: they were left alone.
    """

    manifest: Manifest
    patients: int = 0
    entries: Counter[tuple[str, str]] = field(default_factory=Counter)
    moved: Counter[tuple[str, str, str]] = field(default_factory=Counter)
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
        UnavailableError: the store is down; who was taken stays taken, and the message counts them.
    """
    manifest = open_run(folder).manifest
    trials_of(manifest, rules.library)
    if (rules.library.site.label if rules.library.site else "") != manifest.site:
        raise RequestError("the run was judged with another site file; run prescreen again", field="RUN_DIR")
    read = _read(folder, manifest, now)
    taking = _Taking(store, rules, manifest, source, now, today, read, _name(folder), _listed(store, manifest, source))
    patients = left = another = 0
    entries, moved = Counter[tuple[str, str]](), Counter[tuple[str, str, str]]()
    waiting: list[_Prepared] = []
    try:
        for line, chart in _with_charts(folder):
            if chart is None:
                left += line["patient"] in taking.listed
                entries.update((trial, "not found") for trial in taking.not_found(line))
                continue
            waiting.append(taking.prepared(line, chart))
            if len(waiting) == _TOGETHER:
                another += taking.take(waiting, entries, moved)
                patients += len(waiting)
                tell(patients)
                waiting = []
        another += taking.take(waiting, entries, moved)
        patients += len(waiting)
        _keep_run(folder, manifest, store, rules, now)
    except UnavailableError as why:
        taken = patients - another
        raise UnavailableError(
            f"Only {taken} patients of the run are taken: {why} Take it again for the rest."
        ) from None
    patients -= another
    if another:
        log.warning(TWO_PEOPLE, another)
    return TakenRun(manifest, patients, entries, moved, left, another)


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

    def take(
        self,
        patients: Sequence[_Prepared],
        entries: Counter[tuple[str, str]],
        moved: Counter[tuple[str, str, str]],
    ) -> int:
        """Take patients in one transaction, and count what became of the entries; return whose id is another's."""
        found = self.store.take_all(
            patients,
            differs=differs,
            stands=stands,
            contradicts=contradicts,
            now=self.now,
            read=self.read,
            today=self.today,
        )
        for trial, taken in (pair for one in found for pair in one.items()):
            entries[trial, taken.became] += 1
            if taken.was not in ("", taken.status):
                moved[trial, taken.was, taken.status] += 1
        return sum(bool(screenings) and not one for (_, _, screenings), one in zip(patients, found, strict=True))

    def not_found(self, line: Mapping[str, Any]) -> list[str]:
        """Flag who is on lists of trials whose disease the run looked for and did not find; return the trials."""
        known = self.listed.get(line["patient"], set())
        if not known or _PATIENT in (line.get("unread") or {}):
            return []
        looked = {one for one in known if not any(not_checked(o) for o in self._outcomes(line) if o.trial.id == one)}
        missed = Missed(self.source, line["patient"], looked, self.run, self.manifest.as_of, self.read)
        return self.store.not_found(missed, now=self.now, today=self.today) if looked else []

    def _person(self, kept: KeptChart) -> Person:
        return Person(self.source, kept.patient, kept.names, kept.birth_date, kept.gender, kept.number)

    def prepared(self, line: Mapping[str, Any], kept: KeptChart) -> _Prepared:
        """Return what is to be taken of a patient."""
        known = self.listed.get(kept.patient, set())
        recall = recalled(self.store, self.source, kept.patient, self.manifest.as_of) if known else Recalled()
        if self.manifest.anchor is not None:
            recall = replace(recall, anchors={})  # the run names the day for all
        outcomes = self._outcomes(line)
        told = {one["trial"]: one for one in line["results"]}
        unread = line.get("unread") or {}
        # Judged again: with what people attested, for the first dose that was planned, and where the trigger fails now
        # of a trial that has the patient.
        if recall.attested or recall.anchors or not known <= {one.trial.id for one in outcomes}:
            outcome = recall.judging(self.rules).judge(
                unpack(kept.body),
                self.rules.library,
                as_of=self.manifest.as_of,
                anchor=self.manifest.anchor,
                trials=list(self.manifest.digests),
            )
            told, unread = {one["trial"]: one for one in outcome.to_json()["results"]}, outcome.unread
            outcomes = outcome.trials
        chosen = sorted(one.trial.id for one in outcomes if belongs(one, known))
        screenings = [self._screening(told[name], kept, recall, unread) for name in chosen]
        return self._person(kept), Chart(kept.fingerprint, kept.body), screenings

    def _outcomes(self, line: Mapping[str, Any]) -> tuple[TrialOutcome, ...]:
        """Return what the run says of the trials whose trigger does not fail."""
        trials = {name: self.rules.library.trials[name] for name in self.manifest.digests}
        return patient_outcome(line, self.rules.library, "en", trials).trials

    def _screening(
        self,
        result: Mapping[str, Any],
        kept: KeptChart,
        recall: Recalled,
        unread: Mapping[str, str],
    ) -> NewScreening:
        return screening_of(
            result,
            patient=kept.patient,
            as_of=self.manifest.as_of,
            anchor=recall.anchors.get(str(result["trial"]), self.manifest.anchor),
            attested=recall.attested,
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

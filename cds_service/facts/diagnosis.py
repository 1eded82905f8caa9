"""When the disease began and what was done since: the frame in which every oncology fact is judged.

Onset is the earliest of everything that dates the disease. *At diagnosis* means from 90 days before to 90 days
after onset and on or before the day of the first treatment that counts. Source: the eligibility contract,
section 6 (Onset, diagnosis, treatment, gate).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cds_service.facts.cancers import names_cancer, names_the_disease
from cds_service.facts.codes import ICD_O_3, SNOMED, ValueSet
from cds_service.facts.conditions import ConditionEntry
from cds_service.facts.dates import When, earliest, shift
from cds_service.facts.elements import same_reference
from cds_service.facts.observations import ObservationEntry
from cds_service.facts.staged import Axis, StageRecord, extent_records, stage_records, staging_asked
from cds_service.facts.treated import Treatments, classify_treatments
from cds_service.logic.truth import Truth

if TYPE_CHECKING:
    from cds_service.facts.chart import Chart

DIAGNOSIS_DAYS: Final = 90


@dataclass(frozen=True)
class Diagnosis:
    """The disease's frame.

    Args:
        conditions: confirmed entries of the disease (all carcinomas of the site).
        concerned: references of every entry that is about the disease: unsure ones, ones known by text, and its
            metastases.
        onset: range of days in which it began; None when nothing dates it.
        treatments: what was given since, by class.
        stages: staging records of the disease: M categories and stage groups.
        extent: its T and N records, for their day and prefix alone.
        other_cancers: confirmed entries of another primary cancer.
    """

    conditions: tuple[ConditionEntry, ...]
    onset: When | None
    treatments: Treatments
    stages: tuple[StageRecord, ...]
    other_cancers: tuple[ConditionEntry, ...]
    concerned: frozenset[str] = frozenset()
    extent: tuple[StageRecord, ...] = ()
    listed: When | None = None

    def at_diagnosis(self, when: When | None) -> Truth:
        """Say whether something dated so was found at diagnosis; undated counts as at diagnosis."""
        if when is None:
            return Truth.TRUE
        first = self.treatments.first
        if first is not None and when.first > first.last:
            return Truth.FALSE
        if self.onset is None:
            return Truth.UNKNOWN
        low, high = shift(self.onset.first, -DIAGNOSIS_DAYS), shift(self.onset.last, DIAGNOSIS_DAYS)
        if when.last < low or when.first > high:
            return Truth.FALSE
        surely = when.certainly_within(shift(self.onset.last, -DIAGNOSIS_DAYS), shift(self.onset.first, DIAGNOSIS_DAYS))
        return Truth.TRUE if surely and (first is None or when.last <= first.first) else Truth.UNKNOWN

    def long_before(self, when: When | None) -> bool:
        """Say whether something dated so was certainly said before there was this disease to speak of."""
        if when is None or self.onset is None:
            return False
        return when.last < shift(self.onset.first, -DIAGNOSIS_DAYS)

    @property
    def treated(self) -> bool:
        """Whether a treatment that counts has begun."""
        return self.treatments.first is not None

    @property
    def other_active_cancer(self) -> bool:
        """Whether another primary cancer is active."""
        return any(entry.active for entry in self.other_cancers)

    def is_about(self, entry: ObservationEntry, conditions: tuple[ConditionEntry, ...]) -> bool:
        """Say whether a result is about this disease: its focus, when it names a Condition, decides."""
        named = _focused(entry, conditions)
        return not named or any(c.reference in self.concerned for c in named)

    def may_be_anothers(self, entry: ObservationEntry, conditions: tuple[ConditionEntry, ...]) -> bool:
        """Say whether a result names no Condition, and another cancer, active or earlier, may be what it is about."""
        if _focused(entry, conditions):
            return False
        return self.other_active_cancer or self.of_an_earlier_cancer(entry, conditions)

    def of_an_earlier_cancer(self, entry: ObservationEntry, conditions: tuple[ConditionEntry, ...]) -> bool:
        """Say whether a result that names no Condition is from before this disease, when another cancer was known.

        A breast cancer's staging of ten years ago would else date this disease, and deny that it is de novo.
        """
        when = entry.when
        if when is None or self.listed is None or _focused(entry, conditions):
            return False
        if when.last >= shift(self.listed.first, -DIAGNOSIS_DAYS):
            return False
        days = [day for one in self.other_cancers for day in (one.onset, one.recorded) if day is not None]
        return any(day.first <= shift(when.last, DIAGNOSIS_DAYS) for day in days)


def _focused(entry: ObservationEntry, conditions: tuple[ConditionEntry, ...]) -> list[ConditionEntry]:
    if not entry.focus:
        return []
    return [c for c in conditions for f in entry.focus if same_reference(f, c.reference)]


def diagnose(chart: Chart) -> Diagnosis:
    """Build the frame from the chart's entries."""
    options = disease_options(chart)
    conditions = tuple(
        entry
        for entry in chart.conditions
        if entry.confirmed and any(entry.code.find(chart.value_sets[name]) for name in options["site_value_sets"])
    )
    others = tuple(entry for entry in chart.conditions if entry.confirmed and is_other_cancer(chart, entry, options))
    concerned = _concerned(chart, options)
    times = [when for entry in conditions for when in (entry.onset, entry.recorded) if when is not None]
    frame = Diagnosis(conditions, None, Treatments(), (), others, concerned, listed=earliest(times))
    histology, extent_asked = chart.value_sets[options["histology_observation_value_set"]], _extent_asked(chart)
    asked = [histology, *staging_asked(chart, options), *(one for sets in extent_asked.values() for one in sets)]
    dating = [chart.observations[at] for at in chart.places(asked)]
    about = [
        entry
        for entry in dating
        if frame.is_about(entry, chart.conditions)
        and (_has_the_type(chart, entry) or not frame.of_an_earlier_cancer(entry, chart.conditions))
    ]
    stages = tuple(stage_records(chart, about, conditions, options))
    extent = tuple(extent_records(about, extent_asked))
    reports = [entry for entry in about if entry.when is not None and entry.code.find(histology)]
    times += [entry.when for entry in reports if entry.when is not None and entry.usable]
    staged = [one.when for one in (*stages, *extent) if one.when is not None and one.usable]
    onset = earliest([*times, *staged])
    if onset is not None and not times:
        onset = _perhaps_earlier(onset, _unsure(chart, options), reports)
    treatments = classify_treatments(chart, onset, conditions, bool(others), options)
    return Diagnosis(conditions, onset, treatments, stages, others, concerned, extent, frame.listed)


def _has_the_type(chart: Chart, entry: ObservationEntry) -> bool:
    """Say whether a result is a histology of the type that the trial asks of this disease."""
    asked = [one.options["asked_value_sets"] for one in chart.definitions.values() if one.kind == "histology"]
    return any(entry.answer.find(chart.value_sets[name]) for names in asked for name in names)


def _unsure(chart: Chart, options: Mapping[str, Any]) -> list[ConditionEntry]:
    """Return the entries of the disease that nobody has confirmed or refuted."""
    sites = [chart.value_sets[name] for name in options["site_value_sets"]]
    return [entry for entry in chart.conditions if entry.unsure and any(entry.code.find(one) for one in sites)]


def _perhaps_earlier(onset: When, unsure: Sequence[ConditionEntry], reports: Sequence[ObservationEntry]) -> When:
    """Stretch an onset that staging alone dates back to what is not final but older.

    A staging of months later would else date the disease, and be taken for the one at diagnosis: an M0 after a good
    response would then deny the spread that was there before. Where a confirmed entry or a final report dates the
    disease, it alone counts.
    """
    days = [when.first for entry in unsure for when in (entry.onset, entry.recorded) if when is not None]
    days += [report.when.first for report in reports if report.when is not None]
    return When(min([onset.first, *days]), onset.last)


def _extent_asked(chart: Chart) -> Mapping[Axis, Sequence[ValueSet]]:
    """Return what T and N are asked by: the value sets of the facts that read them."""
    asked = [one.options for one in chart.definitions.values() if one.kind == "tn_category"]
    return {
        axis: [chart.value_sets[one["value_set"]] for one in asked if one["axis"] == axis]
        for axis in (Axis.PRIMARY, Axis.NODES)
    }


def disease_options(chart: Chart) -> Mapping[str, Any]:
    """Return the settings of the disease that the trial is about: its primary_cancer fact, else the first there is."""
    if chart.disease_fact:
        return chart.definitions[chart.disease_fact].options
    return next(d.options for d in chart.definitions.values() if d.kind == "primary_cancer")


def _concerned(chart: Chart, options: Mapping[str, Any]) -> frozenset[str]:
    """Return the references of every entry about the disease, however sure, and of its metastases."""
    sites = [chart.value_sets[name] for name in options["site_value_sets"]]
    spread = [chart.value_sets[name] for name in options["related_value_sets"]]
    own = [
        e
        for e in chart.conditions
        if any(e.code.find(one) for one in sites) or names_the_disease(e.code) or is_at_the_site(chart, e, options)
    ]
    references = {entry.reference for entry in own}
    metastases = [
        entry
        for entry in chart.conditions
        if any(entry.code.find(one) for one in spread)
        and (not entry.related_primary or any(same_reference(entry.related_primary, r) for r in references))
    ]
    return frozenset(references | {entry.reference for entry in metastases})


# SNOMED CT: nasopharyngeal structure.
_NASOPHARYNX: Final = "71836000"


def is_at_the_site(chart: Chart, entry: ConditionEntry, options: Mapping[str, Any]) -> bool:
    """Say whether an entry is a tumour that only its place gives away: "malignant neoplastic disease", nasopharynx.

    mCODE records a primary so, by code and bodySite. What kind of tumour it is, no code tells.
    """
    topography = [chart.value_sets[name] for name in options.get("topography_value_sets", ())]
    if any(entry.code.find(one) for one in topography):
        return True
    placed = any(entry.body_sites.find(one) for one in topography) or any(
        c.system == SNOMED and c.code == _NASOPHARYNX for c in entry.body_sites.codings
    )
    return placed and any(_is_any_tumour(c.system, c.code or "", options) for c in entry.code.codings)


def _is_any_tumour(system: str | None, code: str, options: Mapping[str, Any]) -> bool:
    if system == ICD_O_3:
        return code.endswith("/3")
    if system == SNOMED:
        return code in options["unspecific_reason_codes"]
    return "icd-10" in (system or "") and code.upper().startswith(("C14", "C76", "C80"))


def is_other_cancer(chart: Chart, entry: ConditionEntry, options: Mapping[str, Any]) -> bool:
    """Say whether an entry is a primary cancer that is not the disease."""
    own = (*options["site_value_sets"], *options["related_value_sets"])
    if any(entry.code.find(chart.value_sets[name]) for name in own) or is_at_the_site(chart, entry, options):
        return False
    if entry.code.find(chart.value_sets[options["other_cancer_value_set"]]):
        return True
    return names_cancer(entry.code) and not names_the_disease(entry.code)

"""What was given for the disease, by class: the raw material of the gate and of "no prior treatment".

A treatment *counts* when it was given, is coded, and may have been given on or after the day before onset. What is
only perhaps given, undated, known by name, or too general to tell is *doubtful*: it never counts, so it never
chooses the gate, and each is named to the clinician. Source: the eligibility contract, section 6.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from cds_service.facts.cancers import names_cancer, names_the_disease
from cds_service.facts.codes import ATC, SNOMED
from cds_service.facts.conditions import ConditionEntry
from cds_service.facts.dates import When, earliest, shift
from cds_service.facts.elements import Coded, same_reference
from cds_service.facts.fact import Evidence, Reason
from cds_service.facts.names import holds_name, named_in, plain
from cds_service.facts.phrase import say
from cds_service.facts.treatment_words import names_more_than_drugs, names_treatment
from cds_service.facts.treatments import Given, TreatmentEntry

if TYPE_CHECKING:
    from cds_service.facts.chart import Chart

BEFORE_ONSET_DAYS: Final = 90
# The one day of such a record is when it was stated, not when it ended.
ONGOING: Final = frozenset({"active", "in-progress", "on-hold", "recorded"})


class TreatmentClass(StrEnum):
    """What kind of treatment a code stands for."""

    CHEMOTHERAPY = "chemotherapy"
    PD1 = "pd1"
    OTHER = "other"
    UNCLEAR = "unclear"
    NEEDS_REASON = "needs-reason"
    NAMED_CHEMOTHERAPY = "named-chemotherapy"
    NAMED_PD1 = "named-pd1"
    NAMED_OTHER = "named-other"
    NONE = "none"


@dataclass(frozen=True)
class Treatment:
    """One treatment that counts or is doubtful.

    Args:
        entry: the record; None for a "history of" Condition.
        reference: of the resource.
        label: as recorded.
        kind: its class.
        when: its first day, as a range; None when undated.
        certain: whether it certainly was on or after the day before onset.
        doubt: why it does not count; "" when it does.
        reason: the reason a doubtful one gives.
    """

    reference: str
    label: str
    kind: TreatmentClass
    when: When | None
    entry: TreatmentEntry | None = None
    certain: bool = False
    doubt: str = ""
    reason: Reason = Reason.CLINICIAN

    @property
    def evidence(self) -> Evidence:
        """The record as evidence."""
        return Evidence(self.reference, self.label, None, self.when.text if self.when else None, self.doubt)


@dataclass(frozen=True)
class Treatments:
    """Everything given for the disease.

    Args:
        counting: what counts, in order of date.
        named: given and dated, but known by name only.
        doubtful: what is not known well enough, each with its doubt.
    """

    counting: tuple[Treatment, ...] = ()
    named: tuple[Treatment, ...] = ()
    doubtful: tuple[Treatment, ...] = field(default=())

    def of(self, *kinds: TreatmentClass) -> tuple[Treatment, ...]:
        """Return what counts, of these classes."""
        return tuple(one for one in self.counting if one.kind in kinds)

    @property
    def first(self) -> When | None:
        """The day of the first treatment that counts, as a range; None while there is none."""
        return earliest([one.when for one in self.counting if one.when is not None])


def classify_treatments(
    chart: Chart,
    onset: When | None,
    conditions: Sequence[ConditionEntry],
    other_cancer: bool,
    options: Mapping[str, Any],
) -> Treatments:
    """Sort every treatment entry of the chart.

    Args:
        chart: the record at a moment.
        onset: of the disease; None when nothing dates it (then everything given counts).
        conditions: confirmed entries of the disease.
        other_cancer: whether the record holds another cancer.
        options: the disease's settings in ``rules/facts.yaml``.
    """
    counting: list[Treatment] = []
    named: list[Treatment] = []
    doubtful: list[Treatment] = [*_history(chart, options)]
    classifier = _Classifier(chart, options, conditions)
    for entry in chart.treatments:
        if entry.given is Given.NOT_GIVEN:
            continue
        kind, doubt = classifier.classify(entry)
        if kind is TreatmentClass.NONE:
            continue
        start, last = _extent(entry, chart.moment.as_of)
        found = Treatment(entry.reference, entry.code.label, kind, start, entry, doubt=doubt)
        if start is None or last is None:
            doubtful.append(_doubt(found, say("undated"), Reason.IMPRECISE_DATE))
        elif onset is not None and last < shift(onset.first, -1):
            if last >= shift(onset.first, -BEFORE_ONSET_DAYS) and not other_cancer:
                doubtful.append(_doubt(found, doubt or say("given shortly before the diagnosis")))
        elif entry.given is Given.PERHAPS:
            doubtful.append(
                _doubt(
                    found,
                    say(
                        "{type} is {status}: perhaps given",
                        type=entry.type,
                        status=entry.status or say("without status"),
                    ),
                )
            )
        elif doubt:
            doubtful.append(_doubt(found, doubt))
        elif kind in (TreatmentClass.NAMED_CHEMOTHERAPY, TreatmentClass.NAMED_PD1, TreatmentClass.NAMED_OTHER):
            named.append(_doubt(found, say("known by name only")))
        else:
            certain = onset is not None and start.first >= shift(onset.last, -1)
            counting.append(Treatment(found.reference, found.label, kind, start, entry, certain))
    both = {TreatmentClass.CHEMOTHERAPY, TreatmentClass.PD1} <= {one.kind for one in counting}
    # By name beside both coded halves, a drug changes nothing.
    doubtful.extend(_worded(chart, options, drugs_too=not both))
    counting.sort(key=lambda one: (one.when.first if one.when else date.min, one.reference))
    return Treatments(tuple(counting), tuple(named), tuple(doubtful))


def not_given(chart: Chart, conditions: Sequence[ConditionEntry], options: Mapping[str, Any]) -> tuple[Treatment, ...]:
    """Return the treatments of the disease that the record says were not given: planned, refused, cancelled."""
    classifier = _Classifier(chart, options, conditions)
    found = []
    for entry in chart.treatments:
        if entry.given is Given.NOT_GIVEN:
            kind, doubt = classifier.classify(entry)
            if kind is not TreatmentClass.NONE:
                start = entry.start or entry.end
                found.append(Treatment(entry.reference, entry.code.label, kind, start, entry, doubt=doubt))
    return tuple(found)


def _doubt(found: Treatment, doubt: str, reason: Reason = Reason.CLINICIAN) -> Treatment:
    return Treatment(found.reference, found.label, found.kind, found.when, found.entry, doubt=doubt, reason=reason)


def _extent(entry: TreatmentEntry, as_of: date) -> tuple[When | None, date | None]:
    """Return the start and the last possible day; a period without an end may go on until the day."""
    start = entry.start or entry.end
    if start is None:
        return None, None
    ongoing = entry.status in ONGOING and entry.end == start
    return start, as_of if entry.end is None or ongoing else entry.end.last


def _history(chart: Chart, options: Mapping[str, Any]) -> Iterator[Treatment]:
    """Yield bare "history of chemotherapy" codes of the problem list."""
    value_set = chart.value_sets[options["history_value_set"]]
    for entry in chart.conditions:
        if entry.confirmed and entry.code.find(value_set):
            doubt = say("a bare history code")
            yield Treatment(entry.reference, entry.code.label, TreatmentClass.UNCLEAR, entry.when, doubt=doubt)


def _worded(chart: Chart, options: Mapping[str, Any], *, drugs_too: bool) -> Iterator[Treatment]:
    """Yield entries of the problem list whose words name a treatment, as "nasopharyngeal carcinoma after radiotherapy".

    The words of an entry that is coded as another cancer are about that one.

    Args:
        chart: the record at a moment.
        options: the disease's settings.
        drugs_too: whether words for drugs alone count.
    """
    history, others = (chart.value_sets[options[name]] for name in ("history_value_set", "other_cancer_value_set"))
    sites = [chart.value_sets[name] for name in options["site_value_sets"]]
    for entry in chart.conditions:
        names = [name for name in entry.code.names() if names_treatment(name)]
        if not entry.confirmed or not names or entry.code.find(history):
            continue
        own = any(entry.code.find(one) for one in sites) or names_the_disease(entry.code)
        coded = any(c.code for c in entry.code.codings)
        if coded and not own and (entry.code.find(others) or names_cancer(entry.code)):
            continue
        if drugs_too or any(names_more_than_drugs(name) for name in names):
            doubt = say("known by name only")
            yield Treatment(entry.reference, entry.code.label, TreatmentClass.UNCLEAR, entry.when, doubt=doubt)


_HEAD_OR_NECK: Final = re.compile(r"head (?:and|or|and/or|&) neck|头颈")
# Chapters XVIII and XXI of ICD-10: symptoms and findings (R), contacts with health services (Z). Z85 is a past cancer
# of another site, but for Z85.8, which holds the pharynx.
_NO_DISEASE_ICD: Final = re.compile(r"R|Z(?!85)|Z85\.?8", re.I)


def _no_disease(reason: Coded) -> bool:
    """Say whether a stated reason is a symptom, a contact or the treatment's own name: none is another disease."""
    icd = [c.code for c in reason.codings if c.code and "icd-10" in (c.system or "")]
    if icd:
        return all(_NO_DISEASE_ICD.match(code) for code in icd)
    return any(names_treatment(name) for name in reason.names() if name)


class _Classifier:
    """Decides a treatment's class from its codes, and only then from its name."""

    def __init__(self, chart: Chart, options: Mapping[str, Any], conditions: Sequence[ConditionEntry]) -> None:
        self.sets = chart.value_sets
        self.options = options
        self.own = tuple(conditions)
        self.problems = chart.conditions

    def classify(self, entry: TreatmentEntry) -> tuple[TreatmentClass, str]:
        """Return the class, and why a code leaves doubt ("" when it leaves none)."""
        if self._for_another_disease(entry):
            return TreatmentClass.NONE, ""
        kind, doubt = self._procedure(entry) if entry.type == "Procedure" else self._drug(entry)
        if kind is TreatmentClass.NEEDS_REASON:
            stated = self._for_this_disease(entry)
            kind = self._coded_class(entry.code, plain_class=True)
            doubt = "" if stated else say("also used outside oncology, no reason stated")
        return kind, doubt

    def _drug(self, entry: TreatmentEntry) -> tuple[TreatmentClass, str]:
        kind = self._coded_class(entry.code)
        if kind is TreatmentClass.UNCLEAR:
            return kind, say("the code is too general or too new to tell")
        if kind is not TreatmentClass.NONE:
            return kind, ""
        # An ATC code outside L01 says that the drug is no antineoplastic, whatever its text mentions.
        if any(coding.system == ATC and coding.code for coding in entry.code.codings):
            return TreatmentClass.NONE, ""
        texts = list(entry.code.names())
        for names, named in (
            (self.options["chemotherapy_name_value_sets"], TreatmentClass.NAMED_CHEMOTHERAPY),
            (self.options["pd1_name_value_sets"], TreatmentClass.NAMED_PD1),
        ):
            if any(named_in(texts, self.sets[name]) for name in names):
                return named, ""
        return self._by_display(texts), ""

    def _by_display(self, texts: list[str]) -> TreatmentClass:
        """Return the class of a drug that is named as a listed code is displayed ("cetuximab")."""
        for option, kind in (
            ("pd1_value_set", TreatmentClass.NAMED_PD1),
            ("chemotherapy_value_set", TreatmentClass.NAMED_CHEMOTHERAPY),
            ("pdl1_value_set", TreatmentClass.NAMED_OTHER),
            ("antineoplastic_value_set", TreatmentClass.NAMED_OTHER),
        ):
            displays = [c.display.split(" (")[0] for c in self.sets[self.options[option]].concepts if not c.prefix]
            if any(holds_name(plain(text), plain(display)) for text in texts if text for display in displays):
                return kind
        return TreatmentClass.NONE

    def _coded_class(self, code: Coded, *, plain_class: bool = False) -> TreatmentClass:
        """Return the class of a drug's codes; two specific classes in one drug are unclear."""
        found: set[TreatmentClass] = set()
        for coding in code.codings:
            one = self._class_of(coding.system, coding.code, plain_class=plain_class)
            if one is not TreatmentClass.NONE:
                found.add(one)
        if TreatmentClass.NEEDS_REASON in found:
            return TreatmentClass.NEEDS_REASON
        specific = found - {TreatmentClass.UNCLEAR}
        if len(specific) == 1:
            return specific.pop()
        return TreatmentClass.UNCLEAR if found else TreatmentClass.NONE

    def _class_of(self, system: str | None, code: str | None, *, plain_class: bool) -> TreatmentClass:
        def listed(option: str) -> bool:
            return self.sets[self.options[option]].find(system, code) is not None

        if listed("ambiguous_value_set"):
            if code not in self.options["needs_reason_codes"]:
                return TreatmentClass.UNCLEAR
            if not plain_class:
                return TreatmentClass.NEEDS_REASON
        if listed("pd1_value_set"):
            return TreatmentClass.PD1
        if listed("pdl1_value_set"):
            return TreatmentClass.OTHER
        if listed("chemotherapy_value_set"):
            return TreatmentClass.CHEMOTHERAPY
        if not listed("antineoplastic_value_set"):
            return TreatmentClass.NONE
        new = system == ATC and str(code).upper().startswith(tuple(self.options["unclear_prefixes"]))
        return TreatmentClass.UNCLEAR if new else TreatmentClass.OTHER

    def _procedure(self, entry: TreatmentEntry) -> tuple[TreatmentClass, str]:
        sets, options = self.sets, self.options
        biopsy = sets[options["biopsy_value_set"]]
        if entry.code.find(biopsy) or entry.intent.find(biopsy):
            return TreatmentClass.NONE, ""
        radiotherapy = entry.code.find(sets[options["radiotherapy_value_set"]])
        if radiotherapy is not None:
            local = radiotherapy.attributes.get("site") or entry.body_sites.find(sets[options["local_site_value_set"]])
            return TreatmentClass.OTHER, "" if local else say("radiotherapy to another or an unstated site")
        if entry.code.find(sets[options["surgery_value_set"]]):
            return TreatmentClass.OTHER, ""
        if entry.code.find(sets[options["ambiguous_value_set"]]):
            return TreatmentClass.UNCLEAR, say("the code is too general to tell (it may be a biopsy)")
        if entry.code.find(sets[options["chemotherapy_procedure_value_set"]]):
            return TreatmentClass.UNCLEAR, say("coded only as a procedure")
        if any(names_treatment(name) for name in entry.code.names()):
            return TreatmentClass.UNCLEAR, say("known by name only")
        return TreatmentClass.NONE, ""

    def _for_this_disease(self, entry: TreatmentEntry) -> bool:
        """Say whether a stated reason is this disease, or a malignancy that is not said to be another."""
        own = [self.sets[n] for n in (*self.options["site_value_sets"], *self.options["related_value_sets"])]
        targets = [c.code for r in entry.reason_references for c in self.problems if same_reference(r, c.reference)]
        return any(
            any(reason.find(one) for one in own) or self._is_vague(reason) or names_the_disease(reason)
            for reason in (*entry.reasons, *targets)
        )

    def _is_vague(self, reason: Coded) -> bool:
        """Say whether a code is for "a malignant neoplasm" or "chemotherapy session", without saying of what.

        A cancer "of head and neck" is no other disease: the nasopharynx is there.
        """
        if any(_HEAD_OR_NECK.search(plain(name)) for name in reason.names() if name):
            return True
        listed = tuple(self.options["unspecific_reason_codes"])
        icd = any((c.code or "").upper().startswith(listed) for c in reason.codings if "icd-10" in (c.system or ""))
        return icd or any(c.system == SNOMED and c.code in listed for c in reason.codings)

    def _for_another_disease(self, entry: TreatmentEntry) -> bool:
        """Say whether every stated reason is certainly another disease; one that cannot be told is not."""
        reasons = list(entry.reasons)
        for reference in entry.reason_references:
            target = next((c for c in self.problems if same_reference(reference, c.reference)), None)
            if target is None:
                return False
            reasons.append(target.code)
        local = entry.type == "Procedure"
        return bool(reasons) and all(self._is_another(reason, local=local) for reason in reasons)

    def _is_another(self, reason: Coded, *, local: bool) -> bool:
        """Say whether a reason is certainly another disease.

        Args:
            reason: as stated.
            local: whether the treatment was done to a place: then only another cancer explains it, since a symptom
                (nosebleed) is no disease of its own.
        """
        if not any(c.code and self.sets.is_known_system(c.system) for c in reason.codings) or _no_disease(reason):
            return False
        own = (*self.options["site_value_sets"], *self.options["related_value_sets"])
        if any(reason.find(self.sets[name]) for name in own) or self._is_vague(reason) or names_the_disease(reason):
            return False
        other_cancer = reason.find(self.sets[self.options["other_cancer_value_set"]]) or names_cancer(reason)
        return bool(other_cancer) or not local

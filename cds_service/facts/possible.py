"""Which reasons a fact can give for being unknown: what its reader can say, and what the rule's need leaves of it.

Declared beside the readers, so that the tests can hold the two equal: no case yields a reason outside this table,
and the coverage table of a trial (``docs/coverage-*.md``) has a case for each reason inside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from cds_service.facts.definitions import FactDefinition
from cds_service.facts.fact import Reason
from cds_service.facts.need import XULN, Need

_PERSON: Final = frozenset({Reason.NO_RECORD, Reason.NOT_FETCHED, Reason.NO_VALUE, Reason.IMPRECISE_DATE})
_MEASURED: Final = frozenset(
    {
        Reason.NOT_FETCHED,
        Reason.NO_RECORD,
        Reason.STALE,
        Reason.NOT_FINAL,
        Reason.NO_VALUE,
        Reason.UNIT_UNUSABLE,
        Reason.COMPARATOR,
        Reason.IMPRECISE_DATE,
        Reason.CONFLICT,
        Reason.UNMAPPED_CODE,
    }
)
_LISTED: Final = frozenset({Reason.NOT_FETCHED, Reason.NO_RECORD, Reason.NOT_FINAL, Reason.CONFLICT, Reason.CLINICIAN})
_TREATED: Final = frozenset({Reason.CLINICIAN, Reason.IMPRECISE_DATE, Reason.NOT_FETCHED})
_SPREAD: Final = _LISTED | {Reason.IMPRECISE_DATE, Reason.NO_VALUE, Reason.NOT_SPECIFIC, Reason.UNMAPPED_CODE}
_STAGED: Final = _SPREAD - {Reason.NO_VALUE} | {Reason.EDITION_UNKNOWN}

POSSIBLE_REASONS: Final[Mapping[str, frozenset[Reason]]] = {
    "age": _PERSON,
    "sex": frozenset({Reason.NO_RECORD}),
    "primary_cancer": _LISTED | {Reason.UNMAPPED_CODE, Reason.NOT_SPECIFIC},
    "histology": _LISTED | {Reason.NOT_SPECIFIC, Reason.UNMAPPED_CODE},
    "de_novo_metastasis": _SPREAD,
    "organ_metastasis": _LISTED,
    "metastatic_stage": _SPREAD | {Reason.EDITION_UNKNOWN},
    "performance_status": _MEASURED | {Reason.CLINICIAN},
    "treatment_seen": frozenset(),
    "prior_treatment": _TREATED,
    "response_after_cycles": _LISTED | {Reason.IMPRECISE_DATE, Reason.NOT_SPECIFIC, Reason.UNMAPPED_CODE},
    "judgement": frozenset({Reason.CLINICIAN}),
    "measurable_lesion": frozenset({Reason.CLINICIAN, Reason.NOT_FETCHED}),
    "lab": _MEASURED | {Reason.NO_REFERENCE_RANGE},
    # Creatinine with its range, weight, clearance and eGFR, and the age and sex of the formulas.
    "renal_filtration": _MEASURED | _PERSON | {Reason.NO_REFERENCE_RANGE, Reason.CLINICIAN},
    "active_anticoagulant": frozenset({Reason.CLINICIAN, Reason.NOT_FETCHED, Reason.NOT_FINAL}),
    "graded_scale": _MEASURED,
    "clearance_alone": _MEASURED | _PERSON,
    "condition": _LISTED | {Reason.IMPRECISE_DATE, Reason.UNMAPPED_CODE},
    "other_malignancy": _LISTED | {Reason.IMPRECISE_DATE, Reason.UNMAPPED_CODE},
    "active_medication": _TREATED,
    "treatment_given": _TREATED,
    "days_since_treatment": _TREATED,
    "stage_category": _STAGED,
    "tn_category": _STAGED,
    "qualitative_result": _LISTED | {Reason.STALE, Reason.NO_VALUE, Reason.IMPRECISE_DATE},
}
"""By fact kind: each reason that its reader can give, for the fact itself or for a piece that it is made of."""

WINDOWED: Final = frozenset(
    {
        *("lab", "performance_status", "graded_scale", "renal_filtration", "clearance_alone"),
        *("qualitative_result", "active_medication"),
    }
)
"""The kinds whose reader looks at ``within``; any other reads the whole record."""
ANCHORED: Final = WINDOWED | {"days_since_treatment"}
"""The kinds whose reader looks at ``anchor``."""


def possible_reasons(need: Need, definition: FactDefinition) -> frozenset[Reason]:
    """Return the reasons that a fact can give for one need.

    Args:
        need: its unit decides whether a reference range can be wanting.
        definition: its kind decides the rest.
    """
    reasons = POSSIBLE_REASONS[definition.kind]
    if definition.kind == "lab" and need.unit != XULN:
        reasons -= {Reason.NO_REFERENCE_RANGE}
    return reasons


def possible_of(needs: Iterable[Need], definitions: Mapping[str, FactDefinition]) -> frozenset[Reason]:
    """Return the reasons that any of the needed facts can give."""
    return frozenset[Reason]().union(*(possible_reasons(need, definitions[need.fact]) for need in needs))

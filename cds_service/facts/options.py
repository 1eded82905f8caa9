"""What each reader must find under ``options`` in ``facts.yaml``: checked at load, so that no reader meets a gap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_DISEASE: Final = (
    *("site_value_sets", "not_carcinoma_value_sets", "related_value_sets", "other_cancer_value_set"),
    *("unspecific_reason_codes", "histology_observation_value_set", "distant_value_set", "regional_value_set"),
    *("unspecific_metastasis_value_set", "m_type_value_set", "m_value_set", "stage_type_value_sets"),
    *("stage_value_set", "edition_value_sets", "stage_meaning"),
    *("chemotherapy_value_set", "pd1_value_set", "pdl1_value_set", "antineoplastic_value_set"),
    *("ambiguous_value_set", "needs_reason_codes", "unclear_prefixes", "radiotherapy_value_set"),
    *("local_site_value_set", "surgery_value_set", "biopsy_value_set", "chemotherapy_procedure_value_set"),
    *("history_value_set", "chemotherapy_name_value_sets", "pd1_name_value_sets"),
)

REQUIRED_OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "age": (),
    "sex": (),
    "judgement": (),
    "primary_cancer": _DISEASE,
    "histology": ("asked_value_sets", "other_value_sets", "unspecific_value_sets"),
    "de_novo_metastasis": (),
    "organ_metastasis": ("value_set", "absent_codes", "present_codes"),
    "metastatic_stage": (),
    "performance_status": (
        *("value_set", "answer_value_set", "analyte", "karnofsky.value_set", "karnofsky.answer_value_set"),
        *("karnofsky.analyte", "karnofsky.supports_from"),
    ),
    "treatment_seen": ("class",),
    "prior_treatment": (),
    "response_after_cycles": (
        *("least_cycles", "most_cycles", "other_half", "value_set", "response_value_sets"),
        *("no_response_value_sets", "trend_value_set"),
    ),
    "measurable_lesion": ("value_set", "analyte", "any_lesion_mm", "not_a_node_mm"),
    "lab": ("value_set", "analyte"),
    "renal_filtration": ("creatinine", "creatinine_unit", "weight", "clearance", "egfr"),
    "active_anticoagulant": ("value_set", "condition_value_set", "name_value_sets"),
    "graded_scale": ("value_set", "answer_value_set", "analyte"),
    "clearance_alone": ("creatinine", "creatinine_unit", "weight", "clearance"),
    "condition": ("value_sets",),
    "other_malignancy": (),
    "active_medication": ("value_sets",),
    "treatment_given": (),
    "days_since_treatment": (),
    "stage_category": ("axis",),
    "tn_category": ("axis", "value_set", "answer_value_set"),
    "qualitative_result": ("value_set", "positive_codes", "negative_codes"),
}
"""By fact kind: the options that its reader reads without a default. A dot steps into a mapping."""

FACT_OPTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "response_after_cycles": {"other_half": "treatment_seen"},
    "renal_filtration": {"creatinine": "lab", "weight": "lab", "clearance": "lab", "egfr": "lab"},
    "clearance_alone": {"creatinine": "lab", "weight": "lab", "clearance": "lab"},
    "metastatic_stage": {"t_category": "tn_category", "n_category": "tn_category"},
}
"""By fact kind: the options that name another fact, and the kind that this one must be of."""

TREATMENT_CLASSES: Final = ("chemotherapy", "pd1", "other")
"""What ``class`` of a ``treatment_seen`` may be: the classes that a sighting can be of."""

GIVEN_CLASSES: Final = ("chemotherapy", "pd1", "radiotherapy", "surgery", "other")
"""What ``classes`` of ``treatment_given`` and ``days_since_treatment`` may hold."""

AXES: Final[Mapping[str, tuple[str, ...]]] = {"tn_category": ("T", "N"), "stage_category": ("M", "group")}
"""By fact kind: what its ``axis`` may be."""

NEED_DISEASE: Final = frozenset(
    {
        *("histology", "de_novo_metastasis", "organ_metastasis", "metastatic_stage", "treatment_seen"),
        *("prior_treatment", "response_after_cycles", "measurable_lesion"),
        *("other_malignancy", "treatment_given", "days_since_treatment", "stage_category", "tn_category"),
    }
)
"""The kinds that are judged in the frame of a disease: facts.yaml must define a ``primary_cancer``."""

"""A rule file to begin with: it loads and its cases pass; what its author must fill is marked."""

from __future__ import annotations

from datetime import date
from typing import Final

from cds_service.trials.load import FILL_IN, is_registry_id

TRIGGER_FACT: Final = "npc_primary"
LAB_FACT: Final = "hemoglobin"

_TRIAL: Final = """\
# yaml-language-server: $schema=../../trial.schema.json
# Every place marked {mark} is yours; while one is left, the trial cannot be signed off.
format: 1
trial:
  id: {id}
  revision: 1
  title: {{en: "{mark}: the title, as in the registry"}}
  phase: "{mark}"
  sponsor: "{mark}"
  source: {{url: "{url}", as_of: {day}}}
  exclusions: not-published      # {mark}: encoded, once the exclusion criteria stand below
  review: pending
  gates:
    - {{id: screening, label: "{mark}: the moment, such as before induction", anchored_by_caller: true}}

# The published text, line by line, in plain words, thresholds kept.
lines:
  "1": "{mark}: the disease"
  "2": "{mark}: a laboratory limit; hemoglobin at least 90 g/L in this example"
  "3": "{mark}: a line that no rule can judge"
not_encoded:
  "3": "{mark}: why no rule can judge it"

# Choices that the text leaves open, each with its reason, for the sponsor to confirm.
conventions:
  lab-window: "{mark}: 14 days before the planned first dose, both ends included"

criteria:
  - id: disease
    kind: inclusion
    gates: [screening]
    trigger: true                # cards speak only when this passes
    text: "{mark}: Nasopharyngeal carcinoma."
    short: Nasopharyngeal carcinoma
    source: ["1"]
    needs: {{{trigger}: {{}}}}
    logic: {{var: {trigger}}}
  - id: hemoglobin
    kind: inclusion
    gates: [screening]
    text: "{mark}: Hemoglobin at least 90 g/L within the 14 days before the first dose."
    short: Hemoglobin ≥ 90 g/L
    source: ["2"]
    needs: {{{lab}: {{unit: g/L, within: 14 d}}}}
    logic: {{">=": [{{var: {lab}}}, 90]}}
    conventions: [lab-window]
"""

_CASES: Final = """\
# yaml-language-server: $schema=../../cases.schema.json
# What the rules must say. Dates as whole numbers count from the day of judgement (-14 is fourteen days before).
trial: {id}
as_of: {day}
patient:                         # passes everything
  age: 52
  sex: male
  problems: [{{code: C11.9, onset: -30}}]
  {lab}: {{value: 121, date: -3}}
cases:
  - it: makes a candidate of the patient who passes everything
    expect: {{status: candidate, disease: pass, hemoglobin: pass}}
  - it: fails, and says it can change, when the list does not name the disease
    given: {{problems: [{{code: I10, recorded: -30}}]}}
    expect: {{disease: fail, status: not-now, can_change: {{disease: true}}}}
  - it: does not know the disease when the list is empty
    without: [problems]
    expect: {{disease: unknown}}
    why: {{disease: no-record}}
  - it: accepts exactly 90 g/L
    given: {{{lab}: {{value: 90, date: -3}}}}
    on_limit: true
    expect: {{hemoglobin: pass}}
  - it: turns 89.9 g/L away, and says it can change
    given: {{{lab}: {{value: 89.9, date: -3}}}}
    expect: {{hemoglobin: fail, status: not-now, can_change: {{hemoglobin: true}}}}
  - it: accepts a sample taken exactly 14 days before
    given: {{{lab}: {{value: 121, date: -14}}}}
    expect: {{hemoglobin: pass}}
  - it: asks again after 15 days
    given: {{{lab}: {{value: 121, date: -15}}}}
    expect: {{hemoglobin: unknown, status: needs-data, decisive: [{lab}]}}
    why: {{hemoglobin: stale}}
    leaning: {{hemoglobin: pass}}
"""


def skeleton(registry_id: str, day: date) -> tuple[str, str]:
    """Return the texts of ``trial.yaml`` and ``tests.yaml``.

    Args:
        registry_id: the trial's number in its registry.
        day: when the registry is read, and the day of the cases.

    Raises:
        ValueError: it is no number of a registry.
    """
    if not is_registry_id(registry_id):
        raise ValueError("expected the number of a trial registry, such as NCT07235319 or ChiCTR2000012345")
    words = {
        "id": registry_id,
        "url": _url(registry_id),
        "day": day.isoformat(),
        "mark": FILL_IN,
        "trigger": TRIGGER_FACT,
        "lab": LAB_FACT,
    }
    return _TRIAL.format(**words), _CASES.format(**words)


def _url(registry_id: str) -> str:
    if registry_id.startswith("NCT"):
        return f"https://clinicaltrials.gov/study/{registry_id}"
    # The WHO search portal shows the trials of every primary registry by their number.
    return f"https://trialsearch.who.int/Trial2.aspx?TrialID={registry_id}"

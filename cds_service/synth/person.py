"""The full facts of one made-up patient, before anything is written down or lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final, Literal

AS_OF: Final = date(2026, 3, 1)
"""The day that every patient is judged on."""

TRIAL: Final = "NCT07235319"

Sex = Literal["male", "female"]
Primary = Literal["npc", "npc-remission", "lymphoma", "other-cancer", "none"]
Histology = Literal["nonkeratinizing", "keratinizing", "unspecified", "conflict"]
Kind = Literal["chemotherapy", "pd1", "other", "unclear"]
Given = Literal["given", "perhaps", "named"]
Form = Literal["administration", "statement", "request", "procedure"]
Answer = Literal["CR", "PR", "SD", "PD", "trend"]


@dataclass(frozen=True, slots=True)
class Lab:
    """One laboratory value or measurement, the one that counts.

    Args:
        value: in `unit`, as it will be written.
        unit: UCUM code.
        days: how many days before `AS_OF`.
        low: of the reference range, in `unit`; None where there is none.
        high: of the reference range, in `unit`; None where there is none.
    """

    value: Decimal
    unit: str
    days: int
    low: Decimal | None = None
    high: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Treatment:
    """One dose, course or operation.

    Args:
        kind: of anti-tumour treatment; "unclear" is too general to tell, such as radiotherapy to an unstated site.
        what: drug or procedure, a key of `synth.codes`.
        day: of the dose or of the start.
        given: certainly, perhaps (an active order), or certainly but known by name only.
        form: the kind of record; only administrations can be counted as cycles.
        until: last day of a course.
        for_other: whether the record states another disease as its reason.
    """

    kind: Kind
    what: str
    day: date
    given: Given = "given"
    form: Form = "administration"
    until: date | None = None
    for_other: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """One patient.

    Args:
        id: ``Patient.id``.
        story: which kind of patient was drawn.
        sex: administrative gender.
        birth: date of birth.
        dead: deceased on or before `AS_OF`.
        primary: what the problem list will say of the nasopharynx.
        onset: first day of the disease; None without NPC.
        histology: what the reports add up to; None without any.
        staged: day of the staging.
        m: M category at diagnosis; None where only a group was recorded.
        group: stage group at diagnosis.
        edition: of the staging.
        sites: organs with distant metastases.
        spread: day when the metastases were first recorded.
        neck_nodes: whether neck nodes are on the problem list.
        liver: whether liver metastases are present, stated absent, or not stated.
        ecog: 0 to 4; None where Karnofsky is used.
        karnofsky: 10 to 100; None where ECOG is used.
        performance_days: how many days before `AS_OF` it was assessed.
        lesions: largest diameter in mm and day, each.
        treatments: everything given, perhaps given or known by name.
        responses: day and answer of each assessment, oldest first.
        labs: by analyte.
        anticoagulated: an anticoagulant is active.
    """

    id: str
    story: str
    sex: Sex
    birth: date
    dead: bool
    primary: Primary
    onset: date | None = None
    histology: Histology | None = None
    staged: date | None = None
    m: str | None = None
    group: str | None = None
    edition: str | None = None
    sites: tuple[str, ...] = ()
    spread: date | None = None
    neck_nodes: bool = False
    liver: Literal["present", "absent"] | None = None
    ecog: int | None = None
    karnofsky: int | None = None
    performance_days: int = 3
    lesions: tuple[tuple[int, date], ...] = ()
    treatments: tuple[Treatment, ...] = ()
    responses: tuple[tuple[date, Answer], ...] = ()
    labs: Mapping[str, Lab] = field(default_factory=dict)
    anticoagulated: bool = False

"""Orders that are being written, taken as given: each coded one becomes a record of the day.

A drug becomes an administration, a procedure a completed one. What says too little to be judged (no code yet, words
only), is no such order (a diet, glasses), is not to be done, or is another patient's, is left out: about it nothing
can be told, and a wrong warning is worse than none.

Source: the eligibility contract, section 4; R4, STU3 (ProcedureRequest) and R5 (CodeableReference) by what is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any, Final

from cds_service.facts.elements import Coded, coded, list_of, merged, object_of, reference_of, same_reference, text_of
from cds_service.facts.record import Read, Record, Source
from cds_service.facts.treatments import drug_of
from cds_service.gather.bundle import bundle_entries
from cds_service.gather.chart import drug_reference
from cds_service.gather.client import FhirClient
from cds_service.gather.subjects import PatientNames, whose

MAX_DRUG_READS: Final = 20
_DRUG: Final = "MedicationRequest"
_PROCEDURES: Final = frozenset({"ServiceRequest", "ProcedureRequest"})
# An order on hold, stopped, revoked or done is not one that is about to be given; a draft may have no status yet.
_OPEN: Final = frozenset({"draft", "active", ""})
_KEPT: Final = ("bodySite", "contained", "extension")


@dataclass(frozen=True)
class Drafts:
    """The orders of a call that are this patient's and about to be given.

    Args:
        orders: the resources as sent; never changed.
        others: every other resource of the Bundle that an order may point to, by each of its names.
    """

    orders: tuple[Mapping[str, Any], ...]
    others: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class TakenAsGiven:
    """One coded order, taken as given.

    Args:
        label: what the order calls it, and where; as recorded, so not to be trusted.
        record: the record that it would become.
    """

    label: str
    record: Source

    def __repr__(self) -> str:
        """Show no order."""
        return f"TakenAsGiven({self.record.reference})"


def read_drafts(bundle: Mapping[str, Any], patient_id: str, selections: frozenset[str] | None = None) -> Drafts:
    """Choose the orders that count from a Bundle.

    Args:
        bundle: ``context.draftOrders``, its entries checked to be resources.
        patient_id: ``context.patientId``.
        selections: references of those that the call is about; None for all.
    """
    names = PatientNames(patient_id)
    orders: list[Mapping[str, Any]] = []
    others: dict[str, Mapping[str, Any]] = {}
    for full_url, resource in bundle_entries(dict(bundle)):
        kind = resource["resourceType"]
        own = [name for name in (f"{kind}/{resource['id']}" if text_of(resource.get("id")) else "", full_url) if name]
        if kind not in (_DRUG, *_PROCEDURES):
            others.update(dict.fromkeys(own, resource))
        elif (
            text_of(resource.get("status")) in _OPEN
            and resource.get("doNotPerform") is not True
            and not whose(resource, names)
            and (selections is None or any(_names(one, own, resource) for one in selections))
        ):
            orders.append(resource)
    return Drafts(tuple(orders), others)


def read_their_drugs(drafts: Drafts, record: Record, client: FhirClient | None) -> Drafts:
    """Add the Medications that orders point to and neither the Bundle nor the record holds.

    Args:
        drafts: the orders.
        record: the patient's, with the Medications that were read for it.
        client: the FHIR server of the call, when it may be asked.
    """
    known = {**record.medications, **drafts.others}
    pointed = {drug_reference(order) for order in drafts.orders if order["resourceType"] == _DRUG}
    wanted = sorted(pointed - {"", *known})[:MAX_DRUG_READS]
    if client is None or not wanted:
        return replace(drafts, others=known)
    late: tuple[dict[str, Any] | None, Read] = (None, Read())
    found = client.together({one: partial(client.read, one) for one in wanted}, late)
    return replace(drafts, others={**known, **{one: body for one, (body, _) in found.items() if body is not None}})


def taken_as_given(drafts: Drafts, as_of: date) -> tuple[TakenAsGiven, ...]:
    """Return the record that each coded order would become if it were given on the day.

    Args:
        drafts: the orders, and what they point to.
        as_of: the day of the judgement.
    """
    found = []
    for at, order in enumerate(drafts.orders):
        code = _code(order, drafts.others)
        if any(coding.code for coding in code.codings):
            kind, when = (
                ("MedicationAdministration", "effectiveDateTime")
                if order["resourceType"] == _DRUG
                else ("Procedure", "performedDateTime")
            )
            body = {
                **{name: order[name] for name in _KEPT if name in order},
                "resourceType": kind,
                "status": "completed",
                "medicationCodeableConcept" if kind != "Procedure" else "code": _as_json(code),
                when: as_of.isoformat(),
                **_reasons(order, drafts.others),
            }
            found.append(TakenAsGiven(_label(code, order), Source(f"draft-order:{at}", body)))
    return tuple(found)


def with_given(record: Record, given: Iterable[TakenAsGiven]) -> Record:
    """Return the record with orders taken as given; how completely each type was read stays as it is."""
    resources = dict(record.resources)
    for one in given:
        kind = str(one.record.body["resourceType"])
        resources[kind] = (*resources.get(kind, ()), one.record)
    return replace(record, resources=resources)


def _names(selection: str, own: list[str], resource: Mapping[str, Any]) -> bool:
    """Say whether a selection is this order: by type and id, by full URL, or by its bare id."""
    bare = selection.split("/_history/")[0]
    return (bare != "" and bare == text_of(resource.get("id"))) or any(same_reference(bare, name) for name in own)


def _code(order: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]]) -> Coded:
    if order["resourceType"] == _DRUG:
        return drug_of(order, others)[0]
    code = object_of(order.get("code"))
    return coded(code.get("concept") if "concept" in code else code)


def _reasons(order: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return why an order is written; a Condition of the same Bundle is given as its code."""
    codes, references = list_of(order.get("reasonCode")), []
    for element in (*list_of(order.get("reasonReference")), *list_of(order.get("reason"))):
        reference = object_of(element).get("reference")
        pointed = element if isinstance(reference, str) else object_of(reference)  # R5 wraps the reference
        code = others.get(reference_of(pointed), {}).get("code") or object_of(element).get("concept")
        if code is not None:
            codes = [*codes, code]
        elif reference is not None:
            references.append(pointed)
    return {"reasonCode": codes, "reasonReference": references}


def _as_json(code: Coded) -> dict[str, Any]:
    codings = [
        {name: value for name, value in (("system", c.system), ("code", c.code), ("display", c.display)) if value}
        for c in code.codings
    ]
    return {"coding": codings, **({"text": code.text} if code.text else {})}


def _label(code: Coded, order: Mapping[str, Any]) -> str:
    site = merged([coded(one) for one in list_of(order.get("bodySite"))])
    return f"{code.label} ({site.label})" if site.label else code.label

"""``trial.yaml`` as a :class:`Trial`: read whole, checked whole, every complaint at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cds_service.facts.definitions import FactDefinition
from cds_service.facts.need import Need
from cds_service.logic.expression import Expression, compile_logic
from cds_service.trials.complaints import Complaints, quoted
from cds_service.trials.criteria import read_criteria
from cds_service.trials.form import SLUG, Part
from cds_service.trials.model import Criterion, Gate, Trial
from cds_service.trials.needs import read_needs
from cds_service.trials.published import check_published_lines, read_lines
from cds_service.trials.rule_logic import check_gate_results, read_logic
from cds_service.trials.yaml_text import Document, read_document

FORMAT: Final = 1
TRIAL_FILE: Final = "trial.yaml"
FILL_IN: Final = "FILL IN"
"""Marks a place of a new rule file that its author has still to fill."""
EXCLUSIONS: Final = ("encoded", "not-published")
REVIEWS: Final = ("signed-off", "pending")

TOP: Final = ("format", "trial", "lines", "criteria")
TOP_OPTIONAL: Final = ("not_encoded", "conventions")
HEAD: Final = ("id", "title", "phase", "sponsor", "source", "exclusions", "review", "gates")
HEAD_OPTIONAL: Final = ("revision", "gate_choice")

# How the registries of the WHO platform number trials; the id is also the folder's name and part of URLs.
# Source: https://www.who.int/tools/clinical-trials-registry-platform/network/primary-registries
_REGISTRY_IDS: Final = re.compile(
    r"NCT[0-9]{8}|ChiCTR(?:[0-9]{10}|-[A-Z]{3,4}-[0-9]{8})|CTR[0-9]{8}|ISRCTN[0-9]{8}|ACTRN[0-9]{14}|DRKS[0-9]{8}"
    r"|jRCT(?:[0-9]{10}|s[0-9]{9})|[0-9]{4}-[0-9]{6}-[0-9]{2}(?:-[0-9]{2})?"
)


def load_trial(file: Path, facts: Mapping[str, FactDefinition]) -> Trial:
    """Read one trial's rule file; its digest is left empty (``library.py`` fills it).

    Args:
        file: ``trials/<registry id>/trial.yaml``.
        facts: as :func:`cds_service.trials.facts_file.load_facts` gives them.

    Raises:
        RuleError: with every complaint.
    """
    complaints = Complaints()
    trial = read_trial(read_document(file), facts, complaints, folder=file.resolve().parent.name)
    complaints.raise_any()
    assert trial is not None  # noqa: S101 (no complaint, so it could be read)
    return trial


def read_trial(
    document: Document, facts: Mapping[str, FactDefinition], complaints: Complaints, *, folder: str
) -> Trial | None:
    """Check a trial's document and build the trial.

    Args:
        document: the file as read.
        facts: every fact definition.
        complaints: where complaints go.
        folder: the name of the folder that the file lies in.

    Returns:
        None when anything was complained of.
    """
    before = len(complaints)
    top = Part.whole(document, complaints).fields(TOP, TOP_OPTIONAL)
    check_format(top["format"])
    head = top["trial"].fields(HEAD, HEAD_OPTIONAL)
    gates = _gates(head["gates"])
    choice, gate_needs = _gate_choice(head["gate_choice"], head["gates"], gates, facts)
    lines, not_encoded = read_lines(top["lines"]), top["not_encoded"].texts()
    conventions = _conventions(top["conventions"])
    criteria = read_criteria(top["criteria"], facts, [gate.id for gate in gates], lines["en"], conventions["en"])
    source = head["source"].fields(("url", "as_of"))
    trial = {
        "id": _registry_id(head["id"], folder),
        "title": head["title"].translations(),
        "phase": head["phase"].label(),
        "sponsor": head["sponsor"].text(),
        "url": _url(source["url"]),
        "as_of": str(source["as_of"].day()),
        "exclusions": head["exclusions"].choice(EXCLUSIONS, "word"),
        "review": head["review"].choice(REVIEWS, "word"),
        "revision": head["revision"].whole_number(1, 9999, default=1),
    }
    if len(complaints) == before:  # else they would only repeat, of a file half read, what was said already
        check_published_lines(top["lines"], top["not_encoded"], lines["en"], not_encoded, criteria)
        _check_triggers(top["criteria"], criteria, gates)
        _check_conventions(top["conventions"], criteria)
        if trial["review"] == "signed-off":
            _check_filled_in(Part.whole(document, complaints))
    if len(complaints) > before or choice is None:
        return None
    return Trial(
        **trial,  # type: ignore[arg-type]
        lines=lines["en"],
        not_encoded=not_encoded,
        gates=gates,
        gate_choice=choice,
        gate_needs=gate_needs,
        criteria=criteria,
        conventions=conventions["en"],
        digest="",
        lines_zh=lines["zh"],
        conventions_zh=conventions["zh"],
    )


def check_format(part: Part) -> None:
    """Complain unless the file is of the one format there is."""
    if part.present and (part.data != FORMAT or isinstance(part.data, bool)):
        part.expected(f"format {FORMAT}, the only one there is")


def is_registry_id(text: str) -> bool:
    """Say whether a text is the number of a trial registry."""
    return _REGISTRY_IDS.fullmatch(text) is not None


def _registry_id(part: Part, folder: str) -> str:
    identity = part.text()
    if identity and not is_registry_id(identity):
        part.expected("the number of a trial registry, such as NCT07235319 or ChiCTR2000012345")
    elif identity and identity != folder:
        part.complain(f"{quoted(identity)} lies in the folder {quoted(folder)}: both must have one name")
    return identity


def _url(part: Part) -> str:
    url = part.text()
    if url and not re.fullmatch(r"https://[^\s/]+(?:/\S*)?", url):
        part.expected("an address that begins with https://")
    return url


def _conventions(part: Part) -> Mapping[str, Mapping[str, str]]:
    for identity, entry in part.entries().items():
        if not SLUG.fullmatch(identity):
            entry.complain(f"expected a name such as 'lab-window', found {quoted(identity)}")
    return part.texts_by_language()


def _check_conventions(part: Part, criteria: tuple[Criterion, ...]) -> None:
    applied = {identity for criterion in criteria for identity in criterion.conventions}
    for identity, entry in part.entries().items():
        if identity not in applied:
            entry.complain("no criterion applies this convention", "add it to a criterion's conventions, or remove it")


def _check_filled_in(part: Part) -> None:
    """Complain of places that an author has still to fill, in a trial that says it is signed off."""
    if isinstance(part.data, str) and FILL_IN in part.data:
        part.complain(f"{FILL_IN!r} still stands here, and the trial says it is signed off", "review: pending")
    elif isinstance(part.data, list):
        for index in range(len(part.data)):
            _check_filled_in(part.inside(index))
    elif isinstance(part.data, dict):
        for key in part.data:
            _check_filled_in(part.inside(key))


def _gates(part: Part) -> tuple[Gate, ...]:
    gates: list[Gate] = []
    for entry in part.items():
        fields = entry.fields(("id", "label"), ("anchored_by_caller", "zh"))
        identity = fields["id"].name(SLUG, "screening")
        if identity in [gate.id for gate in gates]:
            fields["id"].complain(f"a second gate {quoted(identity)}")
        label, chinese = fields["label"].text(most=120), fields["zh"].text(most=120)
        gates.append(Gate(identity, label, fields["anchored_by_caller"].flag(), chinese))
    return tuple(gates)


def _gate_choice(
    part: Part, gates_part: Part, gates: tuple[Gate, ...], facts: Mapping[str, FactDefinition]
) -> tuple[Expression | None, Mapping[str, Need]]:
    """Read how a patient's gate is chosen; a trial with one gate need not say."""
    if not part.present:
        if len(gates) == 1:
            only = gates[0].id
            return compile_logic({"if": [True, only, only]}, {}, returns="code"), {}
        if gates:
            gates_part.complain("several gates, and no gate_choice that says which one a patient stands at")
        return None, {}
    fields = part.fields(("needs", "logic"))
    needs = read_needs(fields["needs"], facts)
    choice = read_logic(fields["logic"], fields["needs"], needs, facts, returns="code")
    if choice is not None:
        check_gate_results(fields["logic"], [gate.id for gate in gates])
    return choice, needs


def _check_triggers(part: Part, criteria: tuple[Criterion, ...], gates: tuple[Gate, ...]) -> None:
    for gate in gates:
        here = [criterion for criterion in criteria if gate.id in criterion.gates]
        if not here:
            part.complain(f"the gate {gate.id!r} has no criterion")
        elif not any(criterion.trigger for criterion in here):
            part.complain(f"the gate {gate.id!r} has no trigger, so no card would ever speak", "trigger: true on one")

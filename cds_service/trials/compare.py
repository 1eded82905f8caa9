"""What changed between two versions of the rules: criteria, the trial around them, and the facts they read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cds_service.facts.definitions import FactDefinition
from cds_service.facts.need import Need
from cds_service.trials.model import Criterion, Library, Trial
from cds_service.trials.plain import say

_PLAIN: Final = ("kind", "text", "short", "zh", "trigger", "sign")
_LISTS: Final = ("gates", "source", "conventions")
_HEAD: Final = ("revision", "title", "phase", "sponsor", "url", "as_of", "exclusions", "review")
_TEXTS: Final = ("lines", "lines_zh", "not_encoded", "conventions", "conventions_zh")
_FACT: Final = ("kind", "type", "label", "unit", "ask", "options")


def rule_changes(old: Trial, new: Trial) -> Iterator[str]:
    """Yield a line for every difference between two versions of a trial."""
    yield from _plain("trial", old, new, _HEAD)
    if old.gates != new.gates:
        yield f"gates: {_gates(old)} -> {_gates(new)}"
    if old.gate_choice.tree != new.gate_choice.tree or old.gate_needs != new.gate_needs:
        yield f"gate choice: {say(old.gate_choice.tree)} -> {say(new.gate_choice.tree)}"
    for title in _TEXTS:
        yield from _texts(title, getattr(old, title), getattr(new, title))
    before = {criterion.id: criterion for criterion in old.criteria}
    after = {criterion.id: criterion for criterion in new.criteria}
    yield from (f"{name}: removed ({before[name].text})" for name in before if name not in after)
    for name, criterion in after.items():
        if name not in before:
            yield f"{name}: added ({criterion.text})"
            yield f"  logic: {say(criterion.logic.tree)}"
        else:
            yield from _criterion(before[name], criterion)
    if [name for name in before if name in after] != [name for name in after if name in before]:
        yield "the order of the criteria changed"


def library_changes(old: Library, new: Library) -> Iterator[str]:
    """Yield a line for every fact and value set that differs: they change verdicts without any rule changing."""
    for name in sorted({*old.facts, *new.facts}):
        one, other = old.facts.get(name), new.facts.get(name)
        if one is None or other is None:
            yield f"fact {name}: {'added' if one is None else 'removed'}"
        elif changed := [key for key in _FACT if getattr(one, key) != getattr(other, key)]:
            yield f"fact {name}: changed ({', '.join(_inside(one, other, key) for key in changed)})"
    for name in sorted({*old.value_sets, *new.value_sets}):
        if name not in old.value_sets or name not in new.value_sets:
            yield f"value set {name}: {'added' if name in new.value_sets else 'removed'}"
            continue
        before, after = ({(c.system, c.code): c for c in library.value_sets[name].concepts} for library in (old, new))
        counts = {
            "added": sum(key not in before for key in after),
            "removed": sum(key not in after for key in before),
            "changed": sum(before[key] != after[key] for key in before if key in after),
        }
        if any(counts.values()):
            yield f"value set {name}: " + ", ".join(f"{count} {word}" for word, count in counts.items() if count)


def _inside(old: FactDefinition, new: FactDefinition, key: str) -> str:
    if key != "options":
        return key
    names = sorted({*old.options, *new.options})
    return ", ".join(f"options.{name}" for name in names if old.options.get(name) != new.options.get(name))


def _criterion(old: Criterion, new: Criterion) -> Iterator[str]:
    found = [
        *_plain(new.id, old, new, _PLAIN),
        *(
            f"{new.id}: {key}: {', '.join(getattr(old, key)) or 'none'} -> {', '.join(getattr(new, key)) or 'none'}"
            for key in _LISTS
            if getattr(old, key) != getattr(new, key)
        ),
    ]
    for name in dict.fromkeys((*old.needs, *new.needs)):
        if old.needs.get(name) != new.needs.get(name):
            found.append(f"{new.id}: need {name}: {_need(old.needs.get(name))} -> {_need(new.needs.get(name))}")
    if old.logic.tree != new.logic.tree:
        found.append(f"{new.id}: logic: {say(old.logic.tree)} -> {say(new.logic.tree)}")
    yield from found


def _plain(what: str, old: Any, new: Any, keys: tuple[str, ...]) -> Iterator[str]:
    for key in keys:
        if getattr(old, key) != getattr(new, key):
            yield f"{what}: {key}: {_value(getattr(old, key))} -> {_value(getattr(new, key))}"


def _texts(title: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name):
            yield f"{title} {name}: {old.get(name, 'none')} -> {new.get(name, 'none')}"


def _value(value: Any) -> str:
    return "; ".join(f"{key} {text}" for key, text in value.items()) if isinstance(value, Mapping) else str(value)


def _gates(trial: Trial) -> str:
    return ", ".join(
        f"{gate.id} ({gate.label}{', anchored by the caller' if gate.anchored_by_caller else ''})"
        for gate in trial.gates
    )


def _need(need: Need | None) -> str:
    if need is None:
        return "none"
    window = "the fact's own window" if need.within_days is None else f"within {need.within_days} d"
    return ", ".join(part for part in (need.fact, need.unit, window, f"up to {need.anchor}") if part)

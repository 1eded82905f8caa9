"""What changed between two versions of the rules: criteria, the trial around them, and the facts they read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cds_service.facts.definitions import FactDefinition
from cds_service.facts.need import Need
from cds_service.facts.phrase import joined, say, words_of_rules
from cds_service.trials.model import Criterion, Library, Trial
from cds_service.trials.plain import indented, sentence

_PLAIN: Final = ("kind", "text", "short", "zh", "trigger", "sign")
_LISTS: Final = ("gates", "source", "conventions")
_HEAD: Final = ("revision", "title", "phase", "sponsor", "url", "as_of", "exclusions", "review")
_TEXTS: Final = ("lines", "lines_zh", "not_encoded", "conventions", "conventions_zh")
_FACT: Final = ("kind", "type", "label", "unit", "ask", "options")


def rule_changes(old: Trial, new: Trial) -> Iterator[str]:
    """Yield a line for every difference between two versions of a trial."""
    yield from _plain("trial", old, new, _HEAD)
    if old.gates != new.gates:
        yield say("gates: {was} -> {now}", was=_gates(old), now=_gates(new))
    if old.gate_choice.tree != new.gate_choice.tree or old.gate_needs != new.gate_needs:
        was, now = sentence(old.gate_choice.tree), sentence(new.gate_choice.tree)
        yield say("gate choice: {was} -> {now}", was=was, now=now)
    for title in _TEXTS:
        yield from _texts(title, getattr(old, title), getattr(new, title))
    before = {criterion.id: criterion for criterion in old.criteria}
    after = {criterion.id: criterion for criterion in new.criteria}
    for name in before:
        if name not in after:
            yield say("{name}: removed ({text})", name=name, text=words_of_rules(before[name].text))
    for name, criterion in after.items():
        if name not in before:
            yield say("{name}: added ({text})", name=name, text=words_of_rules(criterion.text))
            yield indented(say("logic: {logic}", logic=sentence(criterion.logic.tree)))
        else:
            yield from _criterion(before[name], criterion)
    if [name for name in before if name in after] != [name for name in after if name in before]:
        yield say("the order of the criteria changed")


def library_changes(old: Library, new: Library) -> Iterator[str]:
    """Yield a line for every fact and value set that differs: they change verdicts without any rule changing."""
    for name in sorted({*old.facts, *new.facts}):
        one, other = old.facts.get(name), new.facts.get(name)
        if one is None:
            yield say("fact {name}: added", name=name)
        elif other is None:
            yield say("fact {name}: removed", name=name)
        elif changed := [key for key in _FACT if getattr(one, key) != getattr(other, key)]:
            yield say(
                "fact {name}: changed ({what})", name=name, what=", ".join(_inside(one, other, key) for key in changed)
            )
    for name in sorted({*old.value_sets, *new.value_sets}):
        if name not in old.value_sets:
            yield say("value set {name}: added", name=name)
        elif name not in new.value_sets:
            yield say("value set {name}: removed", name=name)
        elif counts := _concept_changes(old, new, name):
            yield say("value set {name}: {counts}", name=name, counts=counts)


def _concept_changes(old: Library, new: Library, name: str) -> str:
    before, after = ({(c.system, c.code): c for c in library.value_sets[name].concepts} for library in (old, new))
    added = sum(key not in before for key in after)
    removed = sum(key not in after for key in before)
    changed = sum(before[key] != after[key] for key in before if key in after)
    counts = (
        say("{number} added", number=added) if added else "",
        say("{number} removed", number=removed) if removed else "",
        say("{number} changed", number=changed) if changed else "",
    )
    return joined(counts, ", ")


def _inside(old: FactDefinition, new: FactDefinition, key: str) -> str:
    if key != "options":
        return key
    names = sorted({*old.options, *new.options})
    return ", ".join(f"options.{name}" for name in names if old.options.get(name) != new.options.get(name))


def _criterion(old: Criterion, new: Criterion) -> Iterator[str]:
    yield from _plain(new.id, old, new, _PLAIN)
    for key in _LISTS:
        if getattr(old, key) != getattr(new, key):
            yield _changed(new.id, key, _listed(getattr(old, key)), _listed(getattr(new, key)))
    for name in dict.fromkeys((*old.needs, *new.needs)):
        if old.needs.get(name) != new.needs.get(name):
            was, now = _need(old.needs.get(name)), _need(new.needs.get(name))
            yield say("{criterion}: need {name}: {was} -> {now}", criterion=new.id, name=name, was=was, now=now)
    if old.logic.tree != new.logic.tree:
        was, now = sentence(old.logic.tree), sentence(new.logic.tree)
        yield say("{criterion}: logic: {was} -> {now}", criterion=new.id, was=was, now=now)


def _plain(what: str, old: Any, new: Any, keys: tuple[str, ...]) -> Iterator[str]:
    for key in keys:
        if getattr(old, key) != getattr(new, key):
            yield _changed(what, key, _value(getattr(old, key)), _value(getattr(new, key)))


def _changed(what: str, key: str, was: str, now: str) -> str:
    """Say what stands at a key of the file now; its words stay as the two files have them."""
    return say("{what}: {key}: {was} -> {now}", what=what, key=key, was=was, now=now)


def _texts(title: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name):
            was, now = (one.get(name, say("none")) for one in (old, new))
            yield say("{what}: {was} -> {now}", what=f"{title} {name}", was=was, now=now)


def _value(value: Any) -> str:
    return "; ".join(f"{key} {text}" for key, text in value.items()) if isinstance(value, Mapping) else str(value)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or say("none")


def _gates(trial: Trial) -> str:
    return joined(
        (
            say("{gate} ({label}, anchored by the caller)", gate=gate.id, label=gate.label)
            if gate.anchored_by_caller
            else say("{gate} ({label})", gate=gate.id, label=gate.label)
            for gate in trial.gates
        ),
        ", ",
    )


def _need(need: Need | None) -> str:
    if need is None:
        return say("none")
    days = need.within_days
    window = say("the fact's own window") if days is None else say("within {days} d", days=days)
    return joined((need.fact, need.unit or "", window, say("up to {anchor}", anchor=need.anchor)), ", ")

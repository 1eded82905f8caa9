"""Plain data from YAML events, with the line of each part; notes what a rule file may not hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from cds_service.trials.complaints import Complaints, quoted
from cds_service.trials.scalars import DoubtfulScalarError, read_plain, unseen

# Far above any honest rule file (the first trial: 800 nodes, 12 levels), far below harm.
MAX_DEPTH: Final = 32
MAX_NODES: Final = 50_000
MAX_TEXT: Final = 20_000

Steps = tuple[str | int, ...]


class Stop(Exception):  # noqa: N818
    """Reading cannot go on; the complaint is already noted."""


@dataclass
class _Open:
    """A mapping or list that is being read."""

    value: Any
    path: Steps
    key: str | None = None
    seen: dict[str, int] = field(default_factory=dict)


class Builder:
    """Builds the data from events, noting what a rule file may not hold."""

    def __init__(self, name: str) -> None:
        """Start before the first event."""
        self.name, self.root, self.line = name, None, 1
        self.lines: dict[Steps, int] = {}
        self.complaints = Complaints()
        self._stack: list[_Open] = []
        self._nodes = self._documents = 0

    def complain(self, line: int, message: str, hint: str = "") -> None:
        """Note a complaint and go on."""
        self.complaints.add(f"{self.name}:{line}", message, hint)

    def stop(self, line: int, message: str, hint: str = "") -> None:
        """Note a complaint after which nothing can be understood.

        Raises:
            Stop: always.
        """
        self.complain(line, message, hint)
        raise Stop

    def _refuse(self, what: str, hint: str) -> None:
        self.complain(self.line, f"{what[:60]}: rule files have none", hint)

    def take(self, event: Event) -> None:
        """Use one event."""
        self.line = event.start_mark.line + 1
        if isinstance(event, DocumentStartEvent):
            self._document(event)
        elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            self._stack.pop()
        elif isinstance(event, AliasEvent):
            self._count()
            self._refuse(f"alias *{event.anchor}", "write the value out again")
            if self._expects_key():
                raise Stop
            self._place(None)
        elif isinstance(event, (ScalarEvent, MappingStartEvent, SequenceStartEvent)):
            self._node(event)

    def _document(self, event: DocumentStartEvent) -> None:
        self._documents += 1
        if self._documents > 1:
            self.stop(self.line, "a second document begins here: a rule file holds one", "remove the '---'")
        if event.version or event.tags:
            self.stop(self.line, "a % directive: rule files are YAML 1.2 and need none")

    def _node(self, event: ScalarEvent | MappingStartEvent | SequenceStartEvent) -> None:
        self._count()
        if event.anchor is not None:
            self._refuse(f"anchor &{event.anchor}", "write the value out again")
        if event.tag is not None:
            self._refuse(f"tag {quoted(str(event.tag))}", "remove it")
        if isinstance(event, ScalarEvent):
            self._scalar(event)
            return
        if self._expects_key():
            self.stop(self.line, "a key must be text, not a mapping or a list", "brackets in text need quotes")
        value: Any = {} if isinstance(event, MappingStartEvent) else []
        path = self._place(value)
        if len(self._stack) >= MAX_DEPTH:
            self.stop(self.line, f"more than {MAX_DEPTH} levels deep")
        self._stack.append(_Open(value, path))

    def _count(self) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self.stop(self.line, f"more than {MAX_NODES} nodes, the most a rule file may have")

    def _scalar(self, event: ScalarEvent) -> None:
        text, plain = str(event.value), event.style is None
        if len(text) > MAX_TEXT:
            self.complain(self.line, f"a text of {len(text)} characters; {MAX_TEXT} is the most")
        if character := unseen(text):
            self.complain(self.line, f"the character {character} cannot be seen and cannot stand in a rule file")
        if self._expects_key():
            self._key(text, plain)
            return
        try:
            self._place(read_plain(text) if plain else text)
        except DoubtfulScalarError as error:
            self.complain(self.line, str(error), "put text in quotes; write numbers as 12, -0.5 or 1.5e3")
            self._place(None)

    def _expects_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1].value, dict) and self._stack[-1].key is None

    def _key(self, text: str, plain: bool) -> None:
        """Keep a key for the value that follows; keys are text, whatever they look like."""
        owner = self._stack[-1]
        if plain and text == "<<":
            self._refuse("merge key '<<'", "write the keys out again")
        if text in owner.seen:
            first = owner.seen[text]
            self.complain(self.line, f"key {quoted(text)} stands twice, first on line {first}", "remove one of them")
        owner.seen.setdefault(text, self.line)
        self.lines.setdefault((*owner.path, text), self.line)
        owner.key = text

    def _place(self, value: Any) -> Steps:
        """Put a value where the parser stands, and return its path."""
        if not self._stack:
            self.root, self.lines[()] = value, self.line
            return ()
        owner = self._stack[-1]
        if isinstance(owner.value, list):
            path: Steps = (*owner.path, len(owner.value))
            owner.value.append(value)
            self.lines[path] = self.line
            return path
        assert owner.key is not None  # noqa: S101 (a value follows its key)
        path = (*owner.path, owner.key)
        owner.value.setdefault(owner.key, value)
        owner.key = None
        return path

"""Rule files as plain data with line numbers: strict YAML 1.2, bounded and inert.

The file is read event by event, so that every limit holds before anything is built. There are no anchors,
aliases, tags, directives or merge keys: what is written is what is meant, and a small file cannot grow.
JSON is accepted, being YAML 1.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
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
from ruamel.yaml.reader import ReaderError

from cds_service.errors import Complaint, RuleError
from cds_service.trials.complaints import Complaints, quoted
from cds_service.trials.scalars import DoubtfulScalarError, read_plain, unseen

# Far above any honest rule file (the first trial: 40 KiB, 2,500 nodes, 9 levels), far below harm.
MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 32
MAX_NODES: Final = 50_000
MAX_TEXT: Final = 20_000

Steps = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """One file as read.

    Args:
        name: the file, as complaints show it.
        data: dict (keys are always text), list, str, int, Decimal, bool or None.
        lines: where each part stands (1-based), by its path; a key's value stands at its key.
    """

    name: str
    data: Any
    lines: dict[Steps, int]

    def line(self, path: Steps) -> int:
        """Return the line of a part, or of the nearest part around it that exists."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def where(self, path: Steps = ()) -> str:
        """Return ``file:line`` of a part."""
        return f"{self.name}:{self.line(path)}"


class _Stop(Exception):  # noqa: N818
    """Reading cannot go on; the complaint is already noted."""


@dataclass
class _Open:
    """A mapping or list that is being read."""

    value: Any
    path: Steps
    key: str | None = None
    seen: dict[str, int] = field(default_factory=dict)


def read_document(file: Path) -> Document:
    """Read a file.

    Raises:
        RuleError: it cannot be read, or is not what :func:`parse_document` accepts.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise RuleError([Complaint(str(file), f"cannot be read: {error.strerror}")]) from error
    return parse_document(content, str(file))


def parse_document(content: bytes, name: str) -> Document:
    """Read a file's content.

    Args:
        content: at most `MAX_BYTES`, UTF-8.
        name: the file, for complaints.

    Raises:
        RuleError: with everything wrong up to where reading had to stop.

    >>> parse_document(b"a: 1.50", "x.yaml").data
    {'a': Decimal('1.50')}
    """
    if len(content) > MAX_BYTES:
        raise RuleError([Complaint(name, f"larger than {MAX_BYTES} bytes, the most a rule file may have")])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise RuleError([Complaint(f"{name}:{line}", "not UTF-8", "save the file as UTF-8")]) from None
    builder = _Builder(name)
    try:
        for event in _events(text, builder):
            builder.take(event)
    except _Stop:
        pass
    builder.complaints.raise_any()
    return Document(name, builder.root, builder.lines)


def _events(text: str, builder: _Builder) -> Iterator[Event]:
    """Yield the parser's events; its errors become complaints."""
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        builder.stop(line, f"the character U+{ord(text[error.position]):04X} cannot stand in a rule file")
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = " ".join(part for part in (error.context, error.problem) if part)
        builder.stop(
            mark.line + 1 if mark else 1, f"not YAML: {message}", "look at indents, quotes and colons here"
        )
    except YAMLError as error:
        builder.stop(1, f"not YAML: {quoted(str(error))}")
    except (ValueError, OverflowError):
        # The parser makes a character of an escape such as "\UFFFFFFFF" without asking whether there is one.
        builder.stop(builder.line, "not YAML: an escape stands for no character")


class _Builder:
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
            _Stop: always.
        """
        self.complain(line, message, hint)
        raise _Stop

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
                raise _Stop
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
            self.stop(
                self.line, "a key must be text, not a mapping or a list", "brackets in text need quotes"
            )
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
            self.complain(
                self.line, f"the character {character} cannot be seen and cannot stand in a rule file"
            )
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
            self.complain(
                self.line, f"key {quoted(text)} stands twice, first on line {first}", "remove one of them"
            )
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

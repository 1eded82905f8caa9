"""Rule files as plain data with line numbers: strict YAML 1.2, bounded and inert.

The file is read event by event, so that every limit holds before anything is built. There are no anchors,
aliases, tags, directives or merge keys: what is written is what is meant, and a small file cannot grow.
JSON is accepted, being YAML 1.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import Event
from ruamel.yaml.reader import ReaderError

from cds_service.errors import Complaint, RuleError
from cds_service.trials.complaints import quoted
from cds_service.trials.yaml_build import Builder, Steps, Stop

# Far above any honest rule file (the first trial has 11 KiB), far below harm.
MAX_BYTES: Final = 1 << 20


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
    builder = Builder(name)
    try:
        for event in _events(text, builder):
            builder.take(event)
    except Stop:
        pass
    builder.complaints.raise_any()
    return Document(name, builder.root, builder.lines)


def _events(text: str, builder: Builder) -> Iterator[Event]:
    """Yield the parser's events; its errors become complaints."""
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        builder.stop(line, f"the character U+{ord(text[error.position]):04X} cannot stand in a rule file")
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = " ".join(part for part in (error.context, error.problem) if part)
        builder.stop(mark.line + 1 if mark else 1, f"not YAML: {message}", "look at indents, quotes and colons here")
    except YAMLError as error:
        builder.stop(1, f"not YAML: {quoted(str(error))}")
    except (ValueError, OverflowError):
        # The parser makes a character of an escape such as "\UFFFFFFFF" without asking whether there is one.
        builder.stop(builder.line, "not YAML: an escape stands for no character")

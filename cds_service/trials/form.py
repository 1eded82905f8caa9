"""One place in a rule file, read with complaints instead of exceptions, so that all of them come at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from cds_service.trials.complaints import Complaints, did_you_mean, quoted
from cds_service.trials.yaml_build import Steps
from cds_service.trials.yaml_text import Document

SLUG: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ABSENT: Final = object()
_TRUE_OR_FALSE: Final = frozenset(("yes", "no", "on", "off", "y", "n"))


@dataclass(frozen=True)
class Part:
    """A part of a document; an absent one answers every question with nothing and without a complaint.

    Args:
        document: the file.
        complaints: where complaints go.
        path: keys and indexes from the file's root.
        data: what stands there.
    """

    document: Document
    complaints: Complaints
    path: Steps = ()
    data: Any = _ABSENT

    @classmethod
    def whole(cls, document: Document, complaints: Complaints) -> Part:
        """Return the root of a document."""
        return cls(document, complaints, (), document.data)

    @property
    def present(self) -> bool:
        """Whether the file has this part."""
        return self.data is not _ABSENT

    @property
    def line(self) -> int:
        """Where it stands (1-based)."""
        return self.document.line(self.path)

    def complain(self, message: str, hint: str = "", *, at: Steps = ()) -> None:
        """Complain of this part, or of one inside it.

        Args:
            message: what is wrong; the path is put before it.
            hint: how to mend it.
            at: further steps to the place meant.
        """
        path = (*self.path, *at)
        steps = (f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in path)
        shown = _cut("".join(steps).removeprefix("."))
        self.complaints.add(self.document.where(path), f"{shown}: {message}" if shown else message, hint)

    def expected(self, what: str, hint: str = "") -> None:
        """Complain that something else stands here."""
        self.complain(f"expected {what}, found {_describe(self.data)}", hint)

    def inside(self, step: str | int) -> Part:
        """Return a part of this one that may be absent."""
        here = self.data
        if isinstance(here, dict) and step in here:
            return Part(self.document, self.complaints, (*self.path, step), here[step])
        if isinstance(here, list) and isinstance(step, int) and step < len(here):
            return Part(self.document, self.complaints, (*self.path, step), here[step])
        return Part(self.document, self.complaints, (*self.path, step))

    def fields(self, required: Iterable[str], optional: Iterable[str] = ()) -> Mapping[str, Part]:
        """Read a mapping whose keys are fixed; complain of unknown and missing ones.

        Returns:
            A part for every required and optional key, absent ones included.
        """
        wanted, known = tuple(required), (*required, *optional)
        found = self._mapping(f"a mapping with {', '.join(wanted)}" if wanted else "a mapping")
        for key in found:
            if key not in known:
                self.complain(f"unknown key {quoted(key)}", did_you_mean(key, known), at=(key,))
        if self.present and isinstance(self.data, dict):
            for key in wanted:
                if key not in found:
                    self.complain(f"the key {key!r} is missing")
        return {key: self.inside(key) for key in known}

    def entries(self) -> Mapping[str, Part]:
        """Read a mapping whose keys are the author's."""
        return {key: self.inside(key) for key in self._mapping("a mapping")}

    def items(self, *, empty: bool = False) -> list[Part]:
        """Read a list; an empty one is complained of unless allowed."""
        if not self.present:
            return []
        if not isinstance(self.data, list):
            self.expected("a list", "write it in [brackets] or with a '- ' before each item")
            return []
        if not self.data and not empty:
            self.complain("the list is empty")
        return [self.inside(index) for index in range(len(self.data))]

    def different(self, known: Collection[str] | None = None, what: str = "") -> tuple[str, ...]:
        """Read a list of names, each once.

        Args:
            known: when given, the names allowed.
            what: what they name, for complaints.
        """
        found: list[str] = []
        for item in self.items():
            name = item.label() if known is None else item.choice(known, what)
            if name in found:
                item.complain(f"{quoted(name)} stands twice in the list")
            elif name:
                found.append(name)
        return tuple(found)

    def text(self, *, most: int = 2_000) -> str:
        """Read a text that is not empty."""
        if not self.present:
            return ""
        if not isinstance(self.data, str) or not self.data.strip():
            number = isinstance(self.data, (int, Decimal)) and not isinstance(self.data, bool)
            self.expected("text", f'put it in quotes: "{self.data}"' if number else "")
            return ""
        if len(self.data) > most:
            self.complain(f"{len(self.data)} characters; {most} is the most here")
        return self.data.strip()

    def label(self) -> str:
        """Read a text that may look like a whole number, such as a phase or the id of a line."""
        if isinstance(self.data, int) and not isinstance(self.data, bool):
            return str(self.data)
        return self.text()

    def name(self, pattern: re.Pattern[str], example: str) -> str:
        """Read a name of a given form."""
        text = self.text()
        if text and not pattern.fullmatch(text):
            self.expected(f"a name such as {example!r}")
            return ""
        return text

    def choice(self, known: Collection[str], what: str) -> str:
        """Read one of a closed list."""
        text = self.label()
        if text and text not in known:
            self.complain(f"unknown {what} {quoted(text)}", did_you_mean(text, known))
            return ""
        return text

    def flag(self) -> bool:
        """Read true or false; an absent one is false."""
        if self.present and not isinstance(self.data, bool):
            word = isinstance(self.data, str) and self.data.lower() in _TRUE_OR_FALSE
            self.expected("true or false", "in YAML 1.2 yes, no, on and off are text" if word else "")
            return False
        return self.data is True

    def whole_number(self, least: int, most: int, default: int = 0) -> int:
        """Read a whole number in a range."""
        if not self.present:
            return default
        if not isinstance(self.data, int) or isinstance(self.data, bool) or not least <= self.data <= most:
            self.expected(f"a whole number from {least} to {most}")
            return default
        return self.data

    def day(self) -> date | None:
        """Read a day, written YYYY-MM-DD."""
        if not self.present:
            return None
        try:
            if isinstance(self.data, str) and _DAY.fullmatch(self.data):
                return date.fromisoformat(self.data)
        except ValueError:
            pass
        self.expected("a day such as 2026-03-01")
        return None

    def texts(self) -> Mapping[str, str]:
        """Read a mapping of texts; its keys are the author's."""
        return {key: part.text() for key, part in self.entries().items()}

    def translations(self) -> Mapping[str, str]:
        """Read a text by language, English at least."""
        fields = self.fields(("en",), ("zh",))
        return {language: part.text() for language, part in fields.items() if part.present}

    def texts_by_language(self) -> Mapping[str, Mapping[str, str]]:
        """Read a mapping of texts; its keys are the author's, and each is English text or a text by language.

        Returns:
            By language, "en" and "zh": key to text; the Chinese without the keys that have none.
        """
        found: dict[str, dict[str, str]] = {"en": {}, "zh": {}}
        for key, part in self.entries().items():
            said = part.translations() if isinstance(part.data, dict) else {"en": part.text()}
            found["en"][key] = said.get("en", "")
            if "zh" in said:
                found["zh"][key] = said["zh"]
        return found

    def _mapping(self, what: str) -> Mapping[str, Any]:
        if not self.present:
            return {}
        if not isinstance(self.data, dict):
            self.expected(what)
            return {}
        return self.data


def _describe(data: Any) -> str:
    if data is None:
        return "nothing"
    if isinstance(data, bool):
        return str(data).lower()
    if isinstance(data, str):
        return f"the text {quoted(data)}" if data else "an empty text"
    if isinstance(data, (int, Decimal)):
        return f"the number {data}"
    return "a mapping" if isinstance(data, dict) else "a list"


def _cut(path: str) -> str:
    return path if len(path) <= 120 else "..." + path[-117:]

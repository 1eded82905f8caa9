"""Help texts and click's own words in Chinese: copies of the commands, and a formatter that breaks Chinese lines."""

from __future__ import annotations

import copy
import gettext
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import click

from cds_service.cli.tongue import CHINESE, TERMINAL, catalogue
from cds_service.cli.wide import columns, folded
from cds_service.languages import FOLDER

C = TypeVar("C", bound=click.Command)


def in_chinese(command: C) -> C:
    """Return a copy of a command, and of those below it, whose help is Chinese; it does the same."""
    twin = copy.copy(command)
    twin.context_class = _Context
    twin.params = [_parameter(one) for one in command.params]
    vars(twin)["_help_option"] = None  # click keeps the one that it once made, in the language of then
    if command.help:
        twin.help = "\n\n".join(map(catalogue().gettext, paragraphs(command.help)))
        twin.short_help = twin.help.partition("\n\n")[0].partition("。")[0] + "。"
    if isinstance(twin, click.Group):
        twin.commands = {name: in_chinese(one) for name, one in twin.commands.items()}
    return twin


def paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a help text, each in one line: the keys of their translations."""
    return [" ".join(one.split()) for one in text.split("\n\n")]


def _parameter(parameter: click.Parameter) -> click.Parameter:
    twin = copy.copy(parameter)
    if isinstance(twin, click.Option) and twin.help:
        twin.help = catalogue().gettext(twin.help)
    return twin


@contextmanager
def click_in_chinese() -> Iterator[None]:
    """Let click say its own words in Chinese: it asks the standard library's gettext, which goes by the environment."""
    domain, language = gettext.textdomain(), os.environ.get("LANGUAGE")
    gettext.bindtextdomain(TERMINAL, str(FOLDER))
    gettext.textdomain(TERMINAL)
    os.environ["LANGUAGE"] = CHINESE
    try:
        yield
    finally:
        gettext.textdomain(domain)
        if language is None:
            del os.environ["LANGUAGE"]
        else:
            os.environ["LANGUAGE"] = language


class _Formatter(click.HelpFormatter):
    """Breaks lines between Chinese characters too, each of which takes two columns."""

    def write_text(self, text: str) -> None:
        """Write paragraphs, indented."""
        for number, paragraph in enumerate(text.split("\n\n")):
            if number:
                self.write_paragraph()
            self._lines(folded(paragraph, self.width - self.current_indent), self.current_indent)

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write a list of names, each with what it means."""
        rows = list(rows)
        column = min(max((columns(first) for first, _ in rows), default=0), col_max) + col_spacing
        at = self.current_indent + column
        for first, second in rows:
            lines = folded(second, max(self.width - at, 10))
            self.write(f"{'':{self.current_indent}}{first}")
            if lines and columns(first) <= column - col_spacing:
                self.write(f"{'':{column - columns(first)}}{lines.pop(0)}")
            self.write("\n")
            self._lines(lines, at)

    def _lines(self, lines: list[str], indent: int) -> None:
        for line in lines:
            self.write(f"{'':{indent}}{line}\n")


class _Context(click.Context):
    formatter_class = _Formatter

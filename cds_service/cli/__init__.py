"""The command line: each command parses, calls, prints; an error is one clear line and an exit code."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any, Final

import click

from cds_service import __version__
from cds_service.cli.tongue import terminal, terminal_language, told
from cds_service.errors import CdsServiceError, RequestError

# Loaded when asked for, so that `--help` and `evaluate` do not wait for the web parts.
_COMMANDS: Final = (
    "audit",
    "backup",
    "conformance",
    "demo",
    "doctor",
    "ehr-sheet",
    "evaluate",
    "feedback",
    "keys",
    "outputs",
    "prescreen",
    "restore",
    "rules",
    "score",
    "serve",
    "sites",
    "synth",
    "why-not",
    "worklist",
)

STOPPED: Final = 130
"""Exit code after Ctrl-C, as shells have it."""


class Commands(click.Group):
    """Commands found by module name, and our errors told without a traceback; in the terminal's language."""

    chinese = False

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run as a program; where the terminal is Chinese, a copy of the commands that is Chinese too."""
        if terminal_language() == "en":
            return super().main(*args, **extra)
        from cds_service.cli.chinese_help import click_in_chinese, in_chinese

        twin = in_chinese(self)
        twin.chinese = True
        with click_in_chinese():
            return super(Commands, twin).main(*args, **extra)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands that are installed."""
        return [name for name in _COMMANDS if importlib.util.find_spec(_module(name))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command: the object called like its module."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command = getattr(importlib.import_module(_module(cmd_name)), cmd_name.replace("-", "_"))
        if self.chinese and isinstance(command, click.Command):
            from cds_service.cli.chinese_help import in_chinese

            return in_chinese(command)
        return command if isinstance(command, click.Command) else None

    def invoke(self, ctx: click.Context) -> Any:
        """Run; turn an error into its line on stderr and its exit code."""
        try:
            return super().invoke(ctx)
        except CdsServiceError as error:
            click.echo(_line(error), err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo(terminal().t("Stopped."), err=True)
            ctx.exit(STOPPED)


def _module(name: str) -> str:
    """Return the module of a command: hyphens of a command are underscores there."""
    return f"{__name__}.{name.replace('-', '_')}"


def _line(error: CdsServiceError) -> str:
    """Return the error for stderr; the field of a wrong input always shows."""
    text = told(error)
    if isinstance(error, RequestError) and error.field not in text:
        text = f"{error.field}: {text}"
    return f"cds-service: {text}"


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cds-service")
def main() -> None:
    """Judge a patient's chart against clinical trial criteria, and say what is missing."""

"""The well-known public sandboxes, as data: where they are and what is odd about them (``sandboxes.toml``)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal


@dataclass(frozen=True)
class Sandbox:
    """One sandbox.

    Args:
        title: its name.
        base_url: the FHIR base; "" where everybody has one of their own.
        auth: how it lets one in.
        tried: whether the doctor was run there.
        source: the vendor's pages.
        quirks: what is known to be odd about it.
        auth_origins: authorization servers on another host.
    """

    title: str
    base_url: str
    auth: Literal["none", "smart"]
    tried: bool
    source: str
    quirks: tuple[str, ...]
    auth_origins: tuple[str, ...] = ()


@cache
def sandboxes() -> dict[str, Sandbox]:
    """Return the sandboxes by name."""
    text = files(__package__).joinpath("sandboxes.toml").read_text(encoding="utf-8")
    found: dict[str, Sandbox] = {}
    for name, given in tomllib.loads(text).items():
        lists: dict[str, Any] = {key: tuple(given.pop(key, ())) for key in ("quirks", "auth_origins")}
        found[name] = Sandbox(**given, **lists)
    return found

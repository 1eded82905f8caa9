"""Discovery: the entries, and the templates that they publish."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from cds_service.conformance.empties import empties
from cds_service.conformance.hooks import HOOKS, USER_TOKENS
from cds_service.conformance.session import DISCOVERY, Service, Session
from cds_service.conformance.wire import Reply
from cds_service.errors import GatherError

_TOKEN: Final = re.compile(r"\{\{(.*?)\}\}")
_SEMVER: Final = re.compile(r"\d+\.\d+(\.\d+)?([-+][0-9A-Za-z.\-+]+)?")
_QUERY: Final = re.compile(r"[A-Z][A-Za-z]+(/[^/?&]+)?(\?[^?]+)?")
# 3.0: chained paths, ofType(), resolve(), today() with days, several paths, earlier results.
_SIMPLER: Final = re.compile(r"(context|%[A-Za-z_][A-Za-z0-9_\-]*|today\(\)|user[A-Za-z]+Id)[^{}]*")
# 2.0.1 Prefetch query restrictions: token equality and :in, references, dates, _count, _sort; 3.0 adds _maxresults.
_CONTROLS: Final = {"_count", "_sort", "_maxresults", "_id", "_lastUpdated"}


def read_discovery(session: Session) -> list[Service]:
    """Ask for discovery, check it, and return the entries that can be called.

    Raises:
        GatherError: no answer came: there is nothing to check.
    """
    secure = session.host.scheme == "https" or session.host.loopback
    session.findings.note("D18", "" if secure else "plain http to another host", sent=f"GET {DISCOVERY}", came="")
    sent = f"GET {DISCOVERY}"
    reply = session.send("GET", DISCOVERY, sent=sent)
    if reply.trouble:
        raise GatherError(f"Nothing was checked: nobody answers at this address ({reply.trouble}).")

    def note(check: str, fault: str = "") -> None:
        session.note(check, None, sent, reply, fault)

    note("D01", "" if reply.status == 200 else "200 is needed")
    if reply.status != 200:
        return []
    try:
        value = reply.value()
    except ValueError as error:
        note("D02", f"the body is {error}")
        return []
    note("D02", "" if reply.json_type else "Content-Type is not JSON")
    entries = value.get("services") if isinstance(value, dict) else None
    if not isinstance(entries, list):
        note("D03", "no array `services`")
        return []
    note("D03")
    note("D07", next((f"{where} is null or empty" for where in empties(value) if where != "services"), ""))
    session.entries = entries
    good = [one for one in entries if isinstance(one, dict)]
    for at, entry in enumerate(entries):
        _check_entry(session, f"services[{at}]", entry, sent, reply)
    keys = Counter((str(one.get("id")), str(one.get("hook"))) for one in good)
    note("D08", "" if all(count == 1 for count in keys.values()) else "an entry stands twice")
    hooks = Counter(service for service, _hook in keys)
    note("D09", "" if all(count == 1 for count in hooks.values()) else "an id serves several hooks")
    return [
        Service(one["id"], one["hook"], _templates(one))
        for one in good
        if all(isinstance(one.get(name), str) and one[name] for name in ("id", "hook"))
    ]


def _templates(entry: dict[str, Any]) -> dict[str, str]:
    prefetch = entry.get("prefetch")
    found = prefetch.items() if isinstance(prefetch, dict) else ()
    return {key: value for key, value in found if isinstance(value, str)}


def _check_entry(session: Session, where: str, entry: Any, sent: str, reply: Reply) -> None:
    def note(check: str, fault: str = "") -> None:
        session.note(check, None, sent, reply, f"in {where}: {fault}" if fault else "")

    if not isinstance(entry, dict):
        note("D04", "no object")
        return
    missing = [name for name in ("hook", "description", "id") if not _text(entry.get(name))]
    note("D04", f"the entry lacks {', '.join(missing)}" if missing else "")
    note("D05", "" if _text(entry.get("title")) else "no title")
    note("D06", _optional_fault(entry))
    note("D10", "" if _SEMVER.fullmatch(str(entry.get("version", ""))) else "no semantic version")
    hook = HOOKS.get(str(entry.get("hook")))
    if hook and "hookVersion" in entry:
        published = {_plain(version) for version in hook.versions}
        note("D11", "" if _plain(str(entry["hookVersion"])) in published else "no published version of the hook")
    earlier: set[str] = set()
    for key, template in _templates(entry).items():
        for check, fault in template_faults(template, entry, earlier):
            note(check, f"prefetch.{key}: {fault}" if fault else "")
        earlier.add(key)


def _optional_fault(entry: dict[str, Any]) -> str:
    prefetch = entry.get("prefetch", {})
    if not isinstance(prefetch, dict) or not all(isinstance(value, str) for value in prefetch.values()):
        return "prefetch is no object of strings"
    if not isinstance(entry.get("usageRequirements", ""), str):
        return "usageRequirements is no string"
    return ""


def template_faults(template: str, entry: dict[str, Any], earlier: set[str]) -> Iterator[tuple[str, str]]:
    """Yield every check of a template with its fault, "" for none."""
    bare = _TOKEN.sub("x", template)
    relative = _QUERY.fullmatch(bare) and "{" not in bare and "}" not in bare
    yield "D12", "" if relative else "not a relative read or search"
    third = str(entry.get("version", "")).startswith("3")
    tokens = [token.strip() for token in _TOKEN.findall(template)]
    plain = [t for t in tokens if re.fullmatch(r"context\.[A-Za-z]+", t) or t in USER_TOKENS]
    odd = [t for t in tokens if t not in plain and not (third and _SIMPLER.fullmatch(t))]
    yield "D13", "a token is no path to a context field" if odd else ""
    hook = HOOKS.get(str(entry.get("hook")))
    if hook and not third:
        names = [t.removeprefix("context.") for t in plain if t.startswith("context.")]
        strangers = [name for name in names if name not in hook.tokens]
        yield "D14", "a token is none of this hook's" if strangers else ""
    needed = {found for t in tokens for found in re.findall(r"%([A-Za-z_][A-Za-z0-9_\-]*)", t)}
    if needed:
        yield "D15", "" if needed <= earlier else "stands before the template it depends on"
    names = [part.partition("=")[0] for part in bare.partition("?")[2].split("&") if part]
    yield "D16", "" if all(map(_simple, names)) else "a search parameter beyond the restricted subset"
    yield "D17", "" if len(set(names)) == len(names) else "a search parameter stands twice"


def _simple(name: str) -> bool:
    """Say whether a search parameter is one that every client understands: no chain, no modifier but ``:in``."""
    base, _, modifier = name.partition(":")
    if base.startswith("_"):
        return base in _CONTROLS and not modifier
    return "." not in base and modifier in ("", "in")


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _plain(version: str) -> str:
    return version.removesuffix(".0")

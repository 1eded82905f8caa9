"""Who reads, and in which language; what was looked at and done, by whom."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from cds_service.bootstrap import Services
from cds_service.facts.phrase import say
from cds_service.store.worklist import MOST_NAME
from cds_service.web.language import PARAMETER, choose
from cds_service.web.worklist.asked import choice, entry_id, line, number, only
from cds_service.web.worklist.audit_words import in_words
from cds_service.web.worklist.guard import PREFIX
from cds_service.web.worklist.query import LANG
from cds_service.web.worklist.shown import BLUEPRINT, address, call_me, go_on, noted, page

_ROWS: Final = 100
WHAT: Final = {
    "list": say("opened the list"),
    "funnel": say("opened the funnel"),
    "entry": say("opened a patient's page"),
    "supposed": say("supposed values of a patient"),
    "report": say("opened the report"),
    "history": say("opened the history"),
    "form again": say("was shown a form again"),
    "export asked": say("opened the export"),
    "export": say("exported"),
    "audit": say("opened the audit"),
    "screened": say("screened"),
    "decided": say("decided"),
    "noted": say("noted"),
    "assigned": say("assigned"),
    "attested": say("attested"),
    "withdrawn": say("withdrew"),
    "seen": say("saw what changed"),
    "not-found": say("not found with the disease"),
    "took-run": say("took a run"),
    "forgot": say("removed a patient's data"),
    "backup": say("copied the whole store"),
}

# What the service does by itself; of all else, "" is a person who gave no name.
_OWN: Final = frozenset({"screened", "not-found", "took-run", "forgot", "backup"})


def add(blueprint: Blueprint, services: Services) -> None:
    """Add the addresses about people."""

    @blueprint.get("/me")
    def me() -> Response:
        only(frozenset({LANG}))
        return page(services, "me.html", here_address=address("me"))

    @blueprint.post("/me")
    def set_me() -> Response:
        only()
        if choice("forget", ("", "1")):
            call_me("")
            return go_on("me")
        call_me(line("who", MOST_NAME, required=True))
        return go_on("trials")

    @blueprint.post("/language")
    def language() -> Response:
        only()
        choose(choice("language", ("en", "zh")))
        back = _page_of_ours(request.form.get("next", ""))
        response = go_on("trials")
        if back is not None:
            response.headers["Location"] = back
        return response

    @blueprint.get("/audit")
    def audit() -> Response:
        only(frozenset({"before", "entry", LANG}))
        before = number("before", least=1, source=request.args, default=0)
        entry = entry_id(request.args["entry"]) if request.args.get("entry") else None
        noted(services, "audit", entry_id=entry, before=before)
        found = services.store.worklist.audit(before=before or None, limit=_ROWS + 1, entry_id=entry)
        rows, more = found[:_ROWS], len(found) > _ROWS
        return page(
            services,
            "audit.html",
            here="audit",
            rows=rows,
            what=WHAT,
            own=_OWN,
            in_words=in_words,
            local=services.local,
            older=rows[-1].number if more else None,
            entry=entry,
        )


def _page_of_ours(path: str) -> str | None:
    """Return where a reader was, if it is a page of the worklist that can be loaded again; the language is chosen now.

    Args:
        path: of an address, with its query, from a form.
    """
    root = request.script_root
    place, _, query = path.partition("?")
    if not place.startswith(f"{root}{PREFIX}") or not place.isascii() or not place.isprintable() or "\\" in place:
        return None
    try:
        # Only an address that has a page: the router knows no hosts, so nothing leads away from here.
        view, _ = current_app.url_map.bind("localhost").match(place.removeprefix(root), method="GET")
    except (HTTPException, RequestRedirect):
        return None
    if view == f"{BLUEPRINT}.nothing_here":
        return None
    kept = "&".join(part for part in query.split("&") if part and not part.startswith(f"{PARAMETER}="))
    if not kept.isascii() or not kept.isprintable():
        return None
    return f"{place}?{kept}" if kept else place

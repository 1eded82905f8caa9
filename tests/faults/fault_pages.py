"""Faults of paging, of foreign and broken records, and of redirects."""

from __future__ import annotations

from fault_kinds import (
    NOT_READ,
    OTHERS,
    UNREADABLE,
    added,
    circle,
    elsewhere,
    endless,
    failed,
    first,
    half,
    harmless,
    linked,
    overlapping,
    page,
    paged,
    partly,
    status,
)
from fault_plays import refusal

FOREIGN = "a link to the next page leads to another server"
CIRCLE = "the links to the next page run in a circle"
PAGES = (
    half(
        20,
        "`next` leads to another host",
        "uses the first page; goes nowhere, sends no token",
        linked(elsewhere),
        FOREIGN,
        "",
        asked={"Observation": 2},
    ),
    half(
        20,
        "`next` leads above the base",
        "uses the first page; goes nowhere, sends no token",
        linked(lambda asked: f"{asked.base}/../admin"),
        FOREIGN,
        "",
        asked={"Observation": 2},
    ),
    partly(
        21,
        "`next` runs in a circle",
        "stops where it was before",
        circle,
        CIRCLE,
        NOT_READ.format(why=CIRCLE, met=12),
        unread=frozenset({"transaminases", "inr-pt", "aptt"}),
        asked={"Observation": 6},
    ),
    half(
        21,
        "`next` is the page itself",
        "stops where it was before",
        linked(lambda asked: f"{asked.base}{asked.target.removeprefix('/fhir')}"),
        CIRCLE,
        asked={"Observation": 2},
    ),
    partly(
        22,
        "pages without end",
        "stops at the most pages it reads, here 6",
        endless,
        "not all pages were read",
        asked={"Observation": 12},
    ),
    harmless(
        23, "500 once, on the second page", "asks once more", paged(first(status(500)), 8), asked={"Observation": 4}
    ),
    harmless(
        23,
        "410 once, on the second page: the server forgot the search",
        "searches once more from the start",
        paged(first(status(410)), 8),
        asked={"Observation": 5},
    ),
    half(23, "500 on every second page", "uses the first page", paged(status(500)), "HTTP 500"),
    half(
        23, "410 on every second page", "searches once more, then uses the first page", paged(status(410)), "HTTP 410"
    ),
    partly(
        24,
        "`total` 50, fewer delivered",
        "uses them, concludes nothing from what is absent",
        page(total=50),
        "the server sent fewer records than it announced",
    ),
    harmless(25, "the same record on two pages", "takes it once", overlapping),
    partly(
        26,
        "another patient's record among the results",
        "drops it; the type is no longer complete",
        added({"resource": OTHERS}),
        "records that are not this patient's were in the answer",
    ),
    partly(
        27,
        "a record whose code cannot be read",
        "uses the others, concludes nothing from what is absent",
        added({"resource": UNREADABLE}),
        "1 of its entries could not be read",
    ),
    partly(
        27,
        "an entry without a resource",
        "uses the others, concludes nothing from what is absent",
        added({}),
        "an entry could not be read",
    ),
    failed(
        28,
        "a redirect to another host",
        "goes nowhere, sends no token",
        lambda _c, asked: refusal(302, location=elsewhere(asked)),
        "HTTP 302, a redirect",
    ),
    failed(
        28,
        "a redirect on the same server",
        "goes nowhere",
        lambda _c, asked: refusal(307, location=f"{asked.base}/Observation"),
        "HTTP 307, a redirect",
    ),
)

"""Searches as the service does them, and what the server makes of their parameters.

What is dangerous is silence: a server that ignores a parameter, cuts an answer or knows a code only without its system
answers 200, and what is there looks absent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cds_service.errors import RequestError
from cds_service.facts.record import Completeness, Read
from cds_service.gather.assemble import Harvest
from cds_service.gather.bundle import announced, bundle_entries, match_ids, next_link
from cds_service.gather.client import FhirClient
from cds_service.gather.origin import Origin
from cds_service.gather.plan import LONGEST_PAGE, Plan
from cds_service.gather.transport import Answer
from cds_service.screening.doctor.findings import Finding, Result, timed, todo_for, told_of

PAGE: Final = "250"

# Observation last: some servers answer it only with a code or a category.
_ORDER: Final = (
    "Condition",
    "Procedure",
    "MedicationRequest",
    "MedicationStatement",
    "MedicationAdministration",
    "Observation",
)
_DATED: Final = ("Observation", "Procedure")  # their date parameter is called `date`
_NO_CODE: Final = "urn:uuid:00000000-0000-4000-8000-000000000000|no-such-code"
_NO_RECORDS: Final = "the patient has no record to tell by"
_UNREAD: Final = "what only these records tell would be unknown, as not fetched"


@dataclass(frozen=True)
class Page:
    """One answer to a search, taken apart.

    Args:
        answer: as it came.
        matches: how many records it holds, includes and outcomes left out; None when it is no search result.
    """

    answer: Answer
    matches: int | None

    @property
    def body(self) -> Mapping[str, Any]:
        """The Bundle; empty for none."""
        return self.answer.body or {}

    @property
    def told(self) -> str:
        """Say why it is no search result."""
        if self.answer.body is None:
            return told_of(self.answer)[0]
        return "the answer is no search result"

    def same(self, other: Page, kind: str) -> bool:
        """Say whether another answer holds the same records."""
        return match_ids(dict(self.body), kind) == match_ids(dict(other.body), kind)


def ask(client: FhirClient, kind: str, *query: tuple[str, str], post: bool | None = None) -> Page:
    """Send one search and count what came."""
    answer = client.ask(kind, query, post=post)
    if answer.body is None or answer.body.get("resourceType") != "Bundle":
        return Page(answer, None)
    try:
        bundle_entries(answer.body)
    except RequestError:
        return Page(answer, None)
    return Page(answer, len(match_ids(answer.body, kind)))


def search_all(client: FhirClient, plan: Plan, patient_id: str) -> tuple[list[Finding], list[Harvest]]:
    """Do every search of the plan, one after another, all pages of each."""
    findings: list[Finding] = []
    harvests: list[Harvest] = []
    for search in plan.searches:
        harvest, took = timed(lambda search=search: client.search(search, patient_id))  # type: ignore[misc]
        harvests.append(harvest)
        count = sum(1 for _, one in harvest.entries if isinstance(one, dict) and one.get("resourceType") == search.type)
        findings.append(_searched(f"search {search.type}", harvest.read, count, took, len(search.codes)))
    return findings, harvests


def _searched(check: str, read: Read, count: int, took: int, codes: int) -> Finding:
    by_code = f", by {codes} codes" if codes else ""
    if read.complete:
        return Finding(check, Result.OK, f"complete{by_code}", "", count, took)
    seen = "nothing was read" if read.completeness is Completeness.FAILED else "not all was read"
    todo = f"{todo_for(read.why)} Until then {_UNREAD}.".strip()
    return Finding(check, Result.WRONG, f"{seen}: {read.why}", todo, count, took)


def behaviour(client: FhirClient, patient_id: str, harvests: Sequence[Harvest]) -> Iterator[Finding]:
    """Try what a search may do behind our back: pages, totals, parameters, the two ways to name a patient.

    Args:
        client: of the server.
        patient_id: of the patient looked at.
        harvests: what the searches of the plan gave.
    """
    patient = ("patient", f"Patient/{patient_id}")
    counts = {h.asked or "": len(h.entries) for h in harvests if h.read.completeness is not Completeness.FAILED}
    ranked = sorted((kind for kind in _ORDER if counts.get(kind)), key=lambda kind: counts[kind] < 2)
    if not ranked:
        yield from _nothing(client, patient_id, [kind for kind in _ORDER if kind in counts])
        return
    kind = ranked[0]
    whole = ask(client, kind, patient, ("_count", PAGE))
    if whole.matches is None:
        todo = "The checks below need it."
        yield Finding("paging", Result.SKIPPED, f"{kind} without further parameters: {whole.told}", todo)
        return
    yield _paging(client, kind, patient, whole)
    yield _total(kind, whole)
    yield _code(client, patient, kind, harvests)
    yield _date(client, patient, counts)
    yield _post(client, kind, patient, whole)
    yield _bare(client, kind, patient_id, whole)


def _paging(client: FhirClient, kind: str, patient: tuple[str, str], whole: Page) -> Finding:
    count = whole.matches or 0
    if count < 2:
        return Finding("paging", Result.SKIPPED, _NO_RECORDS)
    page, took = timed(lambda: ask(client, kind, patient, ("_count", str((count + 1) // 2))))
    if page.matches is None:
        return Finding("paging", Result.WRONG, f"with _count: {page.told}", todo_for(page.answer.why), None, took)
    link = next_link(dict(page.body))
    if link is None:
        if page.matches >= count:
            return Finding("paging", Result.OK, "_count is ignored: all comes at once", "", page.matches, took)
        told = "the answer is cut at _count, without a link to the rest"
        if announced(dict(page.body)) > page.matches:
            todo = f"A type with more than {LONGEST_PAGE} records stays incomplete, as its `total` shows."
            return Finding("paging", Result.LOOK, told, todo, page.matches, took)
        todo = "Nothing tells that records are missing: the server cannot be used until it sends links or a `total`."
        return Finding("paging", Result.WRONG, told, todo, page.matches, took)
    rest = client.follow(link, kind, bundle_entries(dict(page.body)))
    if rest is None:
        told, todo = _foreign(link)
        return Finding("paging", Result.WRONG, told, todo, page.matches, took)
    found = page.matches + len({str(one.get("id")) for _, one in rest.entries if isinstance(one, dict)})
    if not rest.read.complete:
        return Finding("paging", Result.WRONG, f"the next page: {rest.read.why}", todo_for(rest.read.why), found, took)
    if found < count:
        told, todo = "the pages hold fewer records than one long page", "Nothing tells that records are missing."
        return Finding("paging", Result.WRONG, told, todo, found, took)
    style = "absolute" if "://" in link else "relative"
    return Finding("paging", Result.OK, f"{style} links to the next page", "", found, took)


def _foreign(link: str) -> tuple[str, str]:
    """Say where a link leads: scheme, host and port only, for the rest may name the patient."""
    try:
        place = Origin.of(link.partition("?")[0])
    except ValueError:
        return "the link to the next page is no address", "Ask the server's people to mend it."
    bare = Origin(place.scheme, place.host, place.port, ()).base
    told = f"links to the next page lead elsewhere, to {bare}"
    return told, "If that is the same server by another name, list its base under aliases (docs/doctor.md)."


def _total(kind: str, whole: Page) -> Finding:
    given = whole.body.get("total")
    if not isinstance(given, int):
        todo = "Nothing to do: cut answers are then told by links alone."
        return Finding("total", Result.LOOK, "not sent", todo)
    if next_link(dict(whole.body)) is None and given > (whole.matches or 0):
        todo = f"Reads of {kind} end as incomplete; ask whether records are hidden from us."
        return Finding("total", Result.WRONG, "higher than what is sent", todo, given)
    if given < (whole.matches or 0):
        return Finding("total", Result.LOOK, "lower than what is sent", "It is not relied on.", given)
    return Finding("total", Result.OK, "right", "", given)


def _code(client: FhirClient, patient: tuple[str, str], kind: str, harvests: Sequence[Harvest]) -> Finding:
    """Look for a code that is there and for one that is not. Observations are searched by code, so they come first."""
    check = "code filter"
    by_kind = {harvest.asked: harvest for harvest in harvests}
    wanted = [one for one in ("Observation", kind) if one in by_kind]
    told = next(((one, code) for one in wanted if (code := _some_code(by_kind[one]))), None)
    if told is None:
        return Finding(check, Result.SKIPPED, "no record with a code and its system to tell by")
    kind, code = told
    found, took = timed(lambda: ask(client, kind, patient, ("code", code), ("_count", PAGE)))
    if found.matches is None:
        return Finding(check, Result.WRONG, f"by system and code: {found.told}", todo_for(found.told), None, took)
    if found.matches == 0:
        todo = "Results are searched this way, and all would look absent: the server cannot be used until this works."
        return Finding(check, Result.WRONG, f"a {kind} is not found by its system and code", todo, 0, took)
    none = ask(client, kind, patient, ("code", _NO_CODE), ("_count", PAGE))
    if none.matches:
        todo = "Right answers, but slow: every result is sent and sorted out here."
        return Finding(check, Result.LOOK, "ignored: other records come too", todo, found.matches, took)
    return Finding(check, Result.OK, "honoured, with the system", "", found.matches, took)


def _some_code(harvest: Harvest) -> str:
    """Return a ``system|code`` of the first record that has one; "" for none."""
    for _, resource in harvest.entries:
        code = resource.get("code") if isinstance(resource, dict) else None
        codings = code.get("coding") if isinstance(code, dict) else None
        for coding in codings if isinstance(codings, list) else []:
            pair = (coding.get("system"), coding.get("code")) if isinstance(coding, dict) else (None, None)
            if all(isinstance(one, str) and one and not set(one) & set("\\|,$") for one in pair):
                return f"{pair[0]}|{pair[1]}"
    return ""


def _date(client: FhirClient, patient: tuple[str, str], counts: Mapping[str, int]) -> Finding:
    kind = next((one for one in _DATED if counts.get(one)), None)
    if kind is None:
        return Finding("date filter", Result.SKIPPED, _NO_RECORDS)
    page, took = timed(lambda: ask(client, kind, patient, ("date", "lt1800-01-01"), ("_count", PAGE)))
    if page.matches is None:
        todo = "Not needed for cards; searches over many patients would read more."
        return Finding("date filter", Result.LOOK, page.told, todo, None, took)
    if page.matches:
        todo = "Not needed for cards; searches over many patients read more."
        return Finding("date filter", Result.LOOK, "ignored: records of any day come", todo, page.matches, took)
    return Finding("date filter", Result.OK, "honoured", "", 0, took)


def _post(client: FhirClient, kind: str, patient: tuple[str, str], whole: Page) -> Finding:
    check = "_search by POST"
    if client.by_post:
        return Finding(check, Result.OK, "in use: all searches above went by it", "", whole.matches)
    page, took = timed(lambda: ask(client, kind, patient, ("_count", PAGE), post=True))
    todo = "Leave post_search off: patient ids then stand in URLs, and so in the logs of the server and its proxies."
    if page.matches is None:
        return Finding(check, Result.LOOK, page.told, todo, None, took)
    if not page.same(whole, kind):
        return Finding(check, Result.LOOK, "finds other records than GET", todo, page.matches, took)
    told = "finds the same; post_search = true keeps patient ids out of URLs"
    return Finding(check, Result.OK, told, "", page.matches, took)


def _bare(client: FhirClient, kind: str, patient_id: str, whole: Page) -> Finding:
    page, took = timed(lambda: ask(client, kind, ("patient", patient_id), ("_count", PAGE)))
    if page.matches == whole.matches:
        told = "patient=ID finds the same as patient=Patient/ID"
    else:
        told = "only patient=Patient/ID finds the records; that is how we ask"
    return Finding("patient parameter", Result.OK, told, "", page.matches, took)


def _nothing(client: FhirClient, patient_id: str, kinds: Sequence[str]) -> Iterator[Finding]:
    """Look whether a patient without any record has some under the other way to name a patient."""
    for kind in kinds:
        page, took = timed(lambda kind=kind: ask(client, kind, ("patient", patient_id), ("_count", PAGE)))  # type: ignore[misc]
        if page.matches:
            told = f"{kind}: patient=ID finds records, patient=Patient/ID finds none"
            todo = "We ask with Patient/ID, as the standard allows: the server cannot be used until it takes this."
            yield Finding("patient parameter", Result.WRONG, told, todo, page.matches, took)
            return
    yield Finding("paging, filters", Result.SKIPPED, _NO_RECORDS, "Name a patient with records: --patient.")

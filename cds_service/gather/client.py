"""A FHIR server, read: searches with every page, and how complete the answer is. Failures are values."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from threading import Thread
from typing import Any, Final, TypeVar
from urllib.parse import quote, urljoin

from cds_service.errors import RequestError
from cds_service.facts.phrase import say
from cds_service.facts.record import Read
from cds_service.gather.access import Access, Grant
from cds_service.gather.assemble import Harvest
from cds_service.gather.bundle import announced, bundle_entries, match_ids, next_link
from cds_service.gather.origin import Origin
from cds_service.gather.plan import Query, Search, longer, plainer
from cds_service.gather.transport import TIME_OUT, Answer, Transport

T = TypeVar("T")

MAX_PAGES: Final = 50
MAX_WORKERS: Final = 8  # parallel calls to one server; more gains little and looks like an attack

NOT_FOUND: Final = say("the server found no such patient")
_ERROR: Final = say("the server reported an error")
_NOT_BUNDLE: Final = say("the answer was not a search result")
_FOREIGN: Final = say("a link to the next page leads to another server")
_LOOP: Final = say("the links to the next page run in a circle")
_CAP: Final = say("not all pages were read")
_ANOTHER: Final = say("the server answered with another resource")
_FEWER: Final = say("the server sent fewer records than it announced")
# Servers keep a paged search for some minutes, in memory, and forget it with the node that held it.
_FORGOTTEN: Final = (Read.incomplete("HTTP 404"), Read.incomplete("HTTP 410"))
_REFUSED: Final = Read.failed("HTTP 400")


@dataclass(frozen=True)
class FhirClient:
    """Reads of one FHIR server for one screening.

    Args:
        origin: the server's base; the token goes there and nowhere else.
        transport: session, deadline and limits.
        token: the bearer token of this screening, if any; it is kept no longer than this object.
        max_pages: the most pages read of one search.
        access: where tokens come from when the call brought none.
        aliases: other bases that the server writes into its links; they mean ``origin``.
        by_post: whether searches are sent as forms to ``_search``, and the Patient is searched too: no patient id in
            URLs but in those that the server writes into its links.
    """

    origin: Origin
    transport: Transport
    token: str | None = None
    max_pages: int = MAX_PAGES
    access: Access | None = None
    aliases: tuple[Origin, ...] = ()
    by_post: bool = False

    def __repr__(self) -> str:
        """Name the server, never the token."""
        return f"FhirClient({self.origin.base!r})"

    def read(self, reference: str) -> tuple[dict[str, Any] | None, Read]:
        """Read one resource.

        Args:
            reference: ``Type/id``, or an absolute URL below the base.

        Returns:
            The resource and a complete read; or None and why not.
        """
        kind = "/".join(reference.split("/_history/")[0].split("/")[-2:])
        url = reference if "://" in reference else f"{self.origin.base}/{quote(reference, safe='/')}"
        body, read = self._get(url, kind.partition("/")[0])
        if body is None:
            return None, read
        if f"{body.get('resourceType')}/{body.get('id')}" != kind:
            return None, Read.failed(_ANOTHER)
        return body, read

    def patient(self, patient_id: str) -> tuple[dict[str, Any] | None, Read]:
        """Read the Patient; by a search where ids stay out of URLs.

        Args:
            patient_id: its id.

        Returns:
            The Patient and a complete read; or None and why not.
        """
        if not self.by_post:
            return self.read(f"Patient/{patient_id}")
        # No `_count` beside `_id`: Oracle Health refuses it (beda-software/fhir-py issue 100).
        found = self._paged("Patient", (("_id", patient_id),))
        bodies = [one for _, one in found.entries if isinstance(one, dict) and one.get("resourceType") == "Patient"]
        if found.read.complete and len(bodies) == 1 and bodies[0].get("id") == patient_id:
            return bodies[0], Read()
        return None, Read.failed(found.read.why or (_ANOTHER if bodies else NOT_FOUND))

    def search(self, search: Search, patient_id: str) -> Harvest:
        """Search one type by patient, every page of it.

        Returns:
            What was found. Incomplete when some pages or records are missing, failed when nothing was read.
        """
        parts = [self.whole(search.type, query) for query in search.queries(patient_id)]
        entries = tuple(entry for part in parts for entry in part.entries)
        troubles = [part.read for part in parts if not part.read.complete]
        if not troubles:
            return Harvest(entries, Read(), search.type)
        failed = all(part.read == Read.failed(part.read.why) for part in parts)
        read = Read.failed(troubles[0].why) if failed else Read.incomplete(troubles[0].why)
        return Harvest(entries, read, search.type)

    def whole(self, kind: str, query: Query) -> Harvest:
        """Search, every page; once more where the answer shows that the server wants to be asked otherwise.

        Args:
            kind: the resource type.
            query: the parameters, not yet encoded.
        """
        first = self._paged(kind, query)
        if first.read in _FORGOTTEN:
            again = self._paged(kind, query)
            return again if again.read.complete else first
        if first.read == _REFUSED:
            return self._plainer(kind, query, first)
        if first.read == Read.incomplete(_FEWER):
            # Servers without links to further pages cut at `_count`; only `total` shows it.
            long = longer(query, _matches(first))
            again = self._paged(kind, long) if long else first
            return again if again.read.complete or _matches(again) > _matches(first) else first
        return first

    def _plainer(self, kind: str, query: Query, refused: Harvest) -> Harvest:
        """Ask a server that refused a parameter with fewer of them; which records match does not depend on those."""
        uncounted, bare = plainer(query)
        found = self._paged(kind, uncounted)
        if found.read != _REFUSED:
            return found
        found = self._paged(kind, bare)
        # Some servers answer the bare id with silence: without a record it does not show that there is none.
        return found if _matches(found) else refused

    def _paged(self, kind: str, query: Query) -> Harvest:
        if self.by_post:
            return self.pages(f"{self.origin.base}/{kind}/_search", kind, form=query)
        return self.pages(self._url(kind, query), kind)

    def pages(self, url: str, asked: str, before: Iterable[tuple[str, Any]] = (), form: Query | None = None) -> Harvest:
        """Follow a search result from one page to the last.

        Args:
            url: of the first page to read.
            asked: the resource type searched for.
            before: entries of earlier pages, which ``total`` counts too; they are not in what is returned.
            form: what to post to the first; links are always followed by GET.
        """
        entries: list[tuple[str, Any]] = []
        seen: set[str] = set()
        total = 0
        # Not what came along with the matches: an outcome or an included record would stand in for one that is missing.
        known = [one for _, one in before if isinstance(one, dict) and one.get("resourceType") == asked]
        matches = {str(one["id"]) for one in known if one.get("id")}
        why = ""
        while not why:
            if url in seen:
                why = _LOOP
            elif len(seen) >= self.max_pages:
                why = _CAP
            else:
                seen.add(url)
                body, read = self._get(url, asked, form)
                form = None
                why = read.why or _unfit(body)
                if why or body is None:
                    break
                entries += bundle_entries(body)
                matches |= match_ids(body, asked)
                total = max(total, announced(body))
                link = next_link(body)
                if link is None:
                    why = _FEWER if total > len(matches) else ""
                    break
                url = self.origin.instead_of(self.aliases, joined(url, link))
        if not why:
            return Harvest(tuple(entries), Read(), asked)
        first_failed = len(seen) == 1 and not entries and why not in (_LOOP, _CAP, _FEWER, _FOREIGN)
        return Harvest(tuple(entries), Read.failed(why) if first_failed else Read.incomplete(why), asked)

    def together(self, jobs: Mapping[str, Callable[[], T]], late: T) -> dict[str, T]:
        """Run several reads at the same time and return at the deadline, whatever the server does.

        Args:
            jobs: by name.
            late: the result of a job that did not end in time.

        Returns:
            A result for every name, in the order given.
        """
        if not jobs:
            return {}
        futures: dict[str, Future[T]] = {name: Future() for name in jobs}
        waiting = deque((futures[name], job) for name, job in jobs.items())
        for _ in range(min(MAX_WORKERS, len(jobs))):
            # Daemons, not a pool: a pool's threads are waited for when the service stops, and a server that drips
            # headers would hold it.
            Thread(target=_work, args=(waiting,), name="fhir", daemon=True).start()
        wait(futures.values(), timeout=self.transport.deadline.remaining + 0.05)
        waiting.clear()
        return {name: future.result() if future.done() else late for name, future in futures.items()}

    def ask(self, resource_type: str, query: Sequence[tuple[str, str]], *, post: bool | None = None) -> Answer:
        """Send one search as it is and return what comes, for whoever looks at the server rather than at the records.

        Args:
            resource_type: to search.
            query: the parameters, not yet encoded.
            post: whether to send them as a form to ``_search``; None for the way in which this server is searched.
        """
        if self.by_post if post is None else post:
            return self._answer(f"{self.origin.base}/{resource_type}/_search", resource_type, tuple(query))
        return self._answer(self._url(resource_type, query), resource_type)

    def follow(self, link: str, asked: str, before: Iterable[tuple[str, Any]]) -> Harvest | None:
        """Read on from a link of an answer; None when it leads to another server.

        Args:
            link: absolute, or relative to the search.
            asked: the resource type searched for.
            before: entries of the pages already read.
        """
        url = self.origin.instead_of(self.aliases, joined(f"{self.origin.base}/{asked}", link))
        return self.pages(url, asked, before) if self.origin.allows(url) else None

    def _url(self, resource_type: str, query: Sequence[tuple[str, str]]) -> str:
        # All is encoded: a proxy that tidies `//` turns `code=http://loinc.org|1` into an empty answer.
        text = "&".join(f"{quote(name, safe='_')}={quote(value, safe='')}" for name, value in query)
        return f"{self.origin.base}/{resource_type}?{text}"

    def _get(self, url: str, kind: str, form: Query | None = None) -> tuple[dict[str, Any] | None, Read]:
        if not self.origin.allows(url):
            return None, Read.failed(_FOREIGN)
        answer = self._answer(url, kind, form)
        if answer.body is None:
            return None, Read.failed(answer.why or TIME_OUT)
        if answer.body.get("resourceType") == "OperationOutcome":
            return None, Read.failed(_ERROR)
        return answer.body, Read()

    def _answer(self, url: str, kind: str, form: Query | None = None) -> Answer:
        """Ask with a token for this type; with a new one, once, when the server refuses a token that we fetched."""
        grant = Grant(self.token) if self.access is None else self.access.grant(kind, self.transport)
        if grant.why:
            return Answer(None, grant.why)
        answer = self._send(url, grant.token, form)
        if answer.status == 401 and self.access is not None and grant.token is not None:
            grant = self.access.renewed(kind, grant.token, self.transport)
            if not grant.why:
                answer = self._send(url, grant.token, form)
        return answer

    def _send(self, url: str, token: str | None, form: Query | None) -> Answer:
        return self.transport.get(url, token) if form is None else self.transport.post_search(url, form, token)


def _matches(harvest: Harvest) -> int:
    """Count the different records of the type searched for."""
    found = [one for _, one in harvest.entries if isinstance(one, dict) and one.get("resourceType") == harvest.asked]
    return len({str(one.get("id")) for one in found})


def _work(waiting: deque[tuple[Future[T], Callable[[], T]]]) -> None:
    """Do jobs until none is waiting."""
    while True:
        try:
            future, job = waiting.popleft()
        except IndexError:
            return
        try:
            future.set_result(job())
        except Exception as error:
            future.set_exception(error)


def joined(url: str, link: str) -> str:
    """Resolve a link; one that cannot be is left as it is, for the origin check to refuse."""
    try:
        return urljoin(url, link)
    except ValueError:
        return link


def _unfit(body: dict[str, Any] | None) -> str:
    """Say why a body is no page of a search result; "" when it is one."""
    if body is None or body.get("resourceType") != "Bundle":
        return _NOT_BUNDLE
    try:
        bundle_entries(body)
    except RequestError:
        return _NOT_BUNDLE
    return ""

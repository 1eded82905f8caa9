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
from cds_service.gather.plan import Search
from cds_service.gather.transport import TIME_OUT, Answer, Transport

T = TypeVar("T")

MAX_PAGES: Final = 50
MAX_WORKERS: Final = 8  # parallel calls to one server; more gains little and looks like an attack

_ERROR: Final = say("the server reported an error")
_NOT_BUNDLE: Final = say("the answer was not a search result")
_FOREIGN: Final = say("a link to the next page leads to another server")
_LOOP: Final = say("the links to the next page run in a circle")
_CAP: Final = say("not all pages were read")
_FEWER: Final = say("the server sent fewer records than it announced")
# Servers keep a paged search for some minutes, in memory, and forget it with the node that held it.
_FORGOTTEN: Final = (Read.incomplete("HTTP 404"), Read.incomplete("HTTP 410"))


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
    """

    origin: Origin
    transport: Transport
    token: str | None = None
    max_pages: int = MAX_PAGES
    access: Access | None = None
    aliases: tuple[Origin, ...] = ()

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
            return None, Read.failed(say("the server answered with another resource"))
        return body, read

    def search(self, search: Search, patient_id: str) -> Harvest:
        """Search one type by patient, every page of it.

        Returns:
            What was found. Incomplete when some pages or records are missing, failed when nothing was read.
        """
        parts = [self._whole(self._url(search.type, query), search.type) for query in search.queries(patient_id)]
        entries = tuple(entry for part in parts for entry in part.entries)
        troubles = [part.read for part in parts if not part.read.complete]
        if not troubles:
            return Harvest(entries, Read(), search.type)
        failed = all(part.read == Read.failed(part.read.why) for part in parts)
        read = Read.failed(troubles[0].why) if failed else Read.incomplete(troubles[0].why)
        return Harvest(entries, read, search.type)

    def _whole(self, url: str, asked: str) -> Harvest:
        """Search; once more from the start when the server forgot its pages on the way."""
        first = self.pages(url, asked)
        if first.read not in _FORGOTTEN:
            return first
        again = self.pages(url, asked)
        return again if again.read.complete else first

    def pages(self, url: str, asked: str, before: Iterable[tuple[str, Any]] = ()) -> Harvest:
        """Follow a search result from one page to the last.

        Args:
            url: of the first page to read.
            asked: the resource type searched for.
            before: entries of earlier pages, which ``total`` counts too; they are not in what is returned.
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
                body, read = self._get(url, asked)
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
                url = self.origin.instead_of(self.aliases, _joined(url, link))
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

    def ask(self, resource_type: str, query: Sequence[tuple[str, str]], *, post: bool = False) -> Answer:
        """Send one search as it is and return what comes, for whoever looks at the server rather than at the records.

        Args:
            resource_type: to search.
            query: the parameters, not yet encoded.
            post: whether to send them as a form to ``_search``.
        """
        if not post:
            return self._answer(self._url(resource_type, query), resource_type)
        return self._answer(f"{self.origin.base}/{resource_type}/_search", resource_type, dict(query))

    def follow(self, link: str, asked: str, before: Iterable[tuple[str, Any]]) -> Harvest | None:
        """Read on from a link of an answer; None when it leads to another server.

        Args:
            link: absolute, or relative to the search.
            asked: the resource type searched for.
            before: entries of the pages already read.
        """
        url = self.origin.instead_of(self.aliases, _joined(f"{self.origin.base}/{asked}", link))
        return self.pages(url, asked, before) if self.origin.allows(url) else None

    def _url(self, resource_type: str, query: Sequence[tuple[str, str]]) -> str:
        # All is encoded: a proxy that tidies `//` turns `code=http://loinc.org|1` into an empty answer.
        text = "&".join(f"{quote(name, safe='_')}={quote(value, safe='')}" for name, value in query)
        return f"{self.origin.base}/{resource_type}?{text}"

    def _get(self, url: str, kind: str) -> tuple[dict[str, Any] | None, Read]:
        if not self.origin.allows(url):
            return None, Read.failed(_FOREIGN)
        answer = self._answer(url, kind)
        if answer.body is None:
            return None, Read.failed(answer.why or TIME_OUT)
        if answer.body.get("resourceType") == "OperationOutcome":
            return None, Read.failed(_ERROR)
        return answer.body, Read()

    def _answer(self, url: str, kind: str, form: Mapping[str, str] | None = None) -> Answer:
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

    def _send(self, url: str, token: str | None, form: Mapping[str, str] | None) -> Answer:
        return self.transport.get(url, token) if form is None else self.transport.post_form(url, form, token)


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


def _joined(url: str, link: str) -> str:
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

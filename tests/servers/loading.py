"""Load a Bundle into any FHIR server, and say what it refused and what it called what it stored."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cds_service.cli.fhir_server import as_transaction

_SECONDS = 120.0

# Our own answers only: an environment's HTTP proxy has no business between us and 127.0.0.1.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Stored:
    """What became of a Bundle.

    Args:
        refused: ``Type/id`` (or ``Type``, without an id) of each resource that is not on the server now.
        names: what the server called the resources that came without an id: ``Type/id`` by the entry's fullUrl.
    """

    refused: tuple[str, ...]
    names: dict[str, str]


def store(base_url: str, bundle: dict[str, Any]) -> Stored:
    """Store a Bundle in one transaction, without the resources that the server refuses.

    A resource with an id is PUT under it, one without is created. One that points to another server is PUT by itself:
    in a transaction HAPI takes the other server's ``Patient/1`` for its own.

    Args:
        base_url: of the server.
        bundle: of any type.

    Raises:
        OSError: the server did not answer.
    """
    entries = as_transaction(bundle)["entry"]
    alone = [one for one in points_elsewhere(bundle) if one.get("id")]
    apart = [one for one in entries if one["resource"] in alone]
    together = [one for one in entries if one not in apart]
    refused: list[str] = []
    answer = _transaction(base_url, together)
    if answer is None:  # which of them?
        for one in [one for one in together if one["request"]["method"] == "PUT"]:
            if not _put(base_url, one):
                refused.append(one["request"]["url"])
                together.remove(one)
        answer = _transaction(base_url, together)
    if answer is None:
        refused += [one["request"]["url"] for one in together]
        together = []
    names = {}
    for sent, came in zip(together, answer["entry"] if answer else [], strict=True):
        if not came["response"]["status"].startswith("2"):  # Medplum's transactions go on after a failure
            refused.append(sent["request"]["url"])
        elif sent["request"]["method"] == "POST" and "fullUrl" in sent:
            parts = came["response"]["location"].split("/_history/")[0].split("/")
            names[sent["fullUrl"]] = "/".join(parts[-2:])
    refused += [one["request"]["url"] for one in apart if not _put(base_url, one)]
    return Stored(tuple(sorted(refused)), names)


def references(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every element that has a ``reference``."""
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def points_elsewhere(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the resources that point to another server: by an address that is no entry's."""
    known = {entry.get("fullUrl") for entry in bundle["entry"] if isinstance(entry, dict)}
    resources = [entry.get("resource") for entry in bundle["entry"] if isinstance(entry, dict)]
    return [
        one
        for one in resources
        if isinstance(one, dict)
        and any("://" in r["reference"] and r["reference"] not in known for r in references(one))
    ]


def _transaction(base_url: str, entries: list[dict[str, Any]]) -> Any:
    if not entries:
        return {"entry": []}
    return _send(base_url, "POST", {"resourceType": "Bundle", "type": "transaction", "entry": entries})


def _put(base_url: str, entry: dict[str, Any]) -> bool:
    return _send(f"{base_url}/{entry['request']['url']}", "PUT", entry["resource"]) is not None


def _send(url: str, method: str, body: dict[str, Any]) -> Any:
    """Return the answer; None when the server refuses."""
    request = urllib.request.Request(
        url,
        data=json.dumps(body, default=float).encode(),  # decimals
        headers={"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"},
        method=method,
    )
    try:
        with _opener.open(request, timeout=_SECONDS) as response:
            return json.load(response)
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return None

"""A chart as an honest FHIR server gives it: reads, searches by patient and code, pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from fault_plays import OUTCOME, Asked, Step, plain


class Chart:
    """One patient's records.

    Args:
        bundle: with the Patient and everything recorded; its resources are not changed.
    """

    def __init__(self, bundle: Mapping[str, Any]) -> None:
        found = [entry["resource"] for entry in bundle["entry"] if isinstance(entry.get("resource"), dict)]
        self.patient = next(one for one in found if one["resourceType"] == "Patient")
        self.records = [one for one in found if one["resourceType"] != "Patient"]

    def script(self, asked: Asked) -> Iterable[Step]:
        """Answer as it should be."""
        return plain(*self.answer(asked))

    def answer(self, asked: Asked) -> tuple[dict[str, Any], int]:
        """Body and status."""
        kind, _, name = asked.path.partition("/")
        if not name:
            return self.searchset(asked), 200
        for one in [self.patient, *self.records]:
            if one["resourceType"] == kind and one.get("id") == name:
                return one, 200
        return OUTCOME, 404

    def matches(self, asked: Asked) -> list[dict[str, Any]]:
        codes = set(filter(None, asked.query.get("code", "").split(",")))
        found = [one for one in self.records if one["resourceType"] == asked.kind]
        return [one for one in found if not codes or codes & _tokens(one)]

    def searchset(self, asked: Asked, size: int | None = None, **changes: Any) -> dict[str, Any]:
        """A page of a search.

        Args:
            asked: the search; its ``_page`` says which page.
            size: matches on a page; None for all.
            changes: of the Bundle.
        """
        matches, page = self.matches(asked), int(asked.query.get("_page", "0"))
        shown = matches if size is None else matches[page * size : (page + 1) * size]
        body = {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": len(matches),
            "entry": [_entry(asked, one) for one in shown],
        }
        if size is not None and (page + 1) * size < len(matches):
            body["link"] = [{"relation": "next", "url": page_url(asked, page + 1)}]
        return {**body, **changes}


def page_url(asked: Asked, page: Any) -> str:
    return f"{asked.base}/{asked.kind}?{urlencode({**asked.query, '_page': page})}"


def next_link(url: str) -> list[dict[str, str]]:
    return [{"relation": "next", "url": url}]


def _entry(asked: Asked, resource: dict[str, Any]) -> dict[str, Any]:
    named = {"fullUrl": f"{asked.base}/{asked.kind}/{resource['id']}"} if "id" in resource else {}
    return {**named, "resource": resource, "search": {"mode": "match"}}


def _tokens(resource: Mapping[str, Any]) -> set[str]:
    code = resource.get("code")
    codings = code.get("coding", []) if isinstance(code, dict) else []
    return {f"{one.get('system', '')}|{one.get('code', '')}" for one in codings if isinstance(one, dict)}

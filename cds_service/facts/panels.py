"""A panel that holds its members inside itself: each as a result of its own, with what the panel says for all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cds_service.facts.elements import list_of, object_of, reference_of, same_reference, text_of

_FOR_ALL: Final = ("status", "method", "focus")


def contained_members(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the contained Observations that ``hasMember`` points to.

    What one does not say of its status, date, method or focus, the panel says for it. One that names another
    subject is not this patient's, and left out.

    Args:
        body: the panel, an Observation.
    """
    asked = {reference_of(item) for item in list_of(body.get("hasMember"))}
    if not any(name.startswith("#") for name in asked):
        return []
    found = []
    for one in map(object_of, list_of(body.get("contained"))):
        subject = reference_of(one.get("subject"))
        ours = not subject or same_reference(subject, reference_of(body.get("subject")))
        if ours and one.get("resourceType") == "Observation" and f"#{text_of(one.get('id'))}" in asked:
            own_date = any(_is_date(name) for name in one)
            lent = {n: v for n, v in body.items() if n in _FOR_ALL or (_is_date(n) and not own_date)}
            found.append({**lent, **one})
    return found


def _is_date(name: str) -> bool:
    return name.startswith("effective") or name == "issued"

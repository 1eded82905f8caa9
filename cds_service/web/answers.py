"""JSON in and out of a request: the right type, not too large, read strictly, written exactly."""

from __future__ import annotations

from typing import Any, Final

from flask import Response, request

from cds_service.errors import RequestError
from cds_service.gather.json_text import read_json
from cds_service.present.json_text import to_json

JSON_TYPES: Final = ("application/json", "application/fhir+json")


def answer(value: Any, *, status: int = 200, kind: str = "application/json") -> Response:
    """Answer with JSON, decimals exact."""
    return Response(to_json(value), status=status, content_type=f"{kind}; charset=utf-8")


def read_body(max_bytes: int) -> Any:
    """Read the request's JSON.

    Args:
        max_bytes: the largest body taken.

    Raises:
        RequestError: another content type or encoding (415), too large (413), not strict JSON (400).
    """
    if request.mimetype not in JSON_TYPES:
        raise RequestError(f"Content-Type must be {' or '.join(JSON_TYPES)}.", field="Content-Type", status=415)
    if request.mimetype_params.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        raise RequestError("Content-Type: the charset must be utf-8.", field="Content-Type", status=415)
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise RequestError("Content-Encoding is not supported.", field="Content-Encoding", status=415)
    if request.content_length is not None and request.content_length > max_bytes:
        raise RequestError(f"The body is larger than {max_bytes} bytes.", field="body", status=413)
    return read_json(request.get_data(cache=False), max_bytes=max_bytes)

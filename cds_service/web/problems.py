"""Errors as the caller sees them: an OperationOutcome that names the field and never repeats the input.

Its id is the request's: the log lines about it carry the same.
"""

from __future__ import annotations

import logging
import traceback
from typing import Final

from flask import Flask, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge

from cds_service.errors import AuthError, CdsServiceError, GatherError, RequestError, UnavailableError
from cds_service.web.answers import answer
from cds_service.web.correlation import correlation_id

log = logging.getLogger("cds_service.web")

# FHIR issue types. Source: http://hl7.org/fhir/R4/valueset-issue-type.html
_CODES: Final = {
    400: "invalid",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    412: "incomplete",
    413: "too-long",
    415: "not-supported",
    503: "throttled",
}
_WORDS: Final = {
    404: "There is nothing at this address.",
    405: "This address does not take this method.",
    413: "The request is too large.",
}


def problem(status: int, message: str, field: str = "") -> Response:
    """Answer with an OperationOutcome.

    Args:
        status: of HTTP.
        message: for people; names no patient and no value.
        field: where in the request, "" when nowhere.
    """
    issue = {
        "severity": "error",
        "code": _CODES.get(status, "exception" if status >= 500 else "invalid"),
        "diagnostics": message,
        **({"expression": [field]} if field else {}),
    }
    outcome = {"resourceType": "OperationOutcome", "id": correlation_id(), "issue": [issue]}
    return answer(outcome, status=status, kind="application/fhir+json")


def register(app: Flask) -> None:
    """Let every error of the application be answered so."""
    app.register_error_handler(RequestError, _request_error)
    app.register_error_handler(GatherError, _gather_error)
    app.register_error_handler(AuthError, _auth_error)
    app.register_error_handler(UnavailableError, _unavailable)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _fault)


def _request_error(error: RequestError) -> Response:
    return problem(error.status, str(error), error.field)


def _gather_error(error: GatherError) -> Response:
    log.warning("not judged: %s", error)
    return problem(412, str(error), error.field)


def _auth_error(error: AuthError) -> Response:
    log.warning("caller refused: %s", error.why)
    response = problem(401, str(error))
    response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _unavailable(error: UnavailableError) -> Response:
    response = problem(503, str(error))
    response.headers["Retry-After"] = "1"
    return response


def _http_error(error: HTTPException) -> Response:
    # Flask means "more than MAX_CONTENT_LENGTH" by one of them, and its own words may repeat the path.
    status = 413 if isinstance(error, RequestEntityTooLarge) else error.code or 500
    response = problem(status, _WORDS.get(status, "The request cannot be answered."))
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def log_defect(error: Exception) -> None:
    """Log where a defect is, not its message: that may hold a value from the chart."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    places = " < ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in reversed(frames))
    log.error("defect: %s at %s", type(error).__name__, places)


def _fault(error: Exception) -> Response:
    log_defect(error)
    own = isinstance(error, CdsServiceError)
    return problem(500, "The service is not set up rightly." if own else "The service failed; its log says where.")

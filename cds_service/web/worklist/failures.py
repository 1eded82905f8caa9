"""What a person sees when a page cannot be shown: what happened, and what to do; never what was sent."""

from __future__ import annotations

import logging
from typing import Any, Final

from flask import Blueprint, Response
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from cds_service.bootstrap import Services
from cds_service.errors import RequestError, UnavailableError
from cds_service.facts.phrase import say
from cds_service.web import problems
from cds_service.web.correlation import correlation_id
from cds_service.web.worklist.shown import page

log = logging.getLogger("cds_service.web")

_BACK: Final = say("Go back in the browser, mend it, and send it again: nothing was changed.")
_NOT_FOUND: Final = say("There is nothing at this address.")
_FORGED: Final = say("This form was not sent by a page of this service, or its page is too old. Nothing was changed.")
_AGAIN: Final = say(
    "Open the page again from here, not from a link or a form of another site, and type it once more. The browser must "
    "take cookies of this address."
)
_DOWN: Final = say("The store cannot be read or written for now.")
_NOT_UNSEEN: Final = say(
    "Every look at a patient is noted. While that cannot be done, nothing is shown and nothing is changed. Try again "
    "in a moment; if it stays so, whoever runs the service must look after its database."
)
_DEFECT: Final = say("The service failed.")
_TELL: Final = say("Tell whoever runs the service this number; its log says more. Nothing was changed.")
_LARGE: Final = say("This form is too large.")
_METHOD: Final = say("This address does not take this method.")
_REFUSED: Final = say("The request cannot be answered.")
_HOME: Final = say("Begin again at the list of trials.")
_WORDS: Final = {404: _NOT_FOUND, 405: _METHOD, 413: _LARGE}


def register(blueprint: Blueprint, services: Services) -> None:
    """Let the errors of a blueprint be pages."""

    def told(status: int, message: str, then: str) -> Response:
        return _told(services, status, message, then)

    @blueprint.errorhandler(RequestError)
    def request_error(error: RequestError) -> Response:
        message = error.args[0]
        return told(error.status, message, _HOME if error.status == 404 else _BACK)

    @blueprint.errorhandler(UnavailableError)
    def down(error: UnavailableError) -> Response:
        return unavailable(services)

    @blueprint.errorhandler(CSRFError)
    def forged(error: CSRFError) -> Response:
        log.warning("a form was refused")
        return told(400, _FORGED, _AGAIN)

    @blueprint.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        status = 413 if isinstance(error, RequestEntityTooLarge) else error.code or 500
        response = told(status, _WORDS.get(status, _REFUSED), _HOME)
        allowed: Any = getattr(error, "valid_methods", None)
        if allowed:
            response.headers["Allow"] = ", ".join(sorted(allowed))
        return response

    @blueprint.errorhandler(Exception)
    def defect(error: Exception) -> Response:
        problems.log_defect(error)
        return told(500, _DEFECT, _TELL)

    @blueprint.get("/<path:nothing>")
    def nothing_here(nothing: str) -> Response:
        return told(404, _NOT_FOUND, _HOME)


def unavailable(services: Services, **given: Any) -> Response:
    """Say that the store is down.

    Args:
        services: for the reader's language.
        given: a form that was sent, to be handed back: ``fields``, ``version``, and where ``to`` send it again.
    """
    response = _told(services, 503, _DOWN, _NOT_UNSEEN, **given)
    response.headers["Retry-After"] = "1"
    return response


def _told(services: Services, status: int, message: str, then: str, **given: Any) -> Response:
    # The frame asks for a session and a language; where the store is down there may be no session.
    number = correlation_id()
    return page(
        services, "error.html", status=status, message=message, then=then, number=number, failed=status, **given
    )

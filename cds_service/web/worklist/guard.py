"""Who may send what to the worklist's pages: signed sessions, tokens against forged forms, and a strict policy.

Nothing of it touches an address outside of the worklist: no hook answer sets a cookie or asks for a token.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from flask import Blueprint, Flask, Request, Response, g, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask_wtf.csrf import CSRFError, CSRFProtect

from cds_service.bootstrap import Services
from cds_service.errors import UnavailableError

PREFIX: Final = "/worklist"
COOKIE: Final = "worklist"
SECRET: Final = "sessions"  # noqa: S105  the name of a secret
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
MOST_BYTES: Final = 64 * 2**10  # of a form: the longest note, and room
_ONCE_MORE: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta http-equiv="refresh" content="0"><title>…</title></head>
<body><p><a href="">Continue</a> · <a href="" lang="zh-Hans">继续</a></p></body>
</html>
"""
# Where a browser puts what it asks for, if not into a window: none of our pages asks for another so.
_PARTS: Final = frozenset({"iframe", "frame", "object", "embed", "image"})
_LIFETIME: Final = timedelta(hours=8)  # of a session, after a name or a language was given: a working day
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class _Sessions(SecureCookieSessionInterface):
    """Sessions for the worklist's addresses alone, signed with a secret that all workers find in the store."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Open the request's session; none outside of the worklist."""
        if not _here(request.path):
            return None
        if app.secret_key is None:
            try:
                app.secret_key = self._services.store.secret(SECRET)
            except UnavailableError as error:
                g.session_fault = error  # no place to answer from yet: see _refuse
                return None
        return super().open_session(app, request)

    def get_cookie_name(self, app: Flask) -> str:
        """Name the cookie."""
        return COOKIE

    def get_cookie_path(self, app: Flask) -> str:
        """Keep the cookie from every other address."""
        return f"{request.script_root}{PREFIX}"

    def get_cookie_secure(self, app: Flask) -> bool:
        """Keep it from plain HTTP where it came by HTTPS."""
        return request.is_secure

    def get_cookie_samesite(self, app: Flask) -> str:
        """Keep it from requests that other sites make."""
        return "Strict"


def protect(app: Flask, blueprint: Blueprint, services: Services) -> None:
    """Let the pages of a blueprint have sessions, and refuse to it what a page of ours did not send.

    Args:
        app: that the blueprint will be part of.
        blueprint: of the worklist.
        services: for the store, which holds the secret.
    """
    app.session_interface = _Sessions(services)
    app.permanent_session_lifetime = _LIFETIME  # the signature's, too; the cookie itself ends with the browser
    # Asked for by _refuse, for this blueprint: not for hooks. A token lives as long as its session: a page may stay
    # open all day. Whence a form comes is told by Origin: Referer may be left out.
    app.config.update(WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_TIME_LIMIT=None, WTF_CSRF_SSL_STRICT=False)
    csrf = CSRFProtect(app)

    @blueprint.before_request
    def refuse() -> Response | None:
        # Before any view: what nobody looks at is not noted, lest a page anywhere fills the audit with pictures.
        if _unseen():
            return Response("Open this page in a window of its own.\n", 403, content_type="text/plain; charset=utf-8")
        if "session_fault" in g:
            raise g.session_fault
        if _from_elsewhere():
            return Response(_ONCE_MORE, content_type="text/html; charset=utf-8")
        request.max_content_length = MOST_BYTES
        request.max_form_memory_size = MOST_BYTES
        if request.method not in _READING:
            _same_origin()
            csrf.protect()
        return None

    @blueprint.after_request
    def guard(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        # With "no-referrer" browsers send "Origin: null" with our own forms. Addresses hold random ids only.
        response.headers["Referrer-Policy"] = "same-origin"
        return response


def _unseen() -> bool:
    """Say whether a page of ours is asked for by another one as a part of itself, or by another site's script.

    Browsers tell it; links that lead here, and our own stylesheets and pictures, are none of it.
    """
    if request.endpoint == f"{request.blueprint}.static":
        return False
    headers = request.headers
    elsewhere = headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
    return headers.get("Sec-Fetch-Dest") in _PARTS or (
        elsewhere and headers.get("Sec-Fetch-Mode", "navigate") != "navigate"
    )


def _from_elsewhere() -> bool:
    """Say whether a link of another site, such as a card in a record system, led here.

    Browsers keep a strict cookie back then. A page that answered would begin a new session in the place of the one in
    which the reader gave a name; so one answers that asks for the same address again, now as a page of ours.
    """
    headers = request.headers
    return (
        request.method == "GET"
        and headers.get("Sec-Fetch-Site") == "cross-site"
        and headers.get("Sec-Fetch-Mode") == "navigate"
        and COOKIE not in request.cookies
    )


def _here(path: str) -> bool:
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def _same_origin() -> None:
    """Refuse what another site's page sent, as browsers tell it; an old browser tells neither, then the token counts.

    Raises:
        CSRFError: it is of another site.
    """
    headers: Any = request.headers
    if headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise CSRFError("another site")
    origin = headers.get("Origin")
    if origin is not None and origin != f"{request.scheme}://{request.host}":
        raise CSRFError("another origin")

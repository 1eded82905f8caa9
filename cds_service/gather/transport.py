"""One call, whatever the other side does: bounded in time and size, never redirected, never raising.

``timeout=`` of requests is not a deadline: a server that drips bytes holds a call as long as it likes. The
body is therefore read in single ``recv`` calls, and the clock and the size are looked at after each.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, Final

import requests
import urllib3

from cds_service.errors import RequestError
from cds_service.facts.phrase import say
from cds_service.gather.deadline import Deadline
from cds_service.gather.json_text import read_json
from cds_service.gather.wire import BoundedAdapter, ForbiddenAddressError

TIME_OUT: Final = say("time-out")
NO_CONNECTION: Final = "no connection"

_FHIR_JSON: Final = "application/fhir+json"
_RETRY: Final = frozenset([408, 429, 500, 502, 503, 504])
_PAUSE_SECONDS: Final = 0.1
_CHUNK: Final = 65_536
_TOO_LARGE: Final = say("the answer was too large")
_CUT: Final = say("the answer broke off")
_NOT_JSON: Final = say("the answer was not FHIR JSON")
_NEVER_ASKED: Final = say("the server's name leads to an address that is never asked")

# What a token endpoint may say went wrong; anything else it writes is not repeated. Source: RFC 6749, section 5.2.
_OAUTH_ERRORS: Final = frozenset(
    [
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    ]
)


@dataclass(frozen=True)
class Answer:
    """What came of a call.

    Args:
        body: the parsed JSON object; None when there is none.
        why: for people, when there is none: "time-out", "HTTP 403", ... No patient data.
        again: whether a second try makes sense.
        wait: the pause in seconds that the server asked for.
        cache_control: the header of that name.
        status: the HTTP status; 0 when there was none.
        web_page: whether HTML came: a login page, a proxy, or no FHIR server at all.
        error: the OAuth error of a refused form, "" for none or an unknown one.
    """

    body: dict[str, Any] | None
    why: str = ""
    again: bool = False
    wait: float = 0.0
    cache_control: str = ""
    status: int = 0
    web_page: bool = False
    error: str = ""


def make_session(ca_file: Path | None = None, proxy: str | None = None) -> requests.Session:
    """Return a session that takes nothing from the environment.

    Args:
        ca_file: the certificate authorities to trust instead of the usual ones, PEM.
        proxy: the proxy that all calls go through.

    With ``trust_env`` a ``.netrc`` entry replaces the bearer token, and proxies come from variables that
    nobody looked at. Cookies are refused: a screening is one patient's, and leaves nothing behind.
    """
    # urllib3 logs addresses, and a patient's id stands in them: at DEBUG each call, at WARNING malformed answers.
    logging.getLogger("urllib3").setLevel(logging.CRITICAL + 1)
    session = requests.Session()
    session.mount("http://", BoundedAdapter())
    session.mount("https://", BoundedAdapter())
    session.trust_env = False
    if ca_file is not None:
        session.verify = str(ca_file)
    if proxy is not None:
        session.proxies = {"http": proxy, "https": proxy}
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


@dataclass(frozen=True)
class Transport:
    """A session with its limits.

    Args:
        session: see :func:`make_session`.
        deadline: of the whole screening.
        max_bytes: the largest body that is read, after decompression.
        sleep: waits for so many seconds.
    """

    session: requests.Session
    deadline: Deadline
    max_bytes: int
    sleep: Callable[[float], None] = time.sleep

    def get(self, url: str, token: str | None, *, accept: str = _FHIR_JSON) -> Answer:
        """Get a FHIR resource or other JSON; a second try, at most one, only where it fits into the deadline.

        Args:
            url: absolute, encoded, already checked against the origin.
            token: the bearer token, if any.
            accept: the media type to ask for.
        """
        return self._twice(lambda: self._once(url, token, accept, None))

    def post_search(self, url: str, query: Sequence[tuple[str, str]], token: str | None) -> Answer:
        """Post a search, which is a read: tried again where a GET is.

        Args:
            url: of ``_search``, already checked against the origin.
            query: the parameters, not yet encoded; a name may come twice.
            token: the bearer token, if any.
        """
        return self._twice(lambda: self._once(url, token, _FHIR_JSON, list(query)))

    def post_form(
        self, url: str, form: Mapping[str, str], token: str | None = None, *, accept: str = _FHIR_JSON
    ) -> Answer:
        """Post a form, once: what is in it (a signed assertion) may be good for one use only.

        Args:
            url: absolute, encoded, already checked against the origin.
            form: its fields.
            token: the bearer token, if any.
            accept: the media type to ask for.
        """
        return self._once(url, token, accept, list(form.items()))

    def _twice(self, call: Callable[[], Answer]) -> Answer:
        answer = call()
        pause = max(_PAUSE_SECONDS, answer.wait)
        if answer.again and pause < self.deadline.remaining / 2:
            self.sleep(pause)
            answer = call()
        return answer

    def _once(self, url: str, token: str | None, accept: str, form: list[tuple[str, str]] | None) -> Answer:
        remaining = self.deadline.remaining
        if remaining <= 0:
            return Answer(None, TIME_OUT)
        headers = {"Accept": accept, "Cache-Control": "no-cache"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        try:
            with self.session.request(
                "GET" if form is None else "POST",
                url,
                data=form,
                headers=headers,
                stream=True,
                allow_redirects=False,
                timeout=urllib3.Timeout(total=remaining),  # type: ignore[arg-type]  # requests hands it on
            ) as response:
                status = response.status_code
                if status == 200:
                    answer = self._body(response)
                elif form is not None and status in (400, 401):
                    answer = replace(_refusal(response), error=_oauth_error(self._body(response)))
                else:
                    answer = _refusal(response)
                media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
                return replace(answer, status=status, web_page=media_type in ("text/html", "application/xhtml+xml"))
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            return Answer(None, TIME_OUT)
        except ForbiddenAddressError:
            return Answer(None, _NEVER_ASKED)
        except requests.exceptions.SSLError:
            return Answer(None, "no trusted connection")
        except requests.ConnectionError:
            return Answer(None, NO_CONNECTION, again=True)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError):
            return Answer(None, _CUT)

    def _body(self, response: requests.Response) -> Answer:
        data = bytearray()
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            data += chunk
            if len(data) > self.max_bytes:
                return Answer(None, _TOO_LARGE)
            if self.deadline.passed:
                return Answer(None, TIME_OUT)
        try:
            body = read_json(bytes(data), max_bytes=self.max_bytes)
        except RequestError:
            return Answer(None, _NOT_JSON)
        if not isinstance(body, dict):
            return Answer(None, _NOT_JSON)
        return Answer(body, cache_control=response.headers.get("Cache-Control", ""))


def _oauth_error(answer: Answer) -> str:
    error = answer.body.get("error") if answer.body is not None else None
    return error if isinstance(error, str) and error in _OAUTH_ERRORS else ""


def _refusal(response: requests.Response) -> Answer:
    status = response.status_code
    asked = response.headers.get("Retry-After", "")
    # An HTTP date or nonsense is longer than any hook can wait for.
    wait = float(asked) if asked.isascii() and asked.isdigit() and len(asked) < 6 else (1e9 if asked else 0.0)
    why = say("HTTP {status}, a redirect", status=status) if 300 <= status < 400 else f"HTTP {status}"
    return Answer(None, why, again=status in _RETRY, wait=wait)

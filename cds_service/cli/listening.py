"""A small threaded server for one's own machine: ``serve`` and ``demo`` use it; hospitals run gunicorn."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from cds_service.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


_ANSWER: Final = "cds_service.answer"


class _Closed:
    """An answer that is closed once, whoever asks for it."""

    def __init__(self, answer: Iterable[bytes]) -> None:
        self._answer = answer
        self._open = True

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._answer)

    def close(self) -> None:
        close = getattr(self._answer, "close", None)
        if self._open and close is not None:
            self._open = False
            close()


def _remembered(app: WSGIApplication) -> WSGIApplication:
    """Let the handler of a request know the answer: a browser that goes away leaves it open otherwise."""

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ[_ANSWER] = answer = _Closed(app(environ, start_response))
        return answer

    return call


class _Quiet(WSGIRequestHandler):
    """The application logs routes; werkzeug would log whatever the caller wrote into the path."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass

    def log(self, type: str, message: str, *args: Any) -> None:
        pass

    def connection_dropped(self, error: BaseException, environ: WSGIEnvironment | None = None) -> None:
        # werkzeug looks for what is left to read before it closes the answer, and a reset connection ends it there:
        # a file of ours stayed open until it was collected.
        if environ is not None and _ANSWER in environ:
            environ[_ANSWER].close()


@contextmanager
def listening(app: Flask, host: str, port: int) -> Iterator[BaseWSGIServer]:
    """Bind an address and give the server, not yet serving.

    Args:
        app: the application.
        host: an address of this machine.
        port: 0 for a free one.

    Raises:
        ConfigError: the address cannot be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((host, port))
        except OSError as error:
            raise ConfigError(
                f"Port {port} of {host} cannot be used ({error.strerror}); choose another with --port."
            ) from None
        door.listen(128)
        server = make_server(
            host, door.getsockname()[1], _remembered(app), threaded=True, request_handler=_Quiet, fd=door.fileno()
        )
        try:
            yield server
        finally:
            server.server_close()


@contextmanager
def in_background(server: BaseWSGIServer) -> Iterator[None]:
    """Serve in a thread until the block ends."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


def stop_on_sigterm() -> None:
    """Let SIGTERM and a closed terminal end the command like Ctrl-C does, so that what it started is stopped too.

    SIGINT is set as well: a shell starts background commands with it ignored.
    """
    for name in ("SIGTERM", "SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _interrupt)


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt

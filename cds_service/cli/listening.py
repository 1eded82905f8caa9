"""A small threaded server for one's own machine: ``serve`` and ``demo`` use it; hospitals run gunicorn."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from cds_service.errors import ConfigError


class _Quiet(WSGIRequestHandler):
    """The application logs routes; werkzeug would log whatever the caller wrote into the path."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass

    def log(self, type: str, message: str, *args: Any) -> None:
        pass


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
        server = make_server(host, door.getsockname()[1], app, threaded=True, request_handler=_Quiet, fd=door.fileno())
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

"""The small server for one's own machine: what it opened is closed, also when the browser goes away."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import ExitStack

import pytest
from flask import Flask, Response

from cds_service.cli.listening import in_background, listening

WAIT = 5


class Answer:
    """An answer that is half said until it is told to go on."""

    def __init__(self) -> None:
        self.go_on, self.closed, self.times = threading.Event(), threading.Event(), 0

    def __iter__(self):
        yield b"one"
        self.go_on.wait(WAIT)

    def close(self) -> None:
        self.times += 1
        self.closed.set()


@pytest.mark.parametrize("gone", [True, False])
def test_an_answer_is_closed_once_whether_or_not_the_browser_waits_for_it(gone):
    app, answer = Flask("one"), Answer()
    app.add_url_rule("/", "one", lambda: Response(answer, headers={"Content-Length": "3"}, direct_passthrough=True))
    with ExitStack() as stack:
        server = stack.enter_context(listening(app, "127.0.0.1", 0))
        stack.enter_context(in_background(server))
        browser = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=WAIT))
        browser.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        heard = b""
        while not heard.endswith(b"one"):
            heard += browser.recv(4096)
        assert heard.startswith(b"HTTP/1.1 200")
        if gone:  # a reset: what is still on its way is thrown away
            browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            browser.close()
        answer.go_on.set()
        assert answer.closed.wait(WAIT)
    assert answer.times == 1

"""Fault 47: where nothing more can be written the service says that it is not ready, damages nothing, and recovers.

The full disk is a limit on the size of every file that the processes write: the database, its journal, temporary files.
"""

import json
import os
import resource
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest
from gunicorn_service import SERVICE, Served, free_port, hook, served

ROOT = Path(__file__).resolve().parents[2]
CALL = json.loads((ROOT / "fhir_examples" / "hooks" / "patient-view.full-prefetch.json").read_text(encoding="utf-8"))


def limit(pids, size):
    for pid in pids:
        _soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))


def sound(store):
    with sqlite3.connect(store) as connection:
        (said,) = connection.execute("PRAGMA integrity_check").fetchone()
        (used,) = connection.execute("SELECT count(*) FROM used_tokens").fetchone()
    connection.close()
    return said, used


def not_ready(service):
    return service.ready() == (503, {"status": "not-ready", "store": "cannot-write", "rules": "current"})


def test_verified_mode_takes_no_token_that_it_cannot_remember(tmp_path):
    """A token that could be used again is worse than a call that fails: 503, at once, until there is room."""
    with served(tmp_path) as service:
        assert service.ready() == (200, {"status": "ready", "store": "ok", "rules": "current"})
        taken = 0
        # Nothing at all; then room for the journal's first pages, so that a write stops half way.
        for size in (0, 512, 4096, 6000):
            limit(service.workers(), size)
            service.until(lambda: not_ready(service))
            for _ in range(4):
                status, body = service.call(SERVICE, hook("candidate", prefetch=CALL["prefetch"]))
                assert status == 503
                assert json.loads(body)["resourceType"] == "OperationOutcome"
            assert service.call("/livez", signed=False)[0] == 200
            assert sound(service.store)[0] == "ok"
            limit(service.workers(), resource.RLIM_INFINITY)
            service.until(lambda: [service.ready()[0] for _ in range(6)] == [200] * 6)
            for _ in range(3):
                assert service.call("/cds-services")[0] == 200
                taken += 1
            assert sound(service.store) == ("ok", taken)
        assert "the store failed: " in service.log
        assert "Traceback" not in service.log


@pytest.fixture
def alone(tmp_path):
    """The service on one's own machine, with a store that lasts."""
    command = [str(Path(sys.executable).parent / "cds-service"), "serve", "--port", str(port := free_port())]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
    named = {"CDS_STORE": f"sqlite:///{tmp_path}/store.db"}
    process = subprocess.Popen(command, env=inherited | named, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stdout.readline().startswith(b"Serving")
        yield Served(port, process, tmp_path)
    finally:
        process.terminate()
        process.communicate(timeout=10)


def test_open_mode_sends_the_card_without_asking_for_feedback(alone):
    def card():
        status, body = alone.call(SERVICE, CALL | {"hookInstance": str(uuid4())}, signed=False)
        assert status == 200
        (only,) = json.loads(body)["cards"]
        return only

    assert "overrideReasons" in card()
    limit([alone.process.pid], 0)
    end = time.monotonic() + 10
    while not not_ready(alone):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert "overrideReasons" not in card()
    limit([alone.process.pid], resource.RLIM_INFINITY)
    while alone.ready()[0] != 200:
        assert time.monotonic() < end + 10
        time.sleep(0.1)
    assert "overrideReasons" in card()
    with sqlite3.connect(alone.store) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM cards").fetchone() == (2,)
    connection.close()

"""Fault 43 with two workers: every worker follows the rules folder, and none falls with it."""

import json
import os
import shutil
import signal
import time

import pytest
from gunicorn_service import served
from rules_copy import FICTITIOUS, PENDING, SIGNED, TRIAL, copy_rules, edit

LOOKS = 0.2  # seconds between two


@pytest.fixture
def file(tmp_path):
    return copy_rules(tmp_path / "rules")


@pytest.fixture
def service(tmp_path, file):
    (tmp_path / "service").mkdir()
    variables = {"CDS_RULES": str(tmp_path / "rules"), "CDS_RULES_SECONDS": str(LOOKS)}
    with served(tmp_path / "service", environment=variables) as service:
        yield service


def told(service):
    """What twelve answers of whichever worker say: of readiness, and of the trials."""
    ready = {service.ready()[1].get("rules") for _ in range(12)}
    trials = set()
    for _ in range(12):
        status, body = service.call("/cds-services")
        assert status == 200
        trials |= {one["description"].partition("Trials: ")[2].split(".")[0] for one in json.loads(body)["services"]}
    return ready, trials


def processes(service, text):
    """How many processes logged it: two workers, and the master that new workers come from."""
    return service.log.count(text)


def test_every_worker_follows_and_none_falls(service, file):
    assert told(service) == ({"current"}, {"none"})

    edit(file, PENDING, SIGNED)
    service.until(lambda: processes(service, f"rules taken: {TRIAL}") == 3, 60)
    assert told(service) == ({"current"}, {TRIAL})

    whole = file.read_text(encoding="utf-8")
    file.write_text(whole[: len(whole) // 2], encoding="utf-8")
    service.until(lambda: processes(service, "rules not taken") == 3, 60)
    assert told(service) == ({"last-good"}, {TRIAL})

    # A worker dies while the rules are broken: the new one has the last good ones, not the first, and not none.
    dead = service.workers()[0]
    os.kill(dead, signal.SIGKILL)
    service.until(lambda: len(set(service.workers()) - {dead}) == 2)
    assert told(service)[1] == {TRIAL}

    # So do those that SIGHUP starts.
    before = set(service.workers())
    service.process.send_signal(signal.SIGHUP)
    service.until(lambda: len(set(service.workers()) - before) == 2 and not before & set(service.workers()), 60)
    assert told(service)[1] == {TRIAL}

    shutil.rmtree(file.parent)
    time.sleep(5 * LOOKS)
    assert told(service) == ({"last-good"}, {TRIAL})

    shutil.copytree(FICTITIOUS, file.parent)
    service.until(lambda: told(service) == ({"current"}, {"none"}), 60)
    assert "Traceback" not in service.log
    assert service.process.poll() is None

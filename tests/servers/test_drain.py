"""Faults 50 and 51: told to stop under load it answers what it has begun; a worker that dies takes only its own calls.

Started as the image starts it, and busy with charts from a FHIR server that takes its time.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from gunicorn_service import SERVICE, hook, served

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "faults"))
from fault_chart import Chart
from fault_runs import PATIENT, example
from fault_server import FaultServer

CLIENTS = 12
PAUSE = 0.25  # of the FHIR server before each answer; a chart takes two of them or more


class Load:
    """Clients that open charts until they are told to stop.

    ``calls`` holds (begun, ended, status, token) of each call.
    """

    def __init__(self, service, fhir):
        self.service, self.fhir, self.stopped, self.calls = service, fhir, threading.Event(), []
        self.threads = [threading.Thread(target=self.client, args=(number,)) for number in range(CLIENTS)]

    def client(self, number):
        turn = 0
        while not self.stopped.is_set():
            token, begun, turn = f"t{number}-{turn}", time.monotonic(), turn + 1
            status, body = self.service.call(SERVICE, hook(PATIENT, self.fhir.base, token))
            if status == 200:
                assert len(json.loads(body)["cards"]) == 1
            self.calls.append((begun, time.monotonic(), status, token))
            if not status:
                time.sleep(0.05)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.service.until(lambda: len(self.calls) > 2 * CLIENTS)
        return self

    def __exit__(self, *_error):
        self.stopped.set()
        for thread in self.threads:
            thread.join(30)


@pytest.fixture
def fhir():
    chart = Chart(example())

    def slowly(asked):
        yield PAUSE
        yield from chart.script(asked)

    with FaultServer(slowly) as server:
        yield server


def begun_at(fhir):
    """The calls whose chart is being read: each carries a token of its own."""
    return {asked.token.removeprefix("Bearer ") for asked in list(fhir.asked)}


def test_told_to_stop_under_load_it_answers_what_it_has_begun(tmp_path, fhir):
    with served(tmp_path, fhir.base) as service, Load(service, fhir) as load:
        service.process.send_signal(signal.SIGTERM)
        told = time.monotonic()
        assert service.process.wait(timeout=15) == 0
        took = time.monotonic() - told
        load.stopped.set()
    begun = begun_at(fhir)
    over_the_end = [call for call in load.calls if call[0] < told < call[1] and call[3] in begun]
    print(f"\n{len(over_the_end)} calls in flight at SIGTERM, stopped after {took:.1f} s")
    assert len(over_the_end) >= CLIENTS / 2
    assert {call[2] for call in load.calls if call[3] in begun} == {200}
    assert "Traceback" not in service.log


def test_a_worker_that_dies_takes_only_its_own_calls(tmp_path, fhir):
    with served(tmp_path, fhir.base) as service:
        with Load(service, fhir) as load:
            before = service.workers()
            os.kill(before[0], signal.SIGKILL)
            killed = time.monotonic()
            service.until(lambda: len(set(service.workers()) - {before[0]}) == 2)
            back = time.monotonic() - killed
            service.until(lambda: sum(call[0] > killed for call in load.calls) > 3 * CLIENTS)
        lost = [call for call in load.calls if call[2] != 200]
        in_flight = [call for call in load.calls if call[0] < killed < call[1]]
        print(f"\n{len(lost)} of {len(in_flight)} calls in flight lost; a new worker after {back:.2f} s")
        assert {call[2] for call in lost} <= {0}  # cut off: a proxy makes it 502
        assert all(call[0] < killed for call in lost)
        assert 0 < len(lost) < len(in_flight)
        assert before[1] in service.workers()  # the other was left alone

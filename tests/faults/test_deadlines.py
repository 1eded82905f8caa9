"""No read begins after its deadline, and no reading of a chart ends later than a second after it."""

import random
import time

import fault_plays as plays
import pytest
from fake_socket import Stage
from fault_chart import Chart
from fault_plays import text
from fault_runs import PATIENT, example
from random_stalls import measured, stalling

from cds_service.facts.record import Completeness, Read
from cds_service.gather import wire
from cds_service.gather.plan import Search
from cds_service.gather.wire import forbidden

OBSERVATIONS = Search("Observation")


def test_a_thousand_random_stalls_begin_no_read_after_the_deadline(monkeypatch):
    chart, late, whole = Chart(example()), 0, 0
    stage = Stage(chart.script, monkeypatch)
    for seed in range(1000):
        rng = random.Random(seed)
        stage.script, stage.reads = stalling(rng, chart, longest=2.0, size=rng.choice((None, 5))), []
        client = stage.client(seconds=rng.choice((0.5, 2.0, 4.0)))
        began, end = stage.clock.at, client.transport.deadline.at
        read = client.search(OBSERVATIONS, PATIENT).read
        assert stage.reads, seed
        assert max(stage.reads) <= end, seed
        assert stage.clock.at <= end + 0.001, seed
        assert began < end
        late, whole = late + (not read.complete), whole + read.complete
    assert min(late, whole) > 100  # both ends are seen


@pytest.mark.parametrize("play", [plays.drip_headers, plays.drip_body, plays.continue_for_ever])
def test_what_drips_is_read_until_the_deadline_and_no_longer(monkeypatch, play):
    chart = Chart(example())
    stage = Stage(lambda asked: play(text(chart.answer(asked)[0])), monkeypatch)
    client = stage.client(seconds=3.0)
    assert client.search(OBSERVATIONS, PATIENT).read == Read.failed("time-out")
    assert len(stage.reads) > 100
    assert max(stage.reads) <= client.transport.deadline.at
    assert stage.clock.at == pytest.approx(client.transport.deadline.at, abs=0.05)


def test_a_pause_that_was_asked_for_ends_before_half_of_the_time(monkeypatch):
    stage = Stage(lambda asked: plays.refusal(429, retry_after=2), monkeypatch)
    for seconds, tries in ((3.9, 1), (4.1, 2)):
        stage.asked.clear()
        started = stage.clock.at
        read = stage.client(seconds).search(OBSERVATIONS, PATIENT).read
        assert read == Read.failed("HTTP 429")
        assert len(stage.asked) == tries
        assert stage.clock.at - started == (tries - 1) * 2


def test_the_fake_agrees_with_an_honest_server(monkeypatch):
    chart = Chart(example())
    harvest = Stage(chart.script, monkeypatch).client().search(OBSERVATIONS, PATIENT)
    assert harvest.read.completeness is Completeness.COMPLETE
    assert len(harvest.entries) == sum(one["resourceType"] == "Observation" for one in chart.records)


def test_fifty_stalls_on_real_sockets_end_in_time():
    over = measured(50, seconds=0.4, at_once=10, seed=1)
    assert max(over) < 1.0
    assert sum(one > -0.05 for one in over) > 10  # many did run into it


@pytest.mark.parametrize(
    ("address", "refused"),
    [
        ("169.254.169.254", True),
        ("169.254.0.1", True),
        ("::ffff:169.254.169.254", True),
        ("fe80::1", True),
        ("fe80::1%eth0", True),
        ("fd00:ec2::254", True),
        ("100.100.100.200", True),
        ("0.0.0.0", True),
        ("::", True),
        ("224.0.0.1", True),
        ("ff02::1", True),
        ("127.0.0.1", False),
        ("::1", False),
        ("10.1.2.3", False),
        ("192.168.1.1", False),
        ("fd12::1", False),
        ("8.8.8.8", False),
    ],
)
def test_addresses_that_are_never_asked(address, refused):
    assert forbidden(address) is refused


def test_all_addresses_of_a_name_share_one_time_out(monkeypatch):
    """Each address of a name that does not answer takes what is left, not the whole time anew."""
    given = []

    def never(address, timeout, **_rest):
        given.append((address[0], timeout))
        time.sleep(0.05)
        raise OSError("nobody there")

    monkeypatch.setattr(wire, "create_connection", never)
    monkeypatch.setattr(
        wire.socket, "getaddrinfo", lambda *_: [(2, 1, 6, "", (f"127.0.0.{n}", 1)) for n in range(1, 4)]
    )
    connection = wire.BoundedAdapter().get_connection_with_tls_context(
        _request("http://127.0.0.1:1/"), verify=False
    )._new_conn()  # fmt: skip
    connection.timeout = 1.0
    with pytest.raises(wire.NewConnectionError):
        connection._new_conn()
    assert [address for address, _ in given] == ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    assert given[2][1] <= 0.9 < given[0][1]


def _request(url):
    import requests

    return requests.Request("GET", url).prepare()

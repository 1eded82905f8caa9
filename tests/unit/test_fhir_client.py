"""A FHIR server that misbehaves in every way: the read says so, the token stays home, and nothing raises."""

import socket
import threading
import time
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import responses
from door_fakes import FAILED, PATIENT, condition, searchset

from cds_service.facts.record import Completeness, Read
from cds_service.gather.client import FhirClient
from cds_service.gather.deadline import Deadline
from cds_service.gather.origin import Origin
from cds_service.gather.plan import KEYS, Search, make_plan
from cds_service.gather.transport import Transport, make_session

BASE = "http://127.0.0.1:9999/fhir"
CONDITIONS = f"{BASE}/Condition"
TOKEN = "secret-token"


def client(seconds=2.0, base=BASE, **rest):
    transport = Transport(make_session(), Deadline.after(seconds), 100_000, sleep=lambda _seconds: None)
    return FhirClient(Origin.of(base), transport, TOKEN, **rest)


def next_to(url):
    return [{"relation": "next", "url": url}]


@pytest.fixture
def web():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def search(web=None, **rest):
    return client(**rest).search(Search("Condition"), "p1")


def references(harvest):
    return [resource["id"] for _, resource in harvest.entries]


def test_encodes_every_parameter_and_sends_the_token(web):
    web.get(f"{BASE}/Observation", json=searchset())
    wanted = Search("Observation", ("http://loinc.org|718-7", "http://loinc.org|1975-2"))
    assert client().search(wanted, "p1").read == Read()
    call = web.calls[0].request
    assert "http%3A%2F%2Floinc.org%7C718-7%2Chttp%3A%2F%2Floinc.org%7C1975-2" in call.url
    assert parse_qs(urlsplit(call.url).query)["patient"] == ["Patient/p1"]
    assert call.headers["Authorization"] == f"Bearer {TOKEN}"


def test_splits_long_code_lists_and_joins_the_answers(web):
    web.get(f"{BASE}/Observation", json=searchset())
    codes = tuple(f"http://loinc.org|{number}-1" for number in range(1000))
    assert client().search(Search("Observation", codes), "p1").read.complete
    assert len(web.calls) > 5
    assert all(len(call.request.url) < 4_000 for call in web.calls)
    asked = [code for call in web.calls for code in parse_qs(urlsplit(call.request.url).query)["code"][0].split(",")]
    assert sorted(asked) == sorted(codes)


def test_follows_pages(web):
    web.get(CONDITIONS, json=searchset(condition("a"), total=2, link=next_to(f"{BASE}?_getpages=1")))
    web.get(BASE, json=searchset(condition("b"), total=2))
    harvest = search(web)
    assert references(harvest) == ["a", "b"]
    assert harvest.read == Read()


def test_an_empty_answer_without_entry_is_complete(web):
    web.get(CONDITIONS, json={"resourceType": "Bundle", "type": "searchset", "total": 0})
    assert search(web).read == Read()


def test_includes_and_outcomes_do_not_count_towards_total(web):
    page = searchset(condition("a"), total=2)
    page["entry"].append({"resource": {"resourceType": "Medication", "id": "m"}, "search": {"mode": "include"}})
    web.get(CONDITIONS, json=page)
    assert search(web).read.completeness is Completeness.INCOMPLETE


@pytest.mark.parametrize("status", [401, 403, 404, 410, 501])
def test_a_refusal_is_a_failed_read_without_a_second_try(web, status):
    web.get(CONDITIONS, status=status, json=FAILED)
    assert search(web).read == Read.failed(f"HTTP {status}")
    assert len(web.calls) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_one_second_try(web, status):
    web.get(CONDITIONS, status=status)
    web.get(CONDITIONS, json=searchset(condition("a")))
    assert search(web).read == Read()
    web.reset()
    web.get(CONDITIONS, status=status)
    assert search(web).read == Read.failed(f"HTTP {status}")
    assert len(web.calls) == 2


def test_no_second_try_when_the_server_asks_for_more_time_than_there_is(web):
    for asked in ("3600", "Wed, 21 Oct 2026 07:28:00 GMT", "soon"):
        web.get(CONDITIONS, status=429, headers={"Retry-After": asked})
        before = len(web.calls)
        assert search(web).read == Read.failed("HTTP 429")
        assert len(web.calls) == before + 1
        web.reset()


def test_a_second_try_after_a_broken_connection(web):
    web.get(CONDITIONS, body=requests.ConnectionError())
    web.get(CONDITIONS, json=searchset(condition("a")))
    assert search(web).read == Read()


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (requests.ConnectTimeout(), "time-out"),
        (requests.ReadTimeout(), "time-out"),
        (requests.exceptions.SSLError(), "no trusted connection"),
        (requests.ConnectionError(), "no connection"),
        (requests.exceptions.ChunkedEncodingError(), "the answer broke off"),
        (requests.exceptions.InvalidURL(), "the answer broke off"),
    ],
)
def test_faults_of_the_line(web, fault, why):
    web.get(CONDITIONS, body=fault)
    assert search(web).read == Read.failed(why)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"body": "<html>please log in</html>"}, "the answer was not FHIR JSON"),
        ({"body": '{"resourceType": "Bundle", "total": NaN}'}, "the answer was not FHIR JSON"),
        ({"body": "[]"}, "the answer was not FHIR JSON"),
        ({"body": ""}, "the answer was not FHIR JSON"),
        ({"json": FAILED}, "the server reported an error"),
        ({"json": PATIENT}, "the answer was not a search result"),
        ({"json": {"resourceType": "Bundle", "entry": {}}}, "the answer was not a search result"),
        ({"body": b" " * 100_001}, "the answer was too large"),
    ],
)
def test_answers_that_are_none(web, answer, why):
    web.get(CONDITIONS, **answer)
    assert search(web).read == Read.failed(why)


@pytest.mark.parametrize("location", ["http://127.0.0.1:9999/fhir/Other", "http://evil.example/"])
def test_never_follows_a_redirect(web, location):
    web.get(CONDITIONS, status=302, headers={"Location": location})
    assert search(web).read == Read.failed("HTTP 302, a redirect")
    assert len(web.calls) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://evil.example/fhir/Condition?page=2",
        "https://127.0.0.1:9999/fhir/Condition",
        "http://127.0.0.1:9998/fhir/Condition",
        "http://127.0.0.1:9999/fhirx/Condition",
        "http://127.0.0.1:9999/fhir/../admin",
        "http://127.0.0.1:9999/fhir/%2e%2e/admin",
        "http://127.0.0.1:9999/fhir/%252e%252e/admin",
        "http://127.0.0.1:9999/fhir/..%2fadmin",
        "http://user@127.0.0.1:9999/fhir/Condition",
        "http://127.0.0.1:9999\\@evil.example/fhir/",
        "http://127.0.0.1:9999/fhir/ Condition",
        "//evil.example/fhir/Condition",
        "file:///etc/passwd",
        "http://127.0.0.1:99999/fhir/Condition",
        "http://[::1/fhir",
        "\x00",
    ],
)
def test_a_next_link_elsewhere_ends_the_search_as_incomplete(web, url):
    web.get(CONDITIONS, json=searchset(condition("a"), total=2, link=next_to(url)))
    harvest = search(web)
    assert harvest.read.completeness is Completeness.INCOMPLETE
    assert references(harvest) == ["a"]
    assert len(web.calls) == 1


def test_a_next_link_without_a_url_is_a_circle(web):
    web.get(CONDITIONS, json=searchset(condition("a"), link=[{"relation": "next"}]))
    assert search(web).read.completeness is Completeness.INCOMPLETE
    assert len(web.calls) == 1


def test_stops_in_a_circle_and_at_the_cap(web):
    web.get(CONDITIONS, json=searchset(condition("a"), link=next_to(f"{BASE}?page=1")))
    web.get(BASE, json=searchset(condition("b"), link=next_to(f"{BASE}?page=1")))
    assert search(web).read == Read.incomplete("the links to the next page run in a circle")
    web.reset()
    web.get(CONDITIONS, json=searchset(condition("a"), link=next_to(f"{BASE}?page=1")))
    web.get(BASE, json=searchset(condition("b"), link=next_to(f"{BASE}?page=2")))
    assert search(web, max_pages=2).read == Read.incomplete("not all pages were read")
    assert len(web.calls) == 2


def test_a_later_page_that_fails_leaves_the_first(web):
    web.get(CONDITIONS, json=searchset(condition("a"), total=2, link=next_to(f"{BASE}?page=1")))
    web.get(BASE, status=410)
    harvest = search(web)
    assert harvest.read == Read.incomplete("HTTP 410")
    assert references(harvest) == ["a"]


def test_fewer_than_announced(web):
    web.get(CONDITIONS, json=searchset(condition("a"), condition("a"), total=2))
    assert search(web).read == Read.incomplete("the server sent fewer records than it announced")


def test_reads_one_resource(web):
    web.get(f"{BASE}/Patient/p1", json=PATIENT)
    assert client().read("Patient/p1") == (PATIENT, Read())
    web.get(f"{BASE}/Patient/p2", json=PATIENT)
    assert client().read("Patient/p2")[1] == Read.failed("the server answered with another resource")
    assert client().read("http://evil.example/fhir/Medication/m")[0] is None
    assert len(web.calls) == 2


def test_takes_nothing_from_the_environment(web, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://evil.example:1")
    web.get(CONDITIONS, json=searchset(), headers={"Set-Cookie": "a=b"})
    reader = client()
    reader.search(Search("Condition"), "p1")
    reader.search(Search("Condition"), "p2")
    assert all(call.request.headers["Authorization"] == f"Bearer {TOKEN}" for call in web.calls)
    assert all("Cookie" not in call.request.headers for call in web.calls)


def test_never_shows_the_token():
    assert TOKEN not in repr(client())


# --- against a socket: what a mock cannot do ------------------------------------------------------------------


@pytest.fixture
def stub():
    """A server on loopback that answers every connection with what the test's function writes."""
    doors = []

    def start(speak):
        door = socket.create_server(("127.0.0.1", 0))
        doors.append(door)

        def talk(peer):
            with peer:
                try:
                    peer.recv(65_536)
                    speak(peer)
                except OSError:
                    pass

        def accept():
            while True:
                try:
                    peer, _ = door.accept()
                except OSError:
                    return
                threading.Thread(target=talk, args=(peer,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{door.getsockname()[1]}/fhir"

    yield start
    for door in doors:
        door.close()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\n"


def drip_body(peer):
    peer.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
    for _ in range(1000):
        peer.sendall(b" ")
        time.sleep(0.02)


def drip_head(peer):
    for byte in HEAD * 50:
        peer.sendall(bytes([byte]))
        time.sleep(0.02)


def stall(peer):
    peer.sendall(HEAD)
    time.sleep(3)


def silence(_peer):
    time.sleep(3)


@pytest.mark.parametrize("speak", [drip_body, drip_head, stall, silence])
def test_answers_at_the_deadline_whatever_the_server_does(stub, speak):
    reader = client(seconds=0.4, base=stub(speak))
    started = time.monotonic()
    jobs = {search.type: lambda search=search: reader.search(search, "p1").read for search in make_plan({}).searches}
    results = reader.together(jobs, Read.failed("time-out"))
    assert time.monotonic() - started < 1.4  # the deadline and a second
    assert results == {name: Read.failed("time-out") for name in KEYS}


def test_a_body_cut_short(stub):
    base = stub(lambda peer: peer.sendall(HEAD + b'Content-Length: 100\r\n\r\n{"resourceType": "Bundle"}'))
    assert search(base=base).read == Read.failed("the answer broke off")


def test_a_bomb_of_zeros(stub):
    import gzip

    data = gzip.compress(b" " * 50_000_000)
    head = HEAD + f"Content-Encoding: gzip\r\nContent-Length: {len(data)}\r\n\r\n".encode()
    assert search(base=stub(lambda peer: peer.sendall(head + data))).read == Read.failed("the answer was too large")


def test_nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    assert search(base=f"http://127.0.0.1:{port}/fhir").read == Read.failed("no connection")


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:8090/fhir", True),
        ("https://localhost/fhir/", True),
        ("http://[::1]:1/", True),
        ("http://127.0.0.2", True),
        ("http://LOCALHOST/fhir", True),
        ("http://2130706433/", False),
        ("http://0x7f.1/", False),
        ("http://127.0.0.1.evil.example/", False),
        ("http://localhost.evil.example/", False),
        ("https://ehr.example/fhir", False),
        ("http://0.0.0.0/", False),
        ("http://169.254.169.254/", False),
    ],
)
def test_what_is_this_machine(url, loopback):
    assert Origin.of(url).loopback is loopback


@pytest.mark.parametrize(
    "url",
    ["", "fhir", "/fhir", "ftp://h/", "http://", "http://h/a?b", "http://h/#a", "http://u:p@h/", "http://h\\a", "http://h/../a",
     "http://h:0/", "http://h:x/", "http://hé/", "http://h/\n", "javascript:alert(1)", "http://h/a?", "http://[::1%25a]/"],
)  # fmt: skip
def test_what_is_no_base(url):
    with pytest.raises(ValueError, match=r".*"):
        Origin.of(url)

"""Hostile URLs wherever one can come from: no connection off the allow-list, no token off its origin.

Real sockets on loopback: the hospital's FHIR server, which lies, and a trap that nobody may ever reach. A spy sees each
connection and each name that is looked up.
"""

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from door_fakes import KEYS, PATIENT, bundle, condition, full_prefetch, hook, searchset, services
from token_makers import BASE, ISSUER, PATH, by_hand, by_joserfc, good_claims, jwk_set

from cds_service.facts.record import Completeness
from cds_service.gather.client import FhirClient
from cds_service.gather.deadline import Deadline
from cds_service.gather.origin import Origin
from cds_service.gather.plan import Search
from cds_service.gather.transport import Transport, make_session
from cds_service.trust.key_sets import fetch_once
from cds_service.web import create_app

TOKEN = "secret-token"


class Server:
    """A server on loopback that answers what a test says, and remembers every request."""

    def __init__(self):
        self.requests = []
        self.answer = lambda _path: (200, {}, searchset(condition()))
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests.append((self.path, self.headers.get("Authorization")))
                status, headers, body = outer.answer(self.path)
                data = json.dumps(body).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(data))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def port(self):
        return self._server.server_port

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def servers():
    """The FHIR server and the trap."""
    pair = Server(), Server()
    yield pair
    for server in pair:
        server.stop()


@pytest.fixture
def ehr(servers):
    servers[0].requests.clear()
    return servers[0]


@pytest.fixture
def trap(servers):
    servers[1].requests.clear()
    return servers[1]


@pytest.fixture
def spy(monkeypatch):
    """Every address connected to, and every host name or address looked up."""
    seen = set()
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def spying_connect(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            seen.add(("connect", *address[:2]))
        return connect(self, address)

    def spying_look_up(host, port, *rest, **named):
        seen.add(("look up", host, port))
        return look_up(host, port, *rest, **named)

    monkeypatch.setattr(socket.socket, "connect", spying_connect)
    monkeypatch.setattr(socket, "getaddrinfo", spying_look_up)
    return seen


def only(server):
    return {("connect", "127.0.0.1", server.port), ("look up", "127.0.0.1", server.port)}


# {p} is the port of the FHIR server, whose base is http://127.0.0.1:{p}/fhir, {t} that of the trap.
HOSTILE = {
    "another-port": "http://127.0.0.1:{t}/fhir",
    "another-host": "https://evil.example/fhir",
    "no-port": "http://127.0.0.1/fhir",
    "another-scheme": "https://127.0.0.1:{p}/fhir",
    "another-name-of-this-machine": "http://localhost:{p}/fhir",
    "ipv6-of-this-machine": "http://[::1]:{p}/fhir",
    "ipv4-in-ipv6": "http://[::ffff:127.0.0.1]:{p}/fhir",
    "ipv4-in-ipv6-hex": "http://[::ffff:7f00:1]:{p}/fhir",
    "decimal-address": "http://2130706433:{p}/fhir",
    "hex-address": "http://0x7f000001:{p}/fhir",
    "octal-address": "http://0177.0.0.1:{p}/fhir",
    "short-address": "http://127.1:{p}/fhir",
    "padded-address": "http://127.000.000.001:{p}/fhir",
    "any-address": "http://0.0.0.0:{p}/fhir",
    "neighbour-address": "http://127.0.0.2:{p}/fhir",
    "trailing-dot": "http://127.0.0.1.:{p}/fhir",
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "metadata-name": "http://metadata.google.internal/",
    "private-range": "http://10.0.0.1/fhir",
    "host-prefix": "http://127.0.0.1.evil.example:{p}/fhir",
    "host-suffix": "http://evil-127.0.0.1:{p}/fhir",
    "wildcard-dns": "http://127.0.0.1.nip.io:{p}/fhir",
    "userinfo": "http://127.0.0.1:{p}@127.0.0.1:{t}/fhir",
    "userinfo-password": "http://u:p@127.0.0.1:{p}/fhir",
    "userinfo-empty": "http://@127.0.0.1:{p}/fhir",
    "userinfo-encoded": "http://127.0.0.1%40127.0.0.1:{t}/fhir",
    "userinfo-with-slash": "http://127.0.0.1:{p}%2F@127.0.0.1:{t}/fhir",
    "two-at-signs": "http://a@127.0.0.1:{p}@127.0.0.1:{t}/fhir",
    "backslash-host": "http://127.0.0.1:{t}\\@127.0.0.1:{p}/fhir",
    "backslash-path": "http://127.0.0.1:{p}\\fhir",
    "backslashes-for-slashes": "http:\\\\127.0.0.1:{t}\\fhir",
    "one-slash": "http:/127.0.0.1:{t}/fhir",
    "no-slash": "http:127.0.0.1:{t}/fhir",
    "three-slashes": "http:///127.0.0.1:{t}/fhir",
    "four-slashes": "http:////127.0.0.1:{t}/fhir",
    "scheme-relative": "//127.0.0.1:{t}/fhir",
    "scheme-relative-backslash": "/\\127.0.0.1:{t}/fhir",
    "port-zero": "http://127.0.0.1:0/fhir",
    "port-too-high": "http://127.0.0.1:99999/fhir",
    "port-negative": "http://127.0.0.1:-1/fhir",
    "port-signed": "http://127.0.0.1:+{p}/fhir",
    "port-text": "http://127.0.0.1:x/fhir",
    "port-twice": "http://127.0.0.1:{p}:{t}/fhir",
    "port-in-arabic-digits": "http://127.0.0.1:\u0668\u0660/fhir",
    "host-empty": "http://:{p}/fhir",
    "host-missing": "http:///fhir",
    "host-with-blank": "http://127.0.0.1 :{p}/fhir",
    "host-with-tab": "http://127.0.0.1\t:{p}/fhir",
    "host-with-newline": "http://127.0.0.1:{t}\n/fhir",
    "host-with-nul": "http://127.0.0.1:{p}\0.evil.example/fhir",
    "host-encoded": "http://%31%32%37.0.0.1:{p}/fhir",
    "host-full-width": "http://\uff11\uff12\uff17.0.0.1:{p}/fhir",
    "host-ideographic-dots": "http://127\u30020\u30020\u30021:{p}/fhir",
    "host-homoglyph": "http://\u0435hr.example/fhir",
    "host-punycode": "http://xn--hr-5cd.example/fhir",
    "host-semicolon": "http://127.0.0.1;.evil.example:{p}/fhir",
    "host-comma": "http://127.0.0.1,evil.example:{p}/fhir",
    "host-underscore": "http://127_0_0_1:{p}/fhir",
    "ipv6-zone": "http://[fe80::1%25lo]:{p}/fhir",
    "ipv6-open": "http://[::1:{p}/fhir",
    "ipv-future": "http://[v1.a]:{p}/fhir",
    "path-prefix": "http://127.0.0.1:{p}/fhirx",
    "path-prefix-dot": "http://127.0.0.1:{p}/fhir.evil",
    "path-above": "http://127.0.0.1:{p}/",
    "path-missing": "http://127.0.0.1:{p}",
    "path-other": "http://127.0.0.1:{p}/admin",
    "path-case": "http://127.0.0.1:{p}/FHIR",
    "path-dots": "http://127.0.0.1:{p}/fhir/../admin",
    "path-dots-at-the-end": "http://127.0.0.1:{p}/fhir/..",
    "path-one-dot": "http://127.0.0.1:{p}/fhir/./Patient",
    "path-dots-encoded": "http://127.0.0.1:{p}/fhir/%2e%2e/admin",
    "path-dots-half-encoded": "http://127.0.0.1:{p}/fhir/.%2E/admin",
    "path-dots-encoded-twice": "http://127.0.0.1:{p}/fhir/%252e%252e/admin",
    "path-dots-encoded-thrice": "http://127.0.0.1:{p}/fhir/%25252e%25252e/admin",
    "path-encoded-over-and-over": "http://127.0.0.1:{p}/fhir/%25252525252e%25252525252e/admin",
    "path-dots-with-parameter": "http://127.0.0.1:{p}/fhir/..;/admin",
    "path-dots-with-named-parameter": "http://127.0.0.1:{p}/fhir/..;a=b/admin",
    "path-dots-with-encoded-parameter": "http://127.0.0.1:{p}/fhir/%2e%2e%3b/admin",
    "path-slash-encoded": "http://127.0.0.1:{p}/fhir/..%2fadmin",
    "path-slash-encoded-inside": "http://127.0.0.1:{p}/fhir/a%2f..%2f..%2fadmin",
    "path-backslash-encoded": "http://127.0.0.1:{p}/fhir/..%5cadmin",
    "path-newline": "http://127.0.0.1:{p}/fhir/\r\nHost: evil.example",
    "path-non-ascii": "http://127.0.0.1:{p}/fhir/\u2025/admin",
    "scheme-file": "file:///etc/passwd",
    "scheme-ftp": "ftp://127.0.0.1:{p}/fhir",
    "scheme-gopher": "gopher://127.0.0.1:{t}/_GET",
    "scheme-data": "data:application/json,{{}}",
    "scheme-javascript": "javascript:alert(1)",
    "scheme-unix": "http+unix://%2Ftmp%2Fsock/fhir",
    "scheme-ws": "ws://127.0.0.1:{p}/fhir",
    "scheme-with-blank": " http://127.0.0.1:{t}/fhir",
    "scheme-with-nul": "\0http://127.0.0.1:{t}/fhir",
    "scheme-jar": "jar:http://127.0.0.1:{t}/fhir!/",
    "template": "http://${{host}}:{p}/fhir",
    "long": "http://127.0.0.1:{t}/" + "a" * 20_000,
}


def filled(name, ehr, trap):
    return HOSTILE[name].format(p=ehr.port, t=trap.port)


def test_there_are_many():
    assert len(HOSTILE) >= 80
    assert len(set(HOSTILE.values())) == len(HOSTILE)


def client(ehr, seconds=3.0):
    transport = Transport(make_session(), Deadline.after(seconds), 100_000, sleep=lambda _seconds: None)
    return FhirClient(Origin.of(f"http://127.0.0.1:{ehr.port}/fhir"), transport, TOKEN)


def nothing_left(ehr, trap, spy):
    """No connection but to the FHIR server, and there the token nowhere but below its base."""
    assert spy <= only(ehr)
    assert trap.requests == []
    for path, authorization in ehr.requests:
        assert path == "/fhir" or path.startswith(("/fhir/", "/fhir?")) or authorization is None
        assert ".." not in path


# Relative to a page of the server, or with its tab left out, these are addresses below the base.
HARMLESS_AS_LINKS = {"host-missing", "host-with-tab", "no-slash"}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_next_link_is_not_followed(name, ehr, trap, spy):
    link = filled(name, ehr, trap)
    ehr.answer = lambda _path: (200, {}, searchset(condition(), total=99, link=[{"relation": "next", "url": link}]))
    harvest = client(ehr).search(Search("Condition"), "p1")
    assert harvest.read.completeness is Completeness.INCOMPLETE
    assert (len(ehr.requests) == 1) is (name not in HARMLESS_AS_LINKS)
    nothing_left(ehr, trap, spy)


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_reference_is_not_followed(name, ehr, trap, spy):
    reference = filled(name, ehr, trap)
    if "://" not in reference:  # then it is below the base, whatever stands in it
        return
    assert client(ehr).read(reference)[0] is None
    assert ehr.requests == []
    nothing_left(ehr, trap, spy)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status, ehr, trap, spy):
    for name in sorted(HOSTILE):
        location = filled(name, ehr, trap)
        if "\n" in location or not location.isascii() or len(location) > 10_000:
            continue  # cannot stand in a header
        ehr.requests.clear()
        ehr.answer = lambda _path, to=location: (status, {"Location": to}, {})
        read = client(ehr).search(Search("Condition"), "p1").read
        assert read.completeness is Completeness.FAILED
        assert len(ehr.requests) == 1
    nothing_left(ehr, trap, spy)


@pytest.mark.parametrize("header", ["Refresh", "Link", "Content-Location", "Alt-Svc", "Set-Cookie"])
def test_no_other_header_leads_anywhere(header, ehr, trap, spy):
    trapped = f"http://127.0.0.1:{trap.port}/"
    value = {
        "Refresh": f"0; url={trapped}",
        "Link": f'<{trapped}>; rel="next"',
        "Alt-Svc": f'h2="127.0.0.1:{trap.port}"',
    }
    ehr.answer = lambda _path: (200, {header: value.get(header, trapped)}, searchset(condition()))
    assert client(ehr).search(Search("Condition"), "p1").read.complete
    assert len(ehr.requests) == 1
    nothing_left(ehr, trap, spy)


# --- fhirServer and the allow-list ------------------------------------------------------------------------------


@pytest.fixture
def caller(tmp_path, ehr):
    """Posts a hook in verified mode, where the EHR may name one FHIR server."""
    (tmp_path / "jwks.json").write_text(json.dumps(jwk_set("ec")))
    chosen = {
        "mode": "verified",
        "public_base_url": BASE,
        "clients": [
            {
                "issuer": ISSUER,
                "jwks_file": tmp_path / "jwks.json",
                "fhir_servers": [f"http://127.0.0.1:{ehr.port}/fhir"],
            }
        ],
        "store": f"sqlite:///{tmp_path}/store.db",
    }
    client = create_app(services(**chosen)[0]).test_client()

    def post(server, number=[0], **changes):  # noqa: B006
        number[0] += 1
        token = by_joserfc(good_claims(time.time(), jti=f"j-{number[0]}"), jku=...)
        authorization = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 300, "scope": "s", "subject": "c"}
        body = hook(fhirServer=server, fhirAuthorization=authorization, **changes)
        return client.post(PATH, json=body, headers={"Authorization": f"Bearer {token}"})

    return post


def test_a_hostile_fhir_server_is_not_asked(caller, ehr, trap, spy):
    bare = full_prefetch()
    del bare["procedures"]
    for name in sorted(HOSTILE):
        answer = caller(filled(name, ehr, trap), prefetch=bare)
        # Either it is no URL of a FHIR server at all, or one that this EHR may not name: then prefetch answers alone.
        assert answer.status_code in (200, 400), name
        assert TOKEN not in answer.text
        assert ehr.requests == []
    assert spy == set()
    assert trap.requests == []


def test_the_named_server_is_asked_with_its_token(caller, ehr, trap, spy):
    """The same call with the right server reaches it: the test above shows the allow-list and nothing else."""
    ehr.answer = lambda path: (200, {}, PATIENT if "Patient/" in path else searchset())
    assert caller(f"http://127.0.0.1:{ehr.port}/fhir/", prefetch=...).status_code == 200
    assert len(ehr.requests) >= 1 + len(KEYS)
    assert {authorization for _path, authorization in ehr.requests} == {f"Bearer {TOKEN}"}
    nothing_left(ehr, trap, spy)


def test_prefetched_pages_lead_nowhere_either(caller, ehr, trap, spy):
    ehr.answer = lambda _path: (200, {}, searchset())
    for name in sorted(HOSTILE):
        page = searchset(condition(), total=9, link=[{"relation": "next", "url": filled(name, ehr, trap)}])
        assert caller(f"http://127.0.0.1:{ehr.port}/fhir", prefetch=full_prefetch(conditions=page)).status_code == 200
    nothing_left(ehr, trap, spy)


def test_open_mode_asks_this_machine_only(ehr, trap, spy):
    client = create_app(services()[0]).test_client()
    for name in sorted(HOSTILE):
        server = filled(name, ehr, trap)
        try:
            if Origin.of(server).loopback:
                continue  # one's own machine may be asked in open mode
        except ValueError:
            pass
        assert client.post(PATH, json=hook(fhirServer=server, prefetch=...)).status_code in (400, 412), name
    assert spy == set()


def test_a_bundle_leads_nowhere(ehr, trap, spy):
    link = [{"relation": "next", "url": f"http://127.0.0.1:{trap.port}/fhir"}]
    absolute = condition(encounter={"reference": f"http://127.0.0.1:{trap.port}/fhir/Encounter/1"})
    create_app(services()[0]).test_client().post("/api/evaluate", json=bundle(PATIENT, absolute, link=link))
    assert spy == set()


# --- key sets ---------------------------------------------------------------------------------------------------


def test_a_key_set_is_fetched_from_its_address_alone(ehr, trap, spy):
    session = make_session()
    url = f"http://127.0.0.1:{ehr.port}/jwks.json"
    for name in sorted(HOSTILE):
        location = filled(name, ehr, trap)
        if "\n" in location or not location.isascii() or len(location) > 10_000:
            continue
        ehr.answer = lambda _path, to=location: (302, {"Location": to}, {})
        assert fetch_once(lambda deadline, size: Transport(session, deadline, size), url).body is None
    assert {path for path, _token in ehr.requests} == {"/jwks.json"}
    nothing_left(ehr, trap, spy)


def test_a_jku_is_never_fetched(ehr, trap, spy, tmp_path):
    ehr.answer = lambda _path: (200, {}, jwk_set("ec"))
    url = f"http://127.0.0.1:{ehr.port}/fhir/jwks.json"
    chosen = {
        "mode": "verified",
        "public_base_url": BASE,
        "clients": [{"issuer": ISSUER, "jwks_url": url}],
        "store": f"sqlite:///{tmp_path}/store.db",
    }
    client = create_app(services(**chosen)[0]).test_client()
    for number, name in enumerate(sorted(HOSTILE)):
        header = {"alg": "ES384", "typ": "JWT", "kid": "ec", "jku": filled(name, ehr, trap)[:3_000]}
        text = by_hand(header, good_claims(time.time(), jti=f"h-{number}"), "ec")
        answer = client.post(PATH, json=hook(), headers={"Authorization": f"Bearer {text}"})
        assert answer.status_code == 401, name
    assert spy == set()
    good = by_joserfc(good_claims(time.time(), jti="good"), jku=url)
    assert client.post(PATH, json=hook(), headers={"Authorization": f"Bearer {good}"}).status_code == 200
    assert ehr.requests == [("/fhir/jwks.json", None)]


# --- settings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "numeric"),
    [
        ("10.1.2.3", True),
        ("2130706433", True),
        ("0x7f.1", True),
        ("127.1", True),
        ("0177.0.0.1", True),
        ("a.0x", True),
        ("[::1]", True),
        ("[2001:db8::1]", True),
        ("ehr.example", False),
        ("10.example", False),
        ("0x7f.example", False),
        ("h1", False),
        ("127.0.0.1.nip.io", False),
    ],
)
def test_hosts_that_are_addresses(host, numeric):
    assert Origin.of(f"https://{host}/fhir").numeric is numeric


@pytest.mark.parametrize("host", ["h_a", "h;a", "h,a", "-h", "h-", "127.0.0.1.", ".h", "h%41", "[v1.a]", "h!a", "$h"])
def test_what_is_no_host(host):
    with pytest.raises(ValueError, match=r"host|URL|IP"):
        Origin.of(f"https://{host}/fhir")


def test_good_links_stay_good():
    origin = Origin.of("https://ehr.example/fhir/r4")
    for link in (
        "https://ehr.example/fhir/r4",
        "https://ehr.example/fhir/r4/",
        "https://ehr.example/fhir/r4?_getpages=a&_getpagesoffset=20",
        "https://ehr.example:443/fhir/r4/Observation?code=http%3A%2F%2Floinc.org%7C718-7&x=../..",
        "https://EHR.EXAMPLE/fhir//r4/Patient/a.b-c/_history/1",
        "https://ehr.example/fhir/r4/Patient;v=1/a..b",
        "https://ehr.example/fhir/r4/Bulk%20Data/100%25",
    ):
        assert origin.allows(link), link

"""Tokens that we fetch by ourselves: where our assertion may go, how long a token holds, and what a refusal costs."""

import logging
import threading
import time
from urllib.parse import parse_qs

import jwt
import pytest
import responses
from cryptography.hazmat.primitives.asymmetric import ec
from door_fakes import condition, searchset

from cds_service.errors import ConfigError
from cds_service.facts.record import Read
from cds_service.gather.access import Grant
from cds_service.gather.capability import read_capability
from cds_service.gather.client import FhirClient
from cds_service.gather.deadline import Deadline
from cds_service.gather.origin import Origin
from cds_service.gather.plan import Search
from cds_service.gather.smart_auth import BackendClient, BackendServices
from cds_service.gather.smart_scopes import KINDS, ScopeStyle, beyond_reading, lets_read, scope_for, style_of
from cds_service.gather.transport import Transport, make_session

BASE = "https://ehr.invalid/fhir"
TOKENS = "https://ehr.invalid/oauth/token"
KNOWN = f"{BASE}/.well-known/smart-configuration"
KEY = ec.generate_private_key(ec.SECP384R1())
NOW = 1_780_000_000.0


def sign(algorithm, claims):
    assert algorithm == "ES384"
    return jwt.encode(dict(claims), KEY, algorithm)


def configuration(**changes):
    return {"token_endpoint": TOKENS, "capabilities": ["permission-v2"], **changes}


def token(text="at-1", scope="system/*.rs", **changes):
    given = {"access_token": text, "token_type": "Bearer", "expires_in": 300, "scope": scope, **changes}
    return {name: value for name, value in given.items() if value is not None}


class Stand:
    """One client with a clock of its own."""

    def __init__(self, **changes):
        self.time = 0.0
        client = BackendClient(**{"origin": Origin.of(BASE), "client_id": "us", "sign": sign, **changes})
        self.access = BackendServices(client, lambda: NOW, lambda: self.time)
        self.transport = Transport(make_session(), Deadline.after(5), 100_000, sleep=lambda _seconds: None)

    def grant(self, kind="Condition"):
        return self.access.grant(kind, self.transport)

    def client(self, **changes):
        return FhirClient(Origin.of(BASE), self.transport, access=self.access, **changes)


@pytest.fixture
def web():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def posts(web):
    return [parse_qs(call.request.body) for call in web.calls if call.request.method == "POST"]


def test_the_assertion_says_who_we_are_once_and_not_for_long(web):
    web.get(KNOWN, json=configuration())
    web.post(TOKENS, json=token())
    stand = Stand()
    assert stand.grant() == Grant("at-1")
    stand.time = 299
    stand.grant()
    claims = []
    for form in posts(web):
        assert form["grant_type"] == ["client_credentials"]
        assert form["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
        assert form["scope"] == [" ".join(f"system/{kind}.rs" for kind in KINDS)]
        claims.append(jwt.decode(form["client_assertion"][0], options={"verify_signature": False}))
    assert [one["iss"] for one in claims] == [one["sub"] for one in claims] == ["us", "us"]
    assert {one["aud"] for one in claims} == {TOKENS}
    assert all(NOW < one["exp"] <= NOW + 300 for one in claims)
    assert claims[0]["jti"] != claims[1]["jti"]
    assert not any(call.request.headers.get("Authorization") for call in web.calls)


def test_a_token_is_used_for_four_fifths_of_its_life(web):
    web.get(KNOWN, json=configuration())
    for number in range(3):
        web.post(TOKENS, json=token(f"at-{number}"))
    stand = Stand()
    assert [stand.grant(kind).token for kind in KINDS] == ["at-0"] * len(KINDS)
    stand.time = 239
    assert stand.grant().token == "at-0"
    stand.time = 240
    assert stand.grant().token == "at-1"
    assert len(posts(web)) == 2


@pytest.mark.parametrize(("told", "life"), [(None, 60), ("600", 60), (0, 60), (-5, 60), (True, 60), (10**9, 3600)])
def test_a_life_that_is_not_told_or_too_long(web, told, life):
    web.get(KNOWN, json=configuration())
    web.post(TOKENS, json=token("at-0", expires_in=told))
    web.post(TOKENS, json=token("at-1"))
    stand = Stand()
    stand.grant()
    stand.time = 0.8 * life - 1
    assert stand.grant().token == "at-0"
    stand.time = 0.8 * life
    assert stand.grant().token == "at-1"


def test_a_token_that_still_lives_serves_while_no_new_one_can_be_had(web):
    web.get(KNOWN, json=configuration())
    web.post(TOKENS, json=token())
    web.post(TOKENS, status=503)
    stand = Stand()
    stand.grant()
    stand.time = 250
    assert stand.grant().token == "at-1"
    stand.time = 301
    assert stand.grant().token is None


def test_one_renewal_at_a_time(web):
    web.get(KNOWN, json=configuration())
    inside, go = threading.Event(), threading.Event()
    calls = []

    def answer(_request):
        calls.append(1)
        inside.set()
        go.wait(5)
        return 200, {}, '{"access_token": "at-1", "token_type": "bearer", "scope": "system/*.rs"}'

    web.add_callback(responses.POST, TOKENS, answer)
    stand = Stand()
    got = []
    threads = [threading.Thread(target=lambda: got.append(stand.grant().token)) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert inside.wait(5)
    go.set()
    for thread in threads:
        thread.join(5)
    assert got == ["at-1"] * 8
    assert len(calls) == 1


def test_who_has_a_token_does_not_wait_for_a_renewal(web):
    web.get(KNOWN, json=configuration())
    web.post(TOKENS, json=token())
    stand = Stand()
    stand.grant()
    stand.time = 250
    stand.access._renewing.acquire()
    began = time.monotonic()
    assert stand.grant().token == "at-1"
    assert time.monotonic() - began < 2


def test_who_waits_for_a_renewal_waits_no_longer_than_the_deadline():
    stand = Stand()
    stand.transport = Transport(stand.transport.session, Deadline.after(0.05), 1_000)
    stand.access._renewing.acquire()
    assert stand.grant() == Grant(why="time-out")


def test_a_refused_token_is_fetched_anew_once(web):
    web.get(KNOWN, json=configuration())
    web.post(TOKENS, json=token("at-1"))
    web.post(TOKENS, json=token("at-2"))
    web.get(f"{BASE}/Condition", status=401)
    web.get(f"{BASE}/Condition", json=searchset(condition("a")))
    assert Stand().client().search(Search("Condition"), "p1").read == Read()
    sent = [call.request.headers.get("Authorization") for call in web.calls if "Condition" in call.request.url]
    assert sent == ["Bearer at-1", "Bearer at-2"]


def test_a_server_that_refuses_every_token_is_asked_twice(web):
    web.get(KNOWN, json=configuration())
    web.post(TOKENS, json=token("at-1"))
    web.post(TOKENS, json=token("at-2"))
    web.get(f"{BASE}/Condition", status=401)
    assert Stand().client().search(Search("Condition"), "p1").read == Read.failed("HTTP 401")
    assert sum("Condition" in call.request.url for call in web.calls) == 2
    assert len(posts(web)) == 2


def test_nothing_is_asked_without_a_token_when_no_new_one_can_be_had(web):
    web.get(KNOWN, json=configuration())
    web.post(TOKENS, json=token())
    web.post(TOKENS, status=401, json={"error": "invalid_client"})
    web.get(f"{BASE}/Condition", status=401)
    assert Stand().client().search(Search("Condition"), "p1").read == Read.failed("HTTP 401")
    sent = [call.request.headers.get("Authorization") for call in web.calls if "Condition" in call.request.url]
    assert sent == ["Bearer at-1"]


def test_a_token_of_the_call_is_never_renewed(web):
    web.get(f"{BASE}/Condition", status=401)
    stand = Stand()
    client = FhirClient(Origin.of(BASE), stand.transport, "given")
    assert client.search(Search("Condition"), "p1").read == Read.failed("HTTP 401")
    assert len(web.calls) == 1


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://evil.invalid/token",
        "https://ehr.invalid:444/token",
        "https://ehr.invalid.evil.invalid/token",
        "https://ehr.invalid@evil.invalid/token",
        "http://ehr.invalid/token",
        "https://ehr.invalid/token?x=1",
        "https://ehr.invalid/a/../token",
        "https://auth.invalid.evil.invalid/token",
        "//evil.invalid/token",
        "token",
        "",
    ],
)
def test_our_assertion_goes_to_no_other_host(web, endpoint):
    web.get(KNOWN, json=configuration(token_endpoint=endpoint))
    stand = Stand(auth_origins=(Origin.of("https://auth.invalid"),))
    assert stand.grant() == Grant(why="no access token: the authorization server is on a host that is not allowed")
    assert len(web.calls) == 1


def test_a_listed_authorization_server_without_tls_gets_nothing(web):
    web.get(KNOWN, json=configuration(token_endpoint="http://auth.invalid/token"))
    assert "not allowed" in Stand(auth_origins=(Origin.of("http://auth.invalid"),)).grant().why
    assert not posts(web)


def test_an_authorization_server_that_is_listed(web):
    web.get(KNOWN, json=configuration(token_endpoint="https://auth.invalid/tenants/1/token"))
    web.post("https://auth.invalid/tenants/1/token", json=token())
    assert Stand(auth_origins=(Origin.of("https://auth.invalid"),)).grant().token == "at-1"


def test_no_redirect_is_followed_with_the_assertion(web):
    web.get(KNOWN, json=configuration())
    web.post(TOKENS, status=307, headers={"Location": "https://evil.invalid/token"})
    assert Stand().grant().why == "no access token: the authorization server answered HTTP 307, a redirect"
    assert len(web.calls) == 2


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (400, {"error": "invalid_client", "error_description": "secret"}, "does not know this client or its key"),
        (401, {"error": "invalid_client"}, "does not know this client or its key"),
        (400, {"error": "unauthorized_client"}, "not registered for Backend Services"),
        (400, {"error": "invalid_grant"}, "answered invalid_grant"),
        (400, {"error": "secret"}, "answered HTTP 400"),
        (400, {"error": ["secret"]}, "answered HTTP 400"),
        (403, {"error": "invalid_client"}, "answered HTTP 403"),
        (500, {}, "answered HTTP 500"),
        (200, {"access_token": "a", "token_type": "mac"}, "sent no bearer token"),
        (200, {"access_token": "a", "token_type": None}, "sent no bearer token"),
        (200, {"access_token": "", "token_type": "bearer"}, "sent no bearer token"),
        (200, {"access_token": "a\r\nHost: evil.invalid", "token_type": "bearer"}, "sent no bearer token"),
        (200, {"access_token": 7, "token_type": "bearer"}, "sent no bearer token"),
    ],
)
def test_what_goes_wrong_is_told_plainly_and_not_repeated(web, caplog, status, body, why):
    caplog.set_level(logging.DEBUG)
    web.get(KNOWN, json=configuration())
    web.post(TOKENS, status=status, json=body)
    grant = Stand().grant()
    assert grant.token is None
    assert why in grant.why
    assert "secret" not in grant.why + caplog.text


def test_a_failure_is_not_repeated_for_each_search(web):
    web.get(KNOWN, json=configuration())
    web.post(TOKENS, status=401, json={"error": "invalid_client"})
    stand = Stand()
    assert len({stand.grant(kind).why for kind in KINDS}) == 1
    assert len(posts(web)) == 1
    stand.time = 6
    stand.grant()
    assert len(posts(web)) == 2


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"status": 404}, "names no authorization server (HTTP 404)"),
        ({"body": "<html>", "content_type": "text/html"}, "names no authorization server"),
        ({"json": {}}, "names no authorization server"),
        ({"json": configuration(token_endpoint=7)}, "names no authorization server"),
        (
            {"json": configuration(token_endpoint_auth_signing_alg_values_supported=["RS256"])},
            "takes neither ES384 nor RS384",
        ),
    ],
)
def test_without_a_usable_configuration(web, answer, why):
    web.get(KNOWN, **answer)
    assert why in Stand().grant().why
    assert not posts(web)


def test_the_configuration_is_kept_for_an_hour(web):
    web.get(KNOWN, json=configuration())
    web.post(TOKENS, json=token())
    stand = Stand()
    for stand.time in (0, 1000, 3500, 3750):
        stand.grant()
    assert sum(call.request.url == KNOWN for call in web.calls) == 2


def test_the_algorithm_is_one_that_both_have(web):
    web.get(KNOWN, json=configuration(token_endpoint_auth_signing_alg_values_supported=["RS384", "ES384"]))
    stand = Stand(algorithms=("RS384",))
    found = stand.access.discover(stand.transport)
    assert not isinstance(found, str)
    assert found.algorithm == "RS384"
    assert "no key" in Stand(algorithms=()).grant().why


def test_a_key_that_is_gone(web):
    def gone(_algorithm, _claims):
        raise ConfigError("no key")

    web.get(KNOWN, json=configuration())
    assert Stand(sign=gone).grant().why == "no access token: the service has no key to sign with"


def test_a_server_that_refuses_all_for_one_scope_is_asked_type_by_type(web):
    def answer(request):
        wanted = parse_qs(request.body)["scope"][0]
        if wanted != "system/Condition.rs":
            return 400, {}, '{"error": "invalid_scope"}'
        return 200, {}, '{"access_token": "for-conditions", "token_type": "bearer", "expires_in": 300}'

    web.get(KNOWN, json=configuration())
    web.add_callback(responses.POST, TOKENS, answer)
    stand = Stand()
    assert stand.grant("Condition").token == "for-conditions"
    assert "none of the scopes" in stand.grant("Observation").why
    assert stand.grant("Condition").token == "for-conditions"
    assert [form["scope"][0].count("system/") for form in posts(web)] == [len(KINDS), 1, 1]


def test_a_type_without_leave_is_not_asked_for(web):
    web.get(KNOWN, json=configuration())
    web.post(TOKENS, json=token(scope="system/Condition.rs system/Observation.rs?category=laboratory"))
    web.get(f"{BASE}/Condition", json=searchset(condition("a")))
    client = Stand().client()
    assert client.search(Search("Condition"), "p1").read == Read()
    for kind in ("Observation", "Procedure"):
        why = f"the server gives no leave to read {kind}"
        assert client.search(Search(kind), "p1").read == Read.failed(why)
    assert client.read("Patient/p1")[1] == Read.failed("the server gives no leave to read Patient")
    assert not any("Observation?" in call.request.url for call in web.calls)


def test_more_than_was_asked_for_is_warned_of(web, caplog):
    web.get(KNOWN, json=configuration())
    web.post(TOKENS, json=token(scope="system/*.cruds"))
    Stand().grant()
    assert "granted more" in caplog.text
    assert "at-1" not in caplog.text


@pytest.mark.parametrize(
    ("scope", "reads", "more"),
    [
        ("system/Condition.rs", True, False),
        ("system/Condition.read", True, False),
        ("system/Condition.cruds", True, True),
        ("system/Condition.*", True, True),
        ("system/*.read", True, True),
        ("system/Condition.r", False, False),
        ("system/Condition.s", False, False),
        ("system/Condition.rs?clinical-status=active", False, True),
        ("user/Condition.rs", False, True),
        ("system/Encounter.rs", False, True),
        ("system/Condition.write", False, True),
    ],
)
def test_what_a_scope_lets_one_do(scope, reads, more):
    assert lets_read([scope], "Condition") is reads
    assert beyond_reading([scope]) is more


def test_reading_and_searching_may_come_in_two_scopes():
    assert lets_read(["system/Condition.r", "system/Condition.s"], "Condition")


@pytest.mark.parametrize(
    ("told", "style"),
    [
        ({"capabilities": ["permission-v1"]}, ScopeStyle.V1),
        ({"capabilities": ["permission-v1", "permission-v2"]}, ScopeStyle.V2),
        ({"scopes_supported": ["openid", "system/*.rs"]}, ScopeStyle.V2),
        ({"scopes_supported": ["system/*.read", "system/*.*"]}, ScopeStyle.V1),
        ({"capabilities": "permission-v2", "scopes_supported": [None, 3]}, ScopeStyle.V1),
    ],
)
def test_the_spelling_of_scopes(told, style):
    assert style_of(told) is style
    assert scope_for("Observation", style) == f"system/Observation.{'rs' if style is ScopeStyle.V2 else 'read'}"


class TestAliases:
    INNER = Origin.of("http://inner.invalid:8080/fhir")

    def test_a_link_below_an_alias_is_read_at_the_base(self, web):
        inner = [{"relation": "next", "url": "http://inner.invalid:8080/fhir/Condition?page=2"}]
        web.get(f"{BASE}/Condition", json=searchset(condition("a"), total=2, link=inner))
        web.get(f"{BASE}/Condition?page=2", json=searchset(condition("b"), total=2))
        client = FhirClient(Origin.of(BASE), Stand().transport, "t", aliases=(self.INNER,))
        assert [one["id"] for _, one in client.search(Search("Condition"), "p1").entries] == ["a", "b"]
        assert {call.request.url.split("/fhir")[0] for call in web.calls} == {"https://ehr.invalid"}

    @pytest.mark.parametrize(
        "url", ["http://inner.invalid:8080/fhirx/Condition", "http://inner.invalid/fhir/Condition", "http://i\\x/"]
    )
    def test_any_other_is_left_for_the_origin_check_to_refuse(self, url):
        base = Origin.of(BASE)
        assert base.instead_of([self.INNER], url) == url
        assert not base.allows(url)

    def test_segments_stay_apart(self):
        url = "http://inner.invalid:8080/fhir/a%2Fb"
        assert Origin.of(BASE).instead_of([self.INNER], url) == url


def test_later_pages_count_with_the_first_of_prefetch(web):
    web.get(f"{BASE}/Condition?page=2", json=searchset(condition("b"), total=2))
    client = FhirClient(Origin.of(BASE), Stand().transport)
    assert client.pages(f"{BASE}/Condition?page=2", "Condition", [("", condition("a"))]).read == Read()
    assert not client.pages(f"{BASE}/Condition?page=2", "Condition").read.complete
    outcome = {"resourceType": "OperationOutcome", "id": "w"}
    assert not client.pages(f"{BASE}/Condition?page=2", "Condition", [("", outcome)]).read.complete


@pytest.mark.parametrize(
    ("version", "release", "read"),
    [
        ("1.0.2", "DSTU2", False),
        ("3.0.2", "STU3", False),
        ("4.0.1", "R4", True),
        ("4.3.0", "R4B", True),
        ("5.0.0", "R5", True),
        ("4.1.0", "another release", False),
        ("6", "another release", False),
        (None, "another release", False),
    ],
)
def test_releases(version, release, read):
    found = read_capability({"resourceType": "CapabilityStatement", "fhirVersion": version})
    assert found is not None
    assert (found.release.value, found.release.read) == (release, read)


def test_types_that_are_announced():
    resources = [
        {"type": "Condition", "interaction": [{"code": "read"}, {"code": "search-type"}]},
        {"type": "Procedure", "interaction": [{"code": "read"}]},
        {"type": "Observation"},
        {"type": 7},
        "nonsense",
    ]
    found = read_capability({"resourceType": "CapabilityStatement", "rest": [{"resource": resources}, None]})
    assert found is not None
    assert found.searched == {"Condition", "Observation"}
    assert read_capability({"resourceType": "OperationOutcome"}) is None
    empty = read_capability({"resourceType": "CapabilityStatement", "rest": {}})
    assert empty is not None
    assert empty.searched is None

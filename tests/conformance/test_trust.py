"""Verified mode as callers see it: who is let in, what a refusal shows, what stays open, what stops the start."""

import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import responses
from door_fakes import FAILED, KEYS, PATIENT, bundle, full_prefetch, hook, searchset, services
from fhir.resources.R4B.operationoutcome import OperationOutcome
from token_makers import BASE, ISSUER, JWKS_URL, PATH, b64, by_hand, by_joserfc, good_claims, jwk_set

from cds_service.errors import ConfigError
from cds_service.store import Store
from cds_service.web import create_app

SERVER = "http://127.0.0.1:9998/fhir"
WITHOUT_SETTINGS = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def chosen(tmp_path):
    """Settings of verified mode: one EHR with two tenants, keys in a file, a store in a file."""
    (tmp_path / "jwks.json").write_text(json.dumps(jwk_set("ec", "rsa")))
    client = {"issuer": ISSUER, "jwks_file": tmp_path / "jwks.json", "fhir_servers": [SERVER]}
    return {
        "mode": "verified",
        "public_base_url": BASE,
        "clients": [client, {**client, "tenant": "north", "fhir_servers": []}],
        "store": f"sqlite:///{tmp_path}/store.db",
    }


@pytest.fixture
def fetched(chosen):
    """The same, but the keys are on the web."""
    return {**chosen, "clients": [{"issuer": ISSUER, "jwks_url": JWKS_URL}]}


def make(chosen, **changes):
    return create_app(services(**{**chosen, **changes})[0]).test_client()


counter = iter(range(10**6))


def bearer(path=PATH, signer="ec", header=None, **claims):
    given = {"aud": BASE + path, "jti": f"t-{next(counter)}", **claims}
    text = by_joserfc(good_claims(time.time(), **given), signer, **{"jku": ..., **(header or {})})
    return {"Authorization": f"Bearer {text}"}


# --- who is let in ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signer", ["ec", "rsa"])
def test_every_address_takes_a_token_made_for_it(chosen, signer):
    client = make(chosen)
    assert client.get("/cds-services", headers=bearer("/cds-services", signer)).status_code == 200
    answer = client.post(PATH, json=hook(), headers=bearer(PATH, signer, tenant="north"))
    assert (answer.status_code, len(answer.get_json()["cards"])) == (200, 1)


def test_every_address_refuses_a_call_without_one(chosen):
    client = make(chosen, api=True)
    refused = [
        client.get("/cds-services"),
        client.head("/cds-services"),
        client.post(PATH, json=hook()),
        client.post(PATH, data=b"{"),
        client.post("/cds-services/other", json=hook()),
        client.post(f"{PATH}/feedback", json={"feedback": []}),
        client.post("/api/evaluate", json=bundle(PATIENT)),
        client.get("/cds-services", headers=bearer(PATH)),
        client.post(PATH, json=hook(), headers=bearer("/cds-services")),
    ]
    assert [answer.status_code for answer in refused] == [401] * len(refused)


OPEN = {"/", "/livez", "/readyz", "/healthz", "/.well-known/jwks.json", "/openapi.json"}


def test_no_address_is_open_by_accident(chosen):
    """Whoever adds an address says here if it is open; every other asks who calls, before anything else."""
    client = make(chosen, api=True)
    asked = []
    for rule in client.application.url_map.iter_rules():
        for method in rule.methods - {"OPTIONS"} if rule.rule not in OPEN else ():
            path = rule.rule.replace("<service_id>", "npc-trials-patient-view")
            asked.append((method, path, client.open(path, method=method).status_code))
    assert len(asked) >= 4
    assert {status for _method, _path, status in asked} == {401}, asked


def refusals(client):
    """Answers to calls refused for one reason each."""
    now = time.time()
    used = bearer()
    assert client.post(PATH, json=hook(), headers=used).status_code == 200
    payload = good_claims(now, jti="x")
    none = f"{b64(json.dumps({'alg': 'none', 'typ': 'JWT', 'kid': 'ec'}))}.{b64(json.dumps(payload))}.AA"
    header = {"alg": "ES384", "typ": "JWT", "kid": "ec"}
    ways = {
        "no token": {},
        "another scheme": {"Authorization": "Basic dTpw"},
        "nonsense": {"Authorization": "Bearer Zhang"},
        "alg none": {"Authorization": f"Bearer {none}"},
        "unknown issuer": bearer(iss="https://zhang.example"),
        "unknown tenant": bearer(tenant="zhang"),
        "unknown key": bearer(header={"kid": "zhang"}),
        "wrong key": {"Authorization": f"Bearer {by_hand(header, payload, 'ec-stranger')}"},
        "jku": bearer(header={"jku": "https://zhang.example/jwks.json"}),
        "expired": bearer(iat=int(now) - 400, exp=int(now) - 100),
        "too long": bearer(exp=int(now) + 4_000),
        "address": bearer("/cds-services"),
        "replayed": used,
    }
    return {name: client.post(PATH, json=hook(), headers=given) for name, given in ways.items()}


def without_correlation(answer):
    """The answer as text; its correlation id, another for each call, leads to the log."""
    correlation = answer.get_json()["id"]
    return f"{sorted(answer.headers.items())} {answer.text}".replace(correlation, "-")


def test_refusals_are_alike_whatever_the_reason(chosen):
    answers = refusals(make(chosen))
    assert {answer.status_code for answer in answers.values()} == {401}
    assert len({without_correlation(answer) for answer in answers.values()}) == 1
    (one, *_) = answers.values()
    assert one.headers["WWW-Authenticate"] == "Bearer"
    assert one.headers["Cache-Control"] == "no-store"
    issue = OperationOutcome.model_validate(one.get_json()).issue[0]
    assert (issue.code, issue.diagnostics) == ("login", "The caller could not be verified.")


def test_the_log_says_why_and_holds_nothing_of_the_token(chosen, caplog):
    with caplog.at_level(logging.DEBUG):
        answers = refusals(make(chosen))
    reasons = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
    assert len(reasons) == len(answers)
    assert len(set(reasons)) == len(answers) - 2  # nonsense is told like another scheme, a tenant like an issuer
    for planted in ("Bearer", "zhang", "Zhang", "eyJ", ISSUER, "t-"):
        assert planted not in caplog.text.replace("bearer token", "")


def test_a_refused_call_is_not_read(chosen):
    """The body is nobody's business before the caller is known: a broken one makes no difference."""
    client = make(chosen)
    for body in (b"{", b"x" * 3_000_000, json.dumps(hook(context={"patientId": "Zhang"})).encode()):
        assert client.post(PATH, data=body, content_type="application/json").status_code == 401


@pytest.mark.parametrize("name", ["Host", "X-Forwarded-Host", "Forwarded", "X-Original-URL", "X-Forwarded-Prefix"])
def test_the_address_is_ours_and_not_the_callers(chosen, name):
    client = make(chosen)
    evil = {"Host": "evil.example", "Forwarded": "host=evil.example;proto=https"}.get(name, "evil.example")
    token = bearer(aud="https://evil.example" + PATH)
    assert client.post(PATH, json=hook(), headers={**token, name: evil}).status_code == 401
    assert client.post(PATH, json=hook(), headers={**bearer(), name: evil}).status_code == 200


def test_a_used_token_stays_used_after_a_restart(chosen):
    token = bearer()
    assert make(chosen).post(PATH, json=hook(), headers=token).status_code == 200
    assert make(chosen).post(PATH, json=hook(), headers=token).status_code == 401


def test_asking_twice_within_a_call_uses_the_token_once(chosen):
    from cds_service.web.auth import caller_of

    built, _seen = services(**chosen)
    with create_app(built).test_request_context(PATH, method="POST", headers=bearer()):
        assert caller_of(built) is caller_of(built)


# --- what else is down ------------------------------------------------------------------------------------------


def unavailable(answer):
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.get_json()["resourceType"] == "OperationOutcome"
    assert "example" not in answer.text


def test_without_the_ehrs_keys_503_and_with_them_200(fetched):
    client = make(fetched)
    with responses.RequestsMock() as web:
        web.get(JWKS_URL, status=500)
        unavailable(client.post(PATH, json=hook(), headers=bearer()))
    client = make(fetched)  # it would not ask again for some seconds
    with responses.RequestsMock() as web:
        web.get(JWKS_URL, json=jwk_set("ec"))
        assert client.post(PATH, json=hook(), headers=bearer(header={"jku": JWKS_URL})).status_code == 200
        assert client.post(PATH, json=hook(), headers=bearer()).status_code == 200  # cached
        assert len(web.calls) == 1


def test_tenants_of_one_ehr_share_its_keys(fetched):
    (only,) = fetched["clients"]
    client = make(fetched, clients=[only, {**only, "tenant": "north"}])
    with responses.RequestsMock() as web:
        web.get(JWKS_URL, json=jwk_set("ec"))
        for claims in ({}, {"tenant": "north"}):
            assert client.post(PATH, json=hook(), headers=bearer(**claims)).status_code == 200
        assert len(web.calls) == 1


def test_without_the_store_503(chosen, monkeypatch):
    client = make(chosen)

    def down(*_arguments):
        from cds_service.errors import UnavailableError

        raise UnavailableError("The store is down for now.")

    monkeypatch.setattr(Store, "use_token", down)
    unavailable(client.post(PATH, json=hook(), headers=bearer()))
    assert client.post(PATH, json=hook(), headers=bearer(exp=5)).status_code == 401


# --- what stays open --------------------------------------------------------------------------------------------


def test_preflight_is_never_asked_for_a_token(chosen):
    client = make(chosen, cors_origins=("https://app.example",))
    asked = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    for path in (PATH, "/cds-services", f"{PATH}/feedback"):
        answer = client.options(path, headers=asked)
        assert answer.status_code == 200
        assert answer.headers["Access-Control-Allow-Headers"] == "authorization, content-type"
        assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
    # A refusal can be read by the page too, or nobody would see that it is one; loopback is no exception here.
    refused = client.post(PATH, json=hook(), headers={"Origin": "https://app.example"})
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, "https://app.example")
    assert (
        "Access-Control-Allow-Origin"
        not in client.options(PATH, headers={**asked, "Origin": "http://localhost"}).headers
    )


def test_what_is_open_tells_nothing(chosen):
    client = make(chosen)
    page = client.get("/")
    assert page.status_code == 200
    for told in ("NCT", "0.1", "cds-services", "npc", "api"):
        assert told not in page.text
    assert client.get("/livez").get_json() == {"status": "ok"}
    assert client.get("/.well-known/jwks.json").status_code == 404


def test_the_api_is_off_unless_chosen_and_then_asks(chosen):
    closed = make(chosen)
    for headers in ({}, bearer("/api/evaluate")):
        answer = closed.post("/api/evaluate", json=bundle(PATIENT), headers=headers)
        assert answer.status_code == 404
        assert "setting api" in OperationOutcome.model_validate(answer.get_json()).issue[0].diagnostics
    opened = make(chosen, api=True)
    assert opened.post("/api/evaluate", json=bundle(PATIENT)).status_code == 401
    assert opened.post("/api/evaluate", json=bundle(PATIENT), headers=bearer()).status_code == 401
    token = bearer("/api/evaluate")
    assert opened.post("/api/evaluate?as_of=2026-03-01", json=bundle(PATIENT), headers=token).status_code == 200


# --- where a caller may send us ---------------------------------------------------------------------------------


def asked(client, server, **claims):
    """Call without prefetch; the hosts asked for the chart."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as web:
        for key in ("Patient/p1", *KEYS):
            web.get(f"{server}/{key}", json=PATIENT if "/" in key else searchset())
        body = hook(prefetch=..., fhirServer=server)
        client.post(PATH, json=body, headers=bearer(**claims))
        return {call.request.url.split("/")[2] for call in web.calls}


def test_a_caller_may_name_its_own_servers_only(chosen):
    client = make(chosen)
    assert asked(client, SERVER) == {"127.0.0.1:9998"}
    assert asked(client, f"{SERVER}/tenant-a") == {"127.0.0.1:9998"}
    assert asked(client, SERVER, tenant="north") == set()  # the same EHR, another hospital
    for other in ("http://127.0.0.1:9999/fhir", f"{SERVER}x", "http://127.0.0.1:9998", "http://127.0.0.1:9998/other"):
        assert asked(client, other) == set()


def test_a_server_that_may_not_be_named_leaves_prefetch(chosen):
    client = make(chosen)
    body = hook(prefetch=full_prefetch(observations=FAILED), fhirServer="http://127.0.0.1:9999/fhir")
    assert client.post(PATH, json=body, headers=bearer()).status_code == 200


# --- what stops the start ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"public_base_url": None}, "public_base_url"),
        ({"public_base_url": ""}, "public_base_url"),
        ({"public_base_url": "cds.example"}, "public_base_url"),
        ({"public_base_url": BASE + "/"}, "public_base_url"),
        ({"public_base_url": "http://cds.example"}, "public_base_url"),
        ({"public_base_url": "https://u:secret@cds.example"}, "public_base_url"),
        ({"public_base_url": BASE + "?secret"}, "public_base_url"),
        ({"clients": ()}, "clients"),
        ({"store": "sqlite://"}, "store"),
        ({"store": "sqlite:///:memory:"}, "store"),
        ({"store": "secret"}, "store"),
        ({"keys": "/secret/nowhere"}, "keys"),
    ],
)
def test_a_wrong_setting_stops_the_start(chosen, change, named):
    with pytest.raises(ConfigError, match=f"Setting {named}") as error:
        make(chosen, **change)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"jwks_url": "http://secret.example/jwks.json", "jwks_file": None}, "jwks_url"),
        ({"jwks_url": "https://10.1.2.3/jwks.json", "jwks_file": None}, "jwks_url"),
        ({"jwks_url": "https://2130706433/jwks.json", "jwks_file": None}, "jwks_url"),
        ({"jwks_url": "https://[2001:db8::1]/jwks.json", "jwks_file": None}, "jwks_url"),
        ({"jwks_url": "file:///etc/secret", "jwks_file": None}, "jwks_url"),
        ({"jwks_url": "secret", "jwks_file": None}, "jwks_url"),
        ({"jwks_file": "/secret/nowhere.json"}, "jwks_file"),
        ({"jwks_file": None}, "clients.0"),
        ({"jwks_url": JWKS_URL}, "clients.0"),
        ({"fhir_servers": ["http://secret.example/fhir"]}, "fhir_servers.0"),
        ({"fhir_servers": [SERVER, "https://0x7f.1/fhir"]}, "fhir_servers.1"),
        ({"fhir_servers": ["https://169.254.169.254/fhir"]}, "fhir_servers.0"),
        ({"fhir_servers": ["https://u:secret@ehr.example/fhir"]}, "fhir_servers.0"),
        ({"fhir_servers": ["https://ehr.example/fhir/../secret"]}, "fhir_servers.0"),
        ({"fhir_servers": ["https://ehr.example/fhir?secret"]}, "fhir_servers.0"),
        ({"issuer": ""}, "issuer"),
        ({"tenant": ""}, "tenant"),
        ({"tenant": "north"}, "clients.1"),  # a second of the same name
        ({"profile": "secret"}, "profile"),
        ({"more": "secret"}, "more"),
    ],
)
def test_a_wrong_client_stops_the_start(chosen, change, named):
    first, second = chosen["clients"]
    with pytest.raises(ConfigError, match=named) as error:
        make(chosen, clients=[{**first, **change}, second])
    assert re.search(r"^(Setting )?clients\b", str(error.value))
    assert "secret" not in str(error.value)


def test_open_mode_needs_none_of_it_and_loopback_needs_no_tls(chosen):
    assert make({"mode": "open"}).get("/cds-services").status_code == 200
    loopback = {"public_base_url": "http://127.0.0.1:8000", "store": chosen["store"]}
    client = {"issuer": ISSUER, "jwks_url": "http://127.0.0.1:9997/jwks.json", "fhir_servers": ["http://[::1]:1/fhir"]}
    made = make(chosen, **loopback, clients=[client])
    with responses.RequestsMock() as web:
        web.get("http://127.0.0.1:9997/jwks.json", json=jwk_set("ec"))
        token = bearer(aud="http://127.0.0.1:8000/cds-services")
        assert made.get("/cds-services", headers=token).status_code == 200


# --- the doors --------------------------------------------------------------------------------------------------


def test_serve_follows_the_mode(tmp_path):
    """Verified: no warning, no API, any address; callers without a token are refused."""
    (tmp_path / "jwks.json").write_text(json.dumps(jwk_set("ec")))
    (tmp_path / "service.toml").write_text(
        f"""
mode = "verified"
public_base_url = "http://127.0.0.1"
store = "sqlite:///{tmp_path}/store.db"
[[clients]]
issuer = "https://ehr.example"
jwks_file = "{tmp_path}/jwks.json"
"""
    )
    serve = ["-c", "from cds_service.cli import main; main()", "serve", "--host", "0.0.0.0", "--port", "0"]
    environment = {**WITHOUT_SETTINGS, "CDS_CONFIG": str(tmp_path / "service.toml")}
    process = subprocess.Popen(
        [sys.executable, *serve],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    try:
        port = process.stdout.readline().rstrip("/\n").rpartition(":")[2]
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/cds-services", timeout=10)
        refusal.value.close()
        process.send_signal(signal.SIGTERM)
        rest, log = process.communicate(timeout=10)
    finally:
        process.kill()
        process.communicate()
    assert refusal.value.code == 401
    assert "open mode" not in log
    assert "caller refused: no token" in log
    assert "/api/evaluate" not in rest


def test_the_wsgi_door_says_what_verified_mode_lacks():
    environment = {**WITHOUT_SETTINGS, "CDS_MODE": "verified"}
    command = [sys.executable, "-c", "import cds_service.wsgi"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode != 0
    assert "ConfigError: Setting public_base_url" in done.stderr.splitlines()[-1]

"""Key sets of EHRs: which keys are taken, when they are fetched again, and what happens when they cannot be."""

import json
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import responses
from token_makers import JWKS_URL, jwk_set, key, public

from cds_service.errors import ConfigError, UnavailableError
from cds_service.gather.transport import Answer, Transport, make_session
from cds_service.trust.key_sets import MAX_BYTES, FetchedKeys, KeysOfFile, fetch_once, fresh_seconds
from cds_service.trust.public_keys import MAX_KEYS, read_key_set

EC, RSA = ("ec", "ES384"), ("rsa", "RS384")


# --- which keys are taken ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("ec", {"kid": ...}),
        ("ec", {"kid": ""}),
        ("ec", {"kid": 5}),
        ("ec", {"kid": "k" * 257}),
        ("ec", {"kty": ...}),
        ("ec", {"kty": "RSA"}),
        ("ec", {"kty": "oct", "k": "c2VjcmV0"}),
        ("ec", {"kty": ["EC"]}),
        ("ec", {"crv": "P-256"}),
        ("ec", {"crv": "P-521"}),
        ("ec", {"crv": ...}),
        ("ec", {"crv": ["P-384"]}),
        ("ec", {"x": ...}),
        ("ec", {"x": "AA"}),
        ("ec", {"x": 5}),
        ("ec", {"x": public("ec-2")["x"]}),  # no point of the curve
        ("ec", {"use": "enc"}),
        ("ec", {"use": None}),
        ("ec", {"key_ops": ["sign"]}),
        ("ec", {"key_ops": []}),
        ("ec", {"key_ops": "verify"}),
        ("ec", {"alg": "ES256"}),
        ("ec", {"alg": "RS384"}),
        ("ec", {"alg": None}),
        ("ec", {"d": "AA"}),  # its private part is out
        ("p256", {}),
        ("p521", {}),
        ("k256", {}),
        ("rsa-1024", {}),
        ("rsa-2040", {}),
        ("rsa", {"n": "AQAB" * 3000}),
        ("rsa", {"e": "A" * 20 + "B"}),
        ("rsa", {"e": "Ag"}),  # even
        ("rsa", {"e": "AQ"}),  # 1: every signature would be its own message
        ("rsa", {"e": "AQAB" * 3}),
        ("rsa", {"n": ...}),
        ("rsa", {"alg": "RS256"}),
        ("rsa", {"alg": "HS384"}),
        ("rsa", {"crv": "P-384"}),
    ],
)  # fmt: skip
def test_an_unfit_key_is_left_out_and_the_others_stay(name, changes):
    good = "rsa" if name == "ec" else "ec"
    keys = read_key_set({"keys": [public(name, **changes), None, "x", {}, public(good)]})
    assert list(keys) == [RSA if good == "rsa" else EC]


def test_optional_members_may_be_missing_or_more():
    keys = read_key_set({"keys": [public("ec", use=..., alg=..., x5t="a"), public("rsa", alg=..., key_ops=["verify"])]})
    assert set(keys) == {EC, RSA}
    assert keys[EC].public_numbers() == key("ec").public_key.public_numbers()


def test_two_keys_of_one_name_are_nobodys():
    twice = [public("ec"), public("ec-2", kid="ec"), public("rsa", kid="ec")]
    assert set(read_key_set({"keys": twice})) == {("ec", "RS384")}


@pytest.mark.parametrize("body", [None, [], "x", {}, {"keys": None}, {"keys": {}}, {"keys": "x"}])
def test_what_is_no_key_set(body):
    with pytest.raises(ValueError, match="JWK Set"):
        read_key_set(body)


def test_a_set_has_at_most_fifty_keys():
    assert len(read_key_set({"keys": [public("ec", kid=str(number)) for number in range(MAX_KEYS)]})) == MAX_KEYS
    with pytest.raises(ValueError, match="50"):
        read_key_set({"keys": [public("ec")] * (MAX_KEYS + 1)})


# --- fetching and keeping ---------------------------------------------------------------------------------------


class Web:
    """A JWK Set on the web and a clock, both moved by the test."""

    def __init__(self, *names, cache="max-age=60"):
        self.now, self.calls = 1_000.0, 0
        self.answer = Answer(jwk_set(*names), cache_control=cache)
        self.keys = FetchedKeys(self._fetch, lambda: self.now)

    def _fetch(self):
        self.calls += 1
        return self.answer

    def has(self, *names):
        self.answer = Answer(jwk_set(*names), cache_control=self.answer.cache_control)

    def goes_down(self):
        self.answer = Answer(None, "HTTP 500")

    def finds(self, name):
        return self.keys.find(*name) is not None


def test_nothing_is_fetched_before_the_first_token_and_once_while_fresh():
    web = Web("ec")
    assert web.calls == 0
    for _ in range(3):
        assert web.finds(EC)
        web.now += 19
    assert web.calls == 1
    web.now += 10
    assert web.finds(EC)
    assert web.calls == 2


def test_a_rotated_key_is_found_by_one_fetch_more():
    web = Web("ec", cache="max-age=3600")
    assert web.finds(EC)
    web.has("ec", "rsa")
    web.now += 30
    assert web.finds(RSA)
    assert web.finds(EC)
    assert web.finds(RSA)
    assert web.calls == 2


def test_a_key_taken_back_is_gone_when_the_set_is_fetched_again():
    web = Web("ec", "rsa")
    assert web.finds(EC)
    web.has("rsa")
    web.now += 61
    assert not web.finds(EC)
    web.has()  # none at all is an answer too, not an outage
    web.now += 61
    assert not web.finds(RSA)


def test_unknown_kids_make_one_fetch_in_thirty_seconds():
    web = Web("ec", cache="max-age=3600")
    for number in range(1_000):
        assert not web.finds((f"kid-{number}", "ES384"))
        web.now += 0.1
    assert web.calls == 4  # in 100 s: at 0, 30, 60 and 90 s


def test_last_good_keys_serve_a_day_through_an_outage():
    web = Web("ec")
    assert web.finds(EC)
    web.goes_down()
    for _ in range(24):
        web.now += 3_590
        assert web.finds(EC)
        assert not web.finds(RSA)
    assert web.calls == 25
    web.now += 300
    with pytest.raises(UnavailableError):
        web.finds(EC)
    web.has("ec")
    web.now += 30
    assert web.finds(EC)


def test_without_any_key_the_service_is_unavailable_until_they_come():
    web = Web("ec")
    web.goes_down()
    for _ in range(10):
        with pytest.raises(UnavailableError) as error:
            web.finds(EC)
        assert "ehr" not in str(error.value)
    assert web.calls == 1
    web.has("ec")
    web.now += 5
    assert web.finds(EC)


@pytest.mark.parametrize("body", [{}, {"keys": 5}, {"keys": [{}] * 51}])
def test_an_answer_that_is_no_key_set_is_an_outage(body, caplog):
    web = Web("ec")
    assert web.finds(EC)
    web.answer = Answer(body)
    web.now += 61
    assert web.finds(EC)
    assert "key set could not be fetched" in caplog.text


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 300),
        ("max-age=60", 60),
        ("public, max-age=60, must-revalidate", 60),
        ('Max-Age="90"', 90),
        ("max-age = 7", 7),
        ("max-age=0", 0),
        ("max-age=3600", 3600),
        ("max-age=3601", 3600),
        ("max-age=999999999", 3600),
        ("max-age=99999999999999", 300),
        ("max-age=-5", 300),
        ("max-age=soon", 300),
        ("s-maxage=9", 300),
        ("no-cache", 0),
        ("max-age=60, no-store", 0),
        ('no-cache="x", max-age=60', 0),
        ("private", 300),
    ],
)
def test_how_long_an_answer_is_fresh(header, seconds):
    assert fresh_seconds(header) == seconds


def test_what_may_not_be_kept_is_still_asked_for_only_every_thirty_seconds():
    web = Web("ec", cache="no-store")
    for _ in range(60):
        assert web.finds(EC)
        web.now += 1
    assert web.calls == 2


def test_threads_share_one_fetch_and_do_not_wait_for_a_key_at_hand():
    web = Web("ec")
    gate = threading.Event()
    answer = web.answer
    started = threading.Event()

    def slow():
        web.calls += 1
        started.set()
        assert gate.wait(5)
        return answer

    web.keys = FetchedKeys(slow, lambda: web.now)
    with ThreadPoolExecutor(8) as pool:
        first = [pool.submit(web.finds, EC) for _ in range(8)]
        assert started.wait(5)
        gate.set()
        assert all(one.result(5) for one in first)
        assert web.calls == 1
        gate.clear()
        started.clear()
        web.now += 61
        renewing = pool.submit(web.finds, EC)
        assert started.wait(5)
        assert web.finds(EC)  # not stuck behind the thread that fetches
        gate.set()
        assert renewing.result(5)
    assert web.calls == 2


# --- over the wire ----------------------------------------------------------------------------------------------


def fetch(url=JWKS_URL, seconds=2.0):
    session = make_session()
    return fetch_once(lambda deadline, size: Transport(session, deadline, size, lambda _s: None), url, seconds)


def test_asks_for_json_without_any_token():
    with responses.RequestsMock() as web:
        web.get(JWKS_URL, json=jwk_set("ec"), headers={"Cache-Control": "max-age=9"})
        answer = fetch()
        (call,) = web.calls
    assert (answer.body, answer.cache_control) == (jwk_set("ec"), "max-age=9")
    assert call.request.headers["Accept"] == "application/json"
    assert "Authorization" not in call.request.headers


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status):
    with responses.RequestsMock(assert_all_requests_are_fired=False) as web:
        web.get(JWKS_URL, status=status, headers={"Location": "https://ehr.example/other.json"})
        web.get("https://ehr.example/other.json", json=jwk_set("ec"))
        assert fetch().body is None
        assert len(web.calls) == 1


@pytest.mark.parametrize(
    "body", [b"[]", b"<html>", b'{"keys":[],"keys":[]}', b'{"keys":NaN}', b"x" * (MAX_BYTES + 1), b""]
)
def test_other_bodies_are_none(body):
    with responses.RequestsMock() as web:
        web.get(JWKS_URL, body=body)
        assert fetch().body is None


def test_a_host_without_an_address_is_none():
    assert fetch("https://ehr.invalid/jwks.json").body is None


def test_headers_that_drip_hold_nobody():
    enough = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as door:

        def drip():
            peer, _ = door.accept()
            with peer:
                try:
                    while not enough.wait(0.05):
                        peer.sendall(b"H")
                except OSError:
                    pass

        thread = threading.Thread(target=drip)
        thread.start()
        began = time.monotonic()
        try:
            assert fetch(f"http://127.0.0.1:{door.getsockname()[1]}/", seconds=0.3).body is None
            assert time.monotonic() - began < 2
        finally:
            enough.set()
        thread.join()


# --- a file -----------------------------------------------------------------------------------------------------


def write(path, *names):
    path.write_text(json.dumps(jwk_set(*names)))
    os.utime(path, ns=(time.time_ns(), time.time_ns()))


def test_a_file_is_read_again_when_it_changes(tmp_path, caplog):
    path = tmp_path / "jwks.json"
    write(path, "ec")
    keys = KeysOfFile(path)
    assert keys.find(*EC)
    assert keys.find(*RSA) is None
    write(path, "rsa", "ec-2")
    assert keys.find(*RSA)
    assert keys.find(*EC) is None
    path.write_text("{")
    with pytest.raises(UnavailableError):
        keys.find(*RSA)
    path.unlink()
    with pytest.raises(UnavailableError):
        keys.find(*RSA)
    assert str(tmp_path) not in caplog.text
    write(path, "rsa")
    assert keys.find(*RSA)


@pytest.mark.parametrize("text", [None, "", "[]", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "AA", "kid": "a"}]}'])
def test_a_file_that_is_of_no_use_stops_the_start(tmp_path, text):
    path = tmp_path / "jwks.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match="jwks_file"):
        KeysOfFile(path)

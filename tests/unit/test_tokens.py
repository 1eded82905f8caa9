"""Hostile tokens, each named and each refused for its own reason; and the few that are good."""

import hashlib
import hmac
import json
import logging
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from token_makers import (
    BASE,
    ISSUER,
    JWKS_URL,
    PATH,
    b64,
    by_hand,
    by_joserfc,
    changed,
    good_claims,
    jwk_set,
    key,
    public,
    signature,
)

from cds_service.errors import AuthError, UnavailableError
from cds_service.gather.origin import Origin
from cds_service.trust.bearer import MAX_BYTES, read_bearer
from cds_service.trust.caller import Caller
from cds_service.trust.public_keys import read_key_set
from cds_service.trust.tokens import TrustedClient, Verified

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
T = int(NOW.timestamp())
HEADER = {"alg": "ES384", "typ": "JWT", "kid": "ec", "jku": JWKS_URL}
OTHER_ISSUER = "https://other.example/fhir"
FILE_ISSUER = "https://file.example/fhir"


class Keys:
    """A key set that counts how often it is asked."""

    def __init__(self, *jwks):
        self._keys = read_key_set({"keys": list(jwks)})
        self.asked = 0

    def find(self, kid, algorithm):
        self.asked += 1
        return self._keys.get((kid, algorithm))


class Memory:
    """The store, for one test."""

    def __init__(self):
        self.used = {}

    def use_token(self, issuer, jti, until, now):
        assert now == NOW
        new = (issuer, jti) not in self.used
        self.used.setdefault((issuer, jti), until)
        return new


def verified(used=None, **changes):
    keys = Keys(public("ec"), public("rsa"), public("rsa-1024"), public("p256"), public("p521"))
    server = Origin.of("https://ehr.example/fhir")
    clients = {
        (ISSUER, None): TrustedClient(JWKS_URL, keys, Caller(ISSUER, "", (server,), "epic")),
        (ISSUER, "north"): TrustedClient(JWKS_URL, keys, Caller(ISSUER, "north")),
        (OTHER_ISSUER, None): TrustedClient(
            "https://other.example/jwks.json", Keys(public("ec-other")), Caller(OTHER_ISSUER)
        ),
        (FILE_ISSUER, None): TrustedClient(None, keys, Caller(FILE_ISSUER)),
    }
    given = {"clients": clients, "base": BASE, "used": used or Memory(), "max_seconds": 300, "now": lambda: NOW}
    return Verified(**{**given, **changes})


def token(claims=None, header=None, signer="ec"):
    """A bearer value, good but for the changes."""
    return "Bearer " + by_hand(changed(HEADER, header), good_claims(T, **(claims or {})), signer)


def raw(header=None, payload=None):
    """A bearer value, rightly signed, of a header or payload given as text."""
    return "Bearer " + by_hand(header or HEADER, payload or good_claims(T), "ec")


def with_signature(data, header=None):
    text = f"{b64(json.dumps(changed(HEADER, header)))}.{b64(json.dumps(good_claims(T)))}"
    return f"Bearer {text}.{b64(data(text) if callable(data) else data)}"


def hmac_with(secret, digest=hashlib.sha384, alg="HS384", **header):
    return with_signature(lambda text: hmac.new(secret, text.encode(), digest).digest(), {"alg": alg, **header})


def pem(name):
    return key(name).public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def der_signature(text):
    data = signature("ec", text)
    return encode_dss_signature(int.from_bytes(data[:48], "big"), int.from_bytes(data[48:], "big"))


def payload_text(**changes):
    return json.dumps(good_claims(T, **changes))


GOOD = token()
HEAD, BODY, TAIL = GOOD.removeprefix("Bearer ").split(".")
ALG, EXTENSION, TYP = "alg is none of ours", "the header asks for an extension", "typ is not JWT"
SIGNATURE, KEY, SHAPE = "wrong signature", "unknown key", "not one bearer token of three parts"
ADDRESS, CLIENT, JKU = "aud is not the address called", "issuer and tenant are not", "jku is not the configured address"
AUDIENCE_TYPE = "aud is missing or no text"
LONG_LIFE = "max_token_seconds"

HOSTILE = {
    # --- the algorithm ---
    "alg-none": (with_signature(b"x", {"alg": "none"}), ALG),
    "alg-none-without-signature": (f"Bearer {b64(json.dumps({**HEADER, 'alg': 'none'}))}.{BODY}.", SHAPE),
    "alg-none-upper-case": (with_signature(b"x", {"alg": "NONE"}), ALG),
    "alg-missing": (token(header={"alg": ...}), ALG),
    "alg-null": (token(header={"alg": None}), ALG),
    "alg-list": (token(header={"alg": ["ES384"]}), ALG),
    "alg-lower-case": (token(header={"alg": "es384"}), ALG),
    "alg-with-blank": (token(header={"alg": "ES384 "}), ALG),
    "hmac-with-the-public-key-as-pem": (hmac_with(pem("ec")), ALG),
    "hmac-with-the-public-rsa-key-as-pem": (hmac_with(pem("rsa"), hashlib.sha256, "HS256", kid="rsa"), ALG),
    "hmac-with-the-public-jwk": (hmac_with(json.dumps(public("ec")).encode()), ALG),
    "hmac-with-an-empty-secret": (hmac_with(b"", hashlib.sha512, "HS512"), ALG),
    "hmac-called-es384": (hmac_with(pem("ec"), alg="ES384"), SIGNATURE),
    "es256": (token(header={"alg": "ES256", "kid": "p256"}, signer="p256"), ALG),
    "es512": (token(header={"alg": "ES512", "kid": "p521"}, signer="p521"), ALG),
    "rs256": (token(header={"alg": "RS256", "kid": "rsa"}, signer="rsa"), ALG),
    "ps384": (token(header={"alg": "PS384", "kid": "rsa"}, signer="rsa"), ALG),
    "eddsa": (token(header={"alg": "EdDSA"}), ALG),
    # --- the key ---
    "rsa-algorithm-for-an-ec-key": (token(header={"alg": "RS384"}, signer="rsa"), KEY),
    "ec-algorithm-for-an-rsa-key": (token(header={"kid": "rsa"}), KEY),
    "another-curve": (token(header={"kid": "p256"}, signer="p256"), KEY),
    "weak-rsa": (token(header={"alg": "RS384", "kid": "rsa-1024"}, signer="rsa-1024"), KEY),
    "kid-missing": (token(header={"kid": ...}), "kid is missing"),
    "kid-null": (token(header={"kid": None}), "kid is missing"),
    "kid-number": (token(header={"kid": 1}), "kid is missing"),
    "kid-empty": (token(header={"kid": ""}), "kid is missing"),
    "kid-long": (token(header={"kid": "e" * 257}), "too long"),
    "kid-unknown": (token(header={"kid": "ec2"}), KEY),
    "kid-other-case": (token(header={"kid": "EC"}), KEY),
    "kid-path": (token(header={"kid": "../../../../dev/null"}), KEY),
    "kid-sql": (token(header={"kid": "x' UNION SELECT 'secret'--"}), KEY),
    "kid-command": (token(header={"kid": "ec|id"}), KEY),
    "kid-with-nul": (token(header={"kid": "ec\0"}), KEY),
    "signed-by-a-stranger": (token(signer="ec-stranger"), SIGNATURE),
    "signed-by-another-ehr": (token(header={"kid": "ec-other"}, signer="ec-other"), KEY),
    "another-ehrs-name-on-it": (token({"iss": OTHER_ISSUER}, {"jku": "https://other.example/jwks.json"}), KEY),
    "embedded-jwk": (token(header={"jwk": public("ec-stranger")}, signer="ec-stranger"), SIGNATURE),
    "embedded-jwk-of-unknown-kid": (
        token(header={"kid": "ec-stranger", "jwk": public("ec-stranger")}, signer="ec-stranger"),
        KEY,
    ),
    "x5u": (token(header={"x5u": "https://evil.example/cert.pem"}, signer="ec-stranger"), SIGNATURE),
    "x5c": (token(header={"x5c": ["MIIB"]}, signer="ec-stranger"), SIGNATURE),
    # --- jku ---
    "jku-foreign": (token(header={"jku": "https://evil.example/jwks.json"}), JKU),
    "jku-same-prefix": (token(header={"jku": JWKS_URL + ".evil.example/jwks.json"}), JKU),
    "jku-host-suffix": (token(header={"jku": "https://ehr.example.evil/jwks.json"}), JKU),
    "jku-userinfo": (token(header={"jku": "https://ehr.example@evil.example/jwks.json"}), JKU),
    "jku-query": (token(header={"jku": JWKS_URL + "?x=1"}), JKU),
    "jku-fragment": (token(header={"jku": JWKS_URL + "#x"}), JKU),
    "jku-dot-segments": (token(header={"jku": "https://ehr.example/a/../jwks.json"}), JKU),
    "jku-upper-case": (token(header={"jku": "https://EHR.example/jwks.json"}), JKU),
    "jku-http": (token(header={"jku": "http://ehr.example/jwks.json"}), JKU),
    "jku-port": (token(header={"jku": "https://ehr.example:443/jwks.json"}), JKU),
    "jku-of-another-ehr": (token(header={"jku": "https://other.example/jwks.json"}), JKU),
    "jku-empty": (token(header={"jku": ""}), JKU),
    "jku-null": (token(header={"jku": None}), JKU),
    "jku-list": (token(header={"jku": [JWKS_URL]}), JKU),
    "jku-where-keys-are-in-a-file": (token({"iss": FILE_ISSUER}), JKU),
    "jku-null-where-keys-are-in-a-file": (token({"iss": FILE_ISSUER}, {"jku": None}), JKU),
    # --- the rest of the header ---
    "typ-missing": (token(header={"typ": ...}), TYP),
    "typ-other": (token(header={"typ": "at+jwt"}), TYP),
    "typ-list": (token(header={"typ": ["JWT"]}), TYP),
    "crit-unknown": (token(header={"crit": ["evil"], "evil": True}), EXTENSION),
    "crit-empty": (token(header={"crit": []}), EXTENSION),
    "crit-known-name": (token(header={"crit": ["exp"], "exp": T + 300}), EXTENSION),
    "b64-false": (token(header={"b64": False, "crit": ["b64"]}), EXTENSION),
    "b64-false-not-critical": (token(header={"b64": False}), EXTENSION),
    "header-key-twice": (raw(header='{"alg":"none",' + json.dumps(HEADER)[1:]), "header is not strict JSON"),
    "header-list": (raw(header="[]"), "header is not an object"),
    "header-text": (raw(header='"ES384"'), "header is not an object"),
    "header-no-json": (raw(header="{"), "header is not strict JSON"),
    "header-nested": (raw(header="[" * 3000), "header is not strict JSON"),
    "header-latin-1": (raw(header=b'{"alg":"ES384","kid":"\xe9"}'), "header is not strict JSON"),
    # --- the address ---
    "aud-missing": (token({"aud": ...}), AUDIENCE_TYPE),
    "aud-null": (token({"aud": None}), AUDIENCE_TYPE),
    "aud-number": (token({"aud": 1}), AUDIENCE_TYPE),
    "aud-object": (token({"aud": {BASE + PATH: True}}), AUDIENCE_TYPE),
    "aud-mixed-list": (token({"aud": [BASE + PATH, 1]}), AUDIENCE_TYPE),
    "aud-nested-list": (token({"aud": [[BASE + PATH]]}), AUDIENCE_TYPE),
    "aud-long-list": (token({"aud": [BASE + PATH] * 21}), AUDIENCE_TYPE),
    "aud-empty": (token({"aud": ""}), ADDRESS),
    "aud-empty-list": (token({"aud": []}), ADDRESS),
    "aud-base-only": (token({"aud": BASE}), ADDRESS),
    "aud-path-only": (token({"aud": PATH}), ADDRESS),
    "aud-discovery-for-a-service": (token({"aud": f"{BASE}/cds-services"}), ADDRESS),
    "aud-feedback-for-a-service": (token({"aud": f"{BASE}{PATH}/feedback"}), ADDRESS),
    "aud-another-service": (token({"aud": f"{BASE}/cds-services/npc-trials-order-sign"}), ADDRESS),
    "aud-suffix": (token({"aud": BASE + PATH + "x"}), ADDRESS),
    "aud-prefix": (token({"aud": "x" + BASE + PATH}), ADDRESS),
    "aud-cut": (token({"aud": (BASE + PATH)[:-1]}), ADDRESS),
    "aud-slash": (token({"aud": BASE + PATH + "/"}), ADDRESS),
    "aud-query": (token({"aud": BASE + PATH + "?x=1"}), ADDRESS),
    "aud-upper-case": (token({"aud": (BASE + PATH).upper()}), ADDRESS),
    "aud-host-upper-case": (token({"aud": (BASE + PATH).replace("cds.", "CDS.")}), ADDRESS),
    "aud-port": (token({"aud": (BASE + PATH).replace("example/", "example:443/")}), ADDRESS),
    "aud-http": (token({"aud": (BASE + PATH).replace("https", "http")}), ADDRESS),
    "aud-another-host": (token({"aud": "https://evil.example" + PATH}), ADDRESS),
    "aud-blank": (token({"aud": BASE + PATH + " "}), ADDRESS),
    "aud-two-in-one": (token({"aud": f"{BASE + PATH} https://other.example"}), ADDRESS),
    "aud-wildcard": (token({"aud": "*"}), ADDRESS),
    # --- the issuer ---
    "iss-missing": (token({"iss": ...}), "iss is missing"),
    "iss-null": (token({"iss": None}), "iss is missing"),
    "iss-list": (token({"iss": [ISSUER]}), "iss is missing"),
    "iss-empty": (token({"iss": ""}), "iss is missing"),
    "iss-long": (token({"iss": ISSUER + "a" * 300}), "too long"),
    "iss-unknown": (token({"iss": "https://evil.example"}), CLIENT),
    "iss-slash": (token({"iss": ISSUER + "/"}), CLIENT),
    "iss-upper-case": (token({"iss": ISSUER.replace("ehr", "EHR")}), CLIENT),
    "iss-prefix": (token({"iss": ISSUER + ".evil.example"}), CLIENT),
    "iss-homoglyph": (token({"iss": ISSUER.replace("e", "\u0435", 1)}), CLIENT),
    "tenant-unknown": (token({"tenant": "south"}), CLIENT),
    "tenant-other-case": (token({"tenant": "North"}), CLIENT),
    "tenant-null": (token({"tenant": None}), "tenant is missing"),
    "tenant-empty": (token({"tenant": ""}), "tenant is missing"),
    "tenant-list": (token({"tenant": ["north"]}), "tenant is missing"),
    # --- the time ---
    "exp-missing": (token({"exp": ...}), "exp is missing or no date"),
    "exp-text": (token({"exp": str(T + 300)}), "exp is missing or no date"),
    "exp-boolean": (token({"exp": True}), "exp is missing or no date"),
    "exp-null": (token({"exp": None}), "exp is missing or no date"),
    "exp-negative": (token({"exp": -1}), "exp is missing or no date"),
    "exp-milliseconds": (token({"exp": (T + 300) * 1000}), "exp is missing or no date"),
    "exp-nan": (raw(payload=payload_text(exp=float("nan"))), "payload is not strict JSON"),
    "exp-infinity": (raw(payload=payload_text(exp=float("inf"))), "payload is not strict JSON"),
    "exp-1e400": (raw(payload=payload_text().replace(str(T + 300), "1e400")), "exp is missing or no date"),
    "exp-of-41-digits": (raw(payload=payload_text().replace(str(T + 300), "9" * 41)), "payload is not strict JSON"),
    "exp-just-past": (token({"iat": T - 200, "exp": T - 60}), "token expired 60 s ago, issued 200 s ago"),
    "exp-long-past": (
        token({"iat": T - 90_000, "exp": T - 89_900}),
        "token expired over a day ago, issued over a day ago",
    ),
    "exp-in-ten-years": (token({"exp": T + 315_360_000}), LONG_LIFE),
    "exp-a-second-too-late": (token({"exp": T + 301}), LONG_LIFE),
    "exp-before-iat": (token({"iat": T + 10, "exp": T + 5}), LONG_LIFE),
    "exp-equals-iat": (token({"iat": T, "exp": T}), LONG_LIFE),
    "iat-missing": (token({"iat": ...}), "iat is missing or no date"),
    "iat-text": (token({"iat": "now"}), "iat is missing or no date"),
    "iat-zero": (token({"iat": 0}), "iat is missing or no date"),
    "iat-in-the-future": (token({"iat": T + 61}), "iat is 61 s in the future"),
    "nbf-in-the-future": (token({"nbf": T + 61}), "token not valid for another 61 s"),
    "nbf-text": (token({"nbf": "0"}), "nbf is missing or no date"),
    # --- jti ---
    "jti-missing": (token({"jti": ...}), "jti is missing"),
    "jti-null": (token({"jti": None}), "jti is missing"),
    "jti-number": (token({"jti": 5}), "jti is missing"),
    "jti-list": (token({"jti": ["j-1"]}), "jti is missing"),
    "jti-object": (token({"jti": {}}), "jti is missing"),
    "jti-empty": (token({"jti": ""}), "jti is missing"),
    "jti-huge": (token({"jti": "j" * 257}), "too long"),
    # --- the payload ---
    "payload-key-twice": (raw(payload='{"iss":"https://evil.example",' + payload_text()[1:]), "payload is not strict"),
    "payload-exp-twice": (raw(payload=payload_text()[:-1] + f',"exp":{T + 9_999}}}'), "payload is not strict"),
    "payload-list": (raw(payload=f"[{payload_text()}]"), "payload is not an object"),
    "payload-text": (raw(payload="hello"), "payload is not strict"),
    "payload-null": (raw(payload="null"), "payload is not an object"),
    "payload-nested": (raw(payload='{"a":' * 900), "payload is not strict"),
    "payload-half-surrogate": (raw(payload=payload_text(jti="j").replace('"j"', '"\\ud800"')), "payload is not strict"),
    "payload-utf-16": (raw(payload=payload_text().encode("utf-16")), "payload is not strict"),
    # --- the signature ---
    "signature-missing": (f"Bearer {HEAD}.{BODY}", SHAPE),
    "signature-empty": (f"Bearer {HEAD}.{BODY}.", SHAPE),
    "signature-der": (with_signature(der_signature), SIGNATURE),
    "signature-zero": (with_signature(bytes(96)), SIGNATURE),
    "signature-short": (with_signature(lambda text: signature("ec", text)[:-1]), SIGNATURE),
    "signature-long": (with_signature(lambda text: signature("ec", text) + b"\0"), SIGNATURE),
    "signature-of-another-digest": (with_signature(lambda text: signature("ec", text, hashes.SHA256())), SIGNATURE),
    "signature-halves-swapped": (
        with_signature(lambda text: signature("ec", text)[48:] + signature("ec", text)[:48]),
        SIGNATURE,
    ),
    "signature-of-another-token": (f"Bearer {HEAD}.{b64(payload_text(jti='j-2'))}.{TAIL}", SIGNATURE),
    "header-changed-after-signing": (f"Bearer {b64(json.dumps({**HEADER, 'x': 1}))}.{BODY}.{TAIL}", SIGNATURE),
    "payload-changed-after-signing": (f"Bearer {HEAD}.{b64(payload_text(exp=T + 299))}.{TAIL}", SIGNATURE),
    # --- the spelling ---
    "four-parts": (f"{GOOD}.{TAIL}", SHAPE),
    "five-parts-as-encrypted": (f"{GOOD}.{TAIL}.{TAIL}", SHAPE),
    "leading-dot": (f"Bearer .{HEAD}.{BODY}.{TAIL}", SHAPE),
    "padding": (f"{GOOD}==", SHAPE),
    "plus-and-slash": (f"Bearer {HEAD}+/.{BODY}.{TAIL}", SHAPE),
    "cut-short": (GOOD[:-40], SIGNATURE),
    "cut-in-the-payload": (GOOD[: len(GOOD) // 2], SHAPE),
    "second-spelling-of-the-same-bytes": (
        f"Bearer {b64(b'{}')[:-1]}1.{BODY}.{TAIL}",
        "header is not the one spelling of its bytes",
    ),
    "one-letter-too-many": (f"Bearer {b64(b'{} ')}A.{BODY}.{TAIL}", "header is not base64url"),
    "newline-inside": (f"Bearer {HEAD}.\n{BODY}.{TAIL}", SHAPE),
    "newline-at-the-end": (f"{GOOD}\n", SHAPE),
    "blank-at-the-end": (f"{GOOD} ", SHAPE),
    "blank-before": (f" {GOOD}", SHAPE),
    "tab-for-blank": (GOOD.replace(" ", "\t"), SHAPE),
    "no-blank": (GOOD.replace(" ", ""), SHAPE),
    "nul": (f"{GOOD}\0", SHAPE),
    "unicode-digit": (GOOD[:-1] + "\u0661", SHAPE),
    "full-width-letter": ("\uff22" + GOOD[1:], SHAPE),
    "kelvin-sign-for-k": (GOOD[:-1] + "\u212a", SHAPE),
    "two-values": (f"{GOOD}, {GOOD}", SHAPE),
    "two-schemes": (f"Basic dTpw, {GOOD}", SHAPE),
    "token-and-more": (f"{GOOD} {TAIL}", SHAPE),
    "quoted": (f'Bearer "{HEAD}.{BODY}.{TAIL}"', SHAPE),
    "scheme-basic": (GOOD.replace("Bearer", "Basic"), SHAPE),
    "scheme-jwt": (GOOD.replace("Bearer", "JWT"), SHAPE),
    "scheme-missing": (GOOD.removeprefix("Bearer "), SHAPE),
    "scheme-only": ("Bearer", SHAPE),
    "empty": ("", SHAPE),
    "none": (None, "no token"),
    "huge": (token({"padding": "x" * 8_000}), "token too long"),
    "a-megabyte": ("Bearer " + "A" * 1_000_000, "token too long"),
}  # fmt: skip


@pytest.mark.parametrize(("authorization", "why"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_tokens_are_refused_for_their_own_reason(authorization, why):
    memory = Memory()
    with pytest.raises(AuthError) as refusal:
        verified(memory).identify(authorization, PATH)
    assert why in refusal.value.why
    assert str(refusal.value) == "The caller could not be verified."
    assert memory.used == {}  # a token that was refused uses up nobody's jti


def test_there_are_many():
    assert len(HOSTILE) >= 60
    assert len({authorization for authorization, _why in HOSTILE.values()}) == len(HOSTILE)


def test_the_token_that_the_others_are_made_from_is_good():
    memory = Memory()
    caller = verified(memory).identify(GOOD, PATH)
    assert caller == Caller(ISSUER, "", (Origin.of("https://ehr.example/fhir"),), "epic")
    assert memory.used == {(ISSUER, "j-1"): NOW + timedelta(seconds=300 + 120)}


@pytest.mark.parametrize(
    ("claims", "header", "signer"),
    [
        ({}, {}, "ec"),
        ({}, {}, "rsa"),
        ({}, {"jku": ...}, "ec"),
        ({"iss": FILE_ISSUER}, {"jku": ...}, "rsa"),
        ({"tenant": "north"}, {}, "ec"),
        ({"aud": ["https://other.example", BASE + PATH]}, {}, "ec"),
        ({"sub": "client", "more": [1, {"a": None}]}, {"x5t": "ignored"}, "ec"),
        ({"nbf": T + 60, "iat": T + 60, "exp": T + 360}, {}, "ec"),
        ({"iat": T - 300, "exp": T}, {}, "ec"),
        ({"iat": T - 359, "exp": T - 59}, {}, "ec"),
        ({"iat": T - 0.5, "exp": T + 299.25}, {}, "ec"),
        ({"jti": "j" * 256}, {}, "ec"),
        ({"jti": "\u75c5 ' ; --"}, {}, "ec"),
    ],
)
def test_good_tokens_of_an_independent_maker(claims, header, signer):
    caller = verified().identify("Bearer " + by_joserfc(good_claims(T, **claims), signer, **header), PATH)
    assert caller.tenant == claims.get("tenant", "")
    assert caller.issuer == claims.get("iss", ISSUER)


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEaReR", "Bearer "])
def test_the_scheme_has_no_case(scheme):
    assert verified().identify(GOOD.replace("Bearer", scheme), PATH).issuer == ISSUER


def test_a_token_is_for_one_address_of_ours():
    for path in (
        "/cds-services",
        "/cds-services/other",
        PATH + "/",
        PATH + "/feedback",
        PATH.upper(),
        "/api/evaluate",
        "",
    ):
        with pytest.raises(AuthError):
            verified().identify(GOOD, path)
    assert verified().identify(token({"aud": BASE + "/cds-services"}), "/cds-services").issuer == ISSUER


def test_a_token_is_taken_once_by_issuer():
    caller = verified(Memory())
    assert caller.identify(GOOD, PATH).issuer == ISSUER
    for again in (GOOD, token({"exp": T + 299}), token({"tenant": "north"})):
        with pytest.raises(AuthError, match="verified") as refusal:
            caller.identify(again, PATH)
        assert refusal.value.why == "token used before"
    other = by_joserfc(good_claims(T, iss=OTHER_ISSUER), "ec-other", jku="https://other.example/jwks.json")
    assert caller.identify(f"Bearer {other}", PATH).issuer == OTHER_ISSUER


def test_without_the_memory_nobody_is_let_in():
    class Down:
        def use_token(self, issuer, jti, until, now):
            raise UnavailableError("The store is down for now.")

    with pytest.raises(UnavailableError):
        verified(Down()).identify(GOOD, PATH)


@pytest.mark.parametrize(
    "name", ["aud-suffix", "exp-in-ten-years", "jku-foreign", "alg-none", "iss-unknown", "jti-huge"]
)
def test_what_is_wrong_at_a_glance_asks_for_no_key(name):
    built = verified()
    with pytest.raises(AuthError):
        built.identify(HOSTILE[name][0], PATH)
    assert [client.keys.asked for client in built.clients.values()] == [0, 0, 0, 0]


def test_the_longest_life_is_the_operators():
    long = token({"exp": T + 900})
    assert verified(max_seconds=900).identify(long, PATH).issuer == ISSUER
    with pytest.raises(AuthError):
        verified(max_seconds=899).identify(long, PATH)


def test_nothing_of_a_token_shows(caplog):
    with caplog.at_level(logging.DEBUG):
        verified().identify(GOOD, PATH)
    assert caplog.text == ""
    assert repr(read_bearer(GOOD)) == "Bearer()"
    assert len(GOOD) < MAX_BYTES
    for authorization, _why in HOSTILE.values():
        with pytest.raises(AuthError) as refusal:
            verified().identify(authorization, PATH)
        assert "example" not in refusal.value.why
        assert len(refusal.value.why) < 60


def test_the_makers_agree_about_the_key_set():
    assert set(read_key_set(jwk_set("ec", "rsa", "p256"))) == {("ec", "ES384"), ("rsa", "RS384")}

"""Keys and tokens for the tests of trust: made with joserfc, or by hand where no library would make them."""

from __future__ import annotations

import base64
import json
import warnings
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc import jwk, jwt

ISSUER = "https://ehr.example/fhir"
JWKS_URL = "https://ehr.example/jwks.json"
BASE = "https://cds.example/trials"
PATH = "/cds-services/npc-trials-patient-view"


@cache
def key(name: str) -> jwk.ECKey | jwk.RSAKey:
    """A key pair by name, the same for the whole run; the name is its kid."""
    if name.startswith("rsa"):
        size = int(name.partition("-")[2] or 2048)
        private = rsa.generate_private_key(public_exponent=65537, key_size=size)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # weak keys are made on purpose
            return jwk.RSAKey.import_key(private, {"kid": name, "use": "sig", "alg": "RS384"})
    curve = {"p256": "P-256", "p521": "P-521", "k256": "secp256k1"}.get(name.partition("-")[0], "P-384")
    return jwk.ECKey.generate_key(curve, {"kid": name, "use": "sig"}, auto_kid=False)


def public(name: str, **changes: Any) -> dict[str, Any]:
    """The public JWK of a key; a change to ... leaves a member out."""
    members = {**key(name).as_dict(private=False), "kid": name, **changes}
    return {member: value for member, value in members.items() if value is not ...}


def jwk_set(*names: str) -> dict[str, Any]:
    return {"keys": [public(name) for name in names]}


def b64(data: bytes | str) -> str:
    return base64.urlsafe_b64encode(data.encode() if isinstance(data, str) else data).rstrip(b"=").decode()


def changed(values: dict[str, Any], changes: dict[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in {**values, **(changes or {})}.items() if value is not ...}


def good_claims(now: float, **changes: Any) -> dict[str, Any]:
    claims = {"iss": ISSUER, "aud": BASE + PATH, "iat": int(now), "exp": int(now) + 300, "jti": "j-1"}
    return changed(claims, changes)


def signature(name: str, text: str, digest: hashes.HashAlgorithm | None = None) -> bytes:
    """Sign as ES384 or RS384 do, unless another digest is given."""
    private = key(name).private_key
    chosen = digest or hashes.SHA384()
    if isinstance(private, rsa.RSAPrivateKey):
        return private.sign(text.encode(), padding.PKCS1v15(), chosen)
    size = (private.curve.key_size + 7) // 8
    r, s = decode_dss_signature(private.sign(text.encode(), ec.ECDSA(chosen)))
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def by_hand(header: bytes | str | dict[str, Any], payload: bytes | str | dict[str, Any], signer: str) -> str:
    """A token of any header and payload, rightly signed."""
    parts = [b64(json.dumps(part) if isinstance(part, dict) else part) for part in (header, payload)]
    text = ".".join(parts)
    return f"{text}.{b64(signature(signer, text))}"


def by_joserfc(claims: dict[str, Any], signer: str = "ec", **header: Any) -> str:
    """A token as an EHR makes it."""
    algorithm = "RS384" if signer.startswith("rsa") else "ES384"
    full = changed({"alg": algorithm, "typ": "JWT", "kid": signer, "jku": JWKS_URL}, header)
    return jwt.encode(full, claims, key(signer), algorithms=[algorithm])

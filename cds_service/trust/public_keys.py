"""Public keys of EHRs, read from a JWK Set: one that is unfit, doubtful or weak is left out.

Source: RFC 7517 (JWK), RFC 7518 (algorithms), RFC 8725 (best practices).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

PublicKey = EllipticCurvePublicKey | RSAPublicKey
Keys = Mapping[tuple[str, str], PublicKey]
"""By ``kid`` and algorithm: a token's ``alg`` finds only a key that was made for it."""

ALGORITHMS: Final = ("ES384", "RS384")  # what CDS Hooks and SMART name; EHRs sign with one of them
MAX_KEYS: Final = 50
MAX_TEXT: Final = 256
_RSA_BITS: Final = range(2_048, 8_193)  # NIST SP 800-131A; above, a check costs too much
_MEMBERS: Final = {"ES384": ("kty", "crv", "x", "y"), "RS384": ("kty", "n", "e")}
_KINDS: Final = {("EC", "P-384"): "ES384", ("RSA", None): "RS384"}


def read_key_set(body: Any) -> Keys:
    """Read a JWK Set.

    Args:
        body: parsed JSON of any shape.

    Returns:
        The keys that may check a signature; two with the same ``kid`` and algorithm are both left out.

    Raises:
        ValueError: it is no JWK Set, or holds more than 50 keys.
    """
    jwks = body.get("keys") if isinstance(body, dict) else None
    if not isinstance(jwks, list) or len(jwks) > MAX_KEYS:
        raise ValueError("not a JWK Set of at most 50 keys")
    read = [pair for pair in map(_key, jwks) if pair is not None]
    times = Counter(name for name, _key in read)
    return {name: key for name, key in read if times[name] == 1}


def _key(jwk: Any) -> tuple[tuple[str, str], PublicKey] | None:
    if not isinstance(jwk, dict):
        return None
    kid = jwk.get("kid")
    curve, kind = jwk.get("crv"), jwk.get("kty")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_TEXT or not isinstance(kind, str):
        return None
    algorithm = _KINDS.get((kind, curve if isinstance(curve, str) else None))
    # A key that was published with its private part is nobody's any more.
    if algorithm is None or "d" in jwk or jwk.get("alg", algorithm) != algorithm or jwk.get("use", "sig") != "sig":
        return None
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    members = {name: jwk.get(name) for name in _MEMBERS[algorithm]}
    if not all(isinstance(value, str) for value in members.values()):
        return None
    try:
        key = (ECAlgorithm if algorithm == "ES384" else RSAAlgorithm).from_jwk(members)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    if isinstance(key, EllipticCurvePublicKey):
        return (kid, algorithm), key
    if not isinstance(key, RSAPublicKey) or key.key_size not in _RSA_BITS or key.public_numbers().e.bit_length() > 32:
        return None
    return (kid, algorithm), key

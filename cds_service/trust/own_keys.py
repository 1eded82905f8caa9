"""Our own signing keys: made, published, used after a while, retired. Private parts never leave the folder.

A new key is published at once and signs only when whoever checks our signatures has had time to fetch it; the one
before it stays published until somebody retires it. So a change of keys refuses no token.

Source: RFC 7517 (JWK), RFC 7638 (thumbprints), SMART App Launch 2.2, client-confidential-asymmetric.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from cds_service.errors import ConfigError, RequestError
from cds_service.gather.json_text import read_json
from cds_service.trust.public_keys import ALGORITHMS

GRACE: Final = timedelta(hours=1)  # many times the MAX_AGE that fetchers are told
MAX_AGE_SECONDS: Final = 300

_RSA_BITS: Final = 3_072  # NIST SP 800-57: good beyond 2030
_PUBLIC: Final = ("kty", "crv", "x", "y", "n", "e", "alg", "use", "kid")
_REQUIRED: Final = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}  # of a thumbprint, in its order


@dataclass(frozen=True)
class OwnKey:
    """A key pair of ours.

    Args:
        kid: its RFC 7638 thumbprint.
        algorithm: "ES384" or "RS384".
        made: when.
        jwk: with the private members.
    """

    kid: str
    algorithm: str
    made: datetime
    jwk: Mapping[str, Any] = field(repr=False)

    @property
    def public(self) -> dict[str, Any]:
        """The JWK that anybody may see."""
        return {name: self.jwk[name] for name in _PUBLIC if name in self.jwk}


def read_keys(folder: Path) -> tuple[OwnKey, ...]:
    """Read the keys, oldest first.

    Raises:
        ConfigError: the folder or a file in it cannot be read, is no key of ours, or is open to every user.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".json")
        keys = [_read(path) for path in paths]
    except OSError as error:
        raise ConfigError(f"Setting keys: the folder cannot be read ({error.strerror}).") from None
    return tuple(sorted(keys, key=lambda key: (key.made, key.kid)))


def public_key_set(folder: Path) -> dict[str, Any]:
    """Return the JWK Set to publish: public members only, chosen by name."""
    return {"keys": [key.public for key in read_keys(folder)]}


def signing_key(keys: Sequence[OwnKey], algorithm: str, now: datetime) -> OwnKey | None:
    """Return the newest key that the world has had time to fetch; the oldest of all when none is that old."""
    fit = sorted((key for key in keys if key.algorithm == algorithm), key=lambda key: key.made)
    known = [key for key in fit if now - key.made >= GRACE]
    return known[-1] if known else next(iter(fit), None)


def sign(keys: Sequence[OwnKey], algorithm: str, claims: Mapping[str, Any], now: datetime) -> str:
    """Sign a token.

    Raises:
        ConfigError: there is no key for the algorithm.
    """
    key = signing_key(keys, algorithm, now)
    if key is None:
        raise ConfigError(f"Setting keys: no key for {algorithm}; make one with: cds-service keys new.")
    private = jwt.PyJWK(dict(key.jwk), algorithm)
    return jwt.encode(dict(claims), private, algorithm=algorithm, headers={"kid": key.kid})


def new_key(folder: Path, algorithm: str, now: datetime) -> OwnKey:
    """Make a key and write it for the owner's eyes only.

    Raises:
        ConfigError: it cannot be written.
    """
    key = _make(algorithm, now)
    while key.kid.startswith("-"):  # a shell would take it for an option
        key = _make(algorithm, now)
    text = json.dumps({**key.jwk, "made": now.astimezone(UTC).isoformat()}, indent=2)
    unfinished = folder / f"{key.kid}.new"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(folder / f"{key.kid}.json")  # a service that reads the folder sees it whole or not at all
    except OSError as error:
        raise ConfigError(f"Setting keys: the key cannot be written ({error.strerror}).") from None
    return key


def retire(folder: Path, kid: str, now: datetime, *, compromised: bool = False) -> None:
    """Delete a key: it is no longer published, and what it signed no longer holds.

    Args:
        folder: of the keys.
        kid: of the key, whole.
        now: the present instant.
        compromised: also when it is the key that signs, or the next one is not known to the world yet.

    Raises:
        ConfigError: there is no such key, or it still signs.
    """
    keys = read_keys(folder)
    key = next((key for key in keys if key.kid == kid), None)
    if key is None:
        raise ConfigError("There is no such key; cds-service keys list shows them.")
    if key == signing_key(keys, key.algorithm, now) and not compromised:
        raise ConfigError(
            "This key still signs. Make a new one with: cds-service keys new, and retire this one when the new one "
            "signs, after an hour. If somebody has it, add --compromised."
        )
    try:
        (folder / f"{key.kid}.json").unlink()
    except OSError as error:
        raise ConfigError(f"Setting keys: the key cannot be deleted ({error.strerror}).") from None


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """Return the RFC 7638 thumbprint of a JWK."""
    members = {name: jwk[name] for name in _REQUIRED[jwk["kty"]]}
    digest = hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _make(algorithm: str, now: datetime) -> OwnKey:
    if algorithm == "ES384":
        jwk = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP384R1()), as_dict=True)
    else:
        jwk = RSAAlgorithm.to_jwk(rsa.generate_private_key(public_exponent=65_537, key_size=_RSA_BITS), as_dict=True)
    jwk.pop("key_ops", None)
    kid = thumbprint(jwk)
    return OwnKey(kid, algorithm, now, {**jwk, "alg": algorithm, "use": "sig", "kid": kid})


def _read(path: Path) -> OwnKey:
    name = f"Setting keys: {path.name}"
    if path.stat().st_mode & 0o007:
        raise ConfigError(f"{name} is open to every user of this machine; chmod 600.")
    try:
        jwk = read_json(path.read_bytes(), max_bytes=64 * 1024)
        made = datetime.fromisoformat(jwk["made"])
        if jwk["alg"] not in ALGORITHMS or "d" not in jwk or not jwk["kid"] == thumbprint(jwk) == path.stem:
            raise ValueError
        if made.utcoffset() is None:
            raise ValueError
    except (RequestError, ValueError, KeyError, TypeError):
        raise ConfigError(f"{name} is not a key that cds-service keys new has made.") from None
    return OwnKey(jwk["kid"], jwk["alg"], made, jwk)

"""Tokens of an EHR: right ones, and wrong ones that no service may take."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from cds_service.errors import RequestError

_LIFE: Final = 300  # seconds; CDS Hooks 2.0.1 recommends at most five minutes


@dataclass(frozen=True)
class Signer:
    """Signs as one EHR.

    Args:
        key: its private key, on P-384.
        issuer: ``iss``.
        kid: the key's id in the EHR's key set.
        jku: where that is; "" to name none.
        tenant: "" for none.
    """

    key: EllipticCurvePrivateKey
    issuer: str
    kid: str
    jku: str = ""
    tenant: str = ""

    def claims(self, audience: str) -> dict[str, Any]:
        """Return the claims of a right token for an endpoint."""
        now = int(time.time())
        own = {"iss": self.issuer, "aud": audience, "iat": now, "exp": now + _LIFE, "jti": str(uuid4())}
        return {**own, **({"tenant": self.tenant} if self.tenant else {})}

    def header(self) -> dict[str, Any]:
        """Return the header of a right token."""
        return {"alg": "ES384", "typ": "JWT", "kid": self.kid, **({"jku": self.jku} if self.jku else {})}

    def token(
        self, audience: str, *, leave_out: str = "", header: Mapping[str, Any] | None = None, **claims: Any
    ) -> str:
        """Sign a token.

        Args:
            audience: the endpoint called.
            leave_out: a claim, or ``kid``, that is not written.
            header: header fields that replace right ones.
            claims: claims that replace right ones.
        """
        head = {name: value for name, value in {**self.header(), **(header or {})}.items() if name != leave_out}
        body = {name: value for name, value in {**self.claims(audience), **claims}.items() if name != leave_out}
        return jwt.encode(body, self.key, algorithm="ES384", headers=head)

    def unsigned(self, audience: str) -> str:
        """Write a token with ``alg: none``."""
        return f"{_part({**self.header(), 'alg': 'none'})}.{_part(self.claims(audience))}."

    def symmetric(self, audience: str) -> str:
        """Write a token with ``alg: HS384``, keyed with the public key that everybody has."""
        public = self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        signed = f"{_part({**self.header(), 'alg': 'HS384'})}.{_part(self.claims(audience))}"
        return f"{signed}.{_text(hmac.new(public, signed.encode(), hashlib.sha384).digest())}"

    def forged(self, audience: str) -> str:
        """Write a token whose signature is that of other claims."""
        head, _claims, signature = self.token(audience).split(".")
        return f"{head}.{_part({**self.claims(audience), 'sub': 'another'})}.{signature}"


def read_key(path: Path) -> EllipticCurvePrivateKey:
    """Read a private key.

    Raises:
        RequestError: there is none on P-384 in the file.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP384R1):
        raise RequestError(
            "--issuer-key must be a PEM file with a private key on P-384 and no password.", field="--issuer-key"
        )
    return key


def _part(value: Mapping[str, Any]) -> str:
    return _text(json.dumps(value).encode())


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")

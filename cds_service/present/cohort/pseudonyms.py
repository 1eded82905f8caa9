"""Codes instead of patients: the same code for the same patient as long as the key is the same.

Only who holds the key and the references can tell who is meant. What a list says of a patient stays personal data.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b32encode
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cds_service.errors import ConfigError

_LEAST_KEY: Final = 32  # bytes, as many as the hash gives
_LENGTH: Final = 16  # 80 bits: in a million patients two share a code with a chance below 1 in 10^12


def pseudonyms(key_file: Path) -> Callable[[str], str]:
    """Return what makes a code of a patient's reference (HMAC-SHA-256, 80 bits in base32).

    Args:
        key_file: at least 32 random bytes.

    Raises:
        ConfigError: there is no such key.
    """
    try:
        key = key_file.read_bytes()
    except OSError as error:
        raise ConfigError(f"--pseudonyms: the key file cannot be read ({error.strerror}).") from None
    if len(key) < _LEAST_KEY:
        raise ConfigError(
            f"--pseudonyms: the key file holds fewer than {_LEAST_KEY} bytes; make one with openssl rand."
        )

    return coded(key)


def coded(key: bytes) -> Callable[[str], str]:
    """Return what makes a code of a patient's reference or of an id of ours.

    Args:
        key: as many random bytes as the hash gives, or more.
    """

    def code(patient: str) -> str:
        digest = hmac.new(key, patient.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
        return "P-" + b32encode(digest)[:_LENGTH].decode("ascii")

    return code

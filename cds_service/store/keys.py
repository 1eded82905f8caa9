"""Keys: a hash where equality is all that is asked, so that names and ids are not kept."""

from __future__ import annotations

import hashlib
import json


def key_of(*parts: str) -> str:
    """Return a key for these texts in this order, the same for ever.

    It keeps an id from being read at a glance or by accident. It hides nothing from someone who holds the database and
    can try every id.

    >>> key_of("a", "bc") == key_of("ab", "c")
    False
    """
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode("ascii")).hexdigest()


def patient_key(tenant: str, reference: str, server: str = "") -> str:
    """Return the key of a patient that cards are about: the same id elsewhere is another patient.

    Args:
        tenant: key of who speaks of the patient.
        reference: ``Patient/<id>``.
        server: the FHIR base that the call names, "" for none.
    """
    return key_of("patient", tenant, server, reference)

"""A caller, once it is known who calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cds_service.gather.origin import Origin
from cds_service.settings import Profile


@dataclass(frozen=True)
class Caller:
    """An EHR.

    Args:
        issuer: ``iss`` of its tokens; "" in open mode, where nobody vouches for it.
        tenant: of its tokens, "" when they name none.
        fhir_servers: the FHIR bases that its calls may name.
        profile: what its cards may hold.
    """

    issuer: str = ""
    tenant: str = ""
    fhir_servers: tuple[Origin, ...] = ()
    profile: Profile = "generic"

    def may_name(self, server: Origin) -> bool:
        """Say whether its calls may send us to a FHIR server.

        Nobody vouches for a caller in open mode, and another host could be anything inside the hospital's network:
        only this machine may be named then.
        """
        if not self.issuer:
            return server.loopback
        return any(allowed.allows(server.base) for allowed in self.fhir_servers)


class Callers(Protocol):
    """Tells who calls."""

    def identify(self, authorization: str | None, audience: str) -> Caller:
        """Return the caller.

        Args:
            authorization: the request's ``Authorization`` header, if any.
            audience: the path called, such as ``/cds-services/{id}``, as the token's ``aud`` must name it.

        Raises:
            AuthError: it cannot be verified (401).
            UnavailableError: what verifying needs is down (503).
        """


@dataclass(frozen=True)
class Anyone:
    """Open mode: nobody is asked, whatever token they bring.

    Args:
        profile: what cards may hold.
    """

    profile: Profile = "generic"

    def identify(self, authorization: str | None, audience: str) -> Caller:
        """Return a caller nobody vouches for."""
        return Caller(profile=self.profile)

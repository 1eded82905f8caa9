"""Settings: one documented field each, from ``CDS_*`` variables and the TOML file named in ``CDS_CONFIG``."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from cds_service.errors import ConfigError

# Variables that are read elsewhere: the settings file, the rules folder, the demo's FHIR server.
_OTHER_VARIABLES: Final = frozenset({"CDS_CONFIG", "CDS_RULES", "CDS_DEMO_FHIR_SERVER"})

Hook = Literal["patient-view", "encounter-start", "appointment-book", "order-select", "order-sign"]
Profile = Literal["generic", "epic", "oracle", "sandbox"]


class Client(BaseModel):
    """One EHR that may call: who signs its tokens, which FHIR servers it may name, what its cards may hold."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    issuer: str = Field(
        min_length=1, max_length=256, description="`iss` of its tokens, compared character by character."
    )
    jwks_url: str | None = Field(
        default=None, description="Where its public keys are; the only `jku` taken. https, or http on loopback."
    )
    jwks_file: Path | None = Field(default=None, description="Its public keys in a file, where there is no URL.")
    tenant: str | None = Field(
        default=None,
        min_length=1,
        max_length=256,
        description="`tenant` that its tokens must carry; when not given, they must carry none.",
    )
    fhir_servers: tuple[str, ...] = Field(default=(), description="FHIR bases that its calls may name.")
    profile: Profile = Field(default="generic", description="What its cards may hold.")

    @model_validator(mode="after")
    def _one_source_of_keys(self) -> Self:
        if (self.jwks_url is None) == (self.jwks_file is None):
            raise ValueError("give either jwks_url or jwks_file")
        return self


class FhirServer(BaseModel):
    """One FHIR server and the way there: for reading without an EHR's call, and for calls that name the same base."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    base_url: str = Field(min_length=1, max_length=512, description="Its FHIR base. https, or http on loopback.")
    auth: Literal["none", "token", "smart"] = Field(
        default="none", description="No token, one from a file, or SMART Backend Services."
    )
    client_id: str | None = Field(
        default=None, min_length=1, max_length=256, description="Who we are there, for `smart`."
    )
    token_file: Path | None = Field(default=None, description="A file with a bearer token, for `token`.")
    scopes: Literal["v1", "v2"] | None = Field(
        default=None, description="Spelling of SMART scopes; what the server announces when not given."
    )
    auth_origins: tuple[str, ...] = Field(
        default=(), description="Authorization servers on another host that may get our signed assertion."
    )
    file_origins: tuple[str, ...] = Field(
        default=(), description="Other hosts that files of its exports may be on; no token is ever sent there."
    )
    ca_file: Path | None = Field(default=None, description="Certificate authorities to trust there, PEM.")
    proxy: str | None = Field(default=None, description="The proxy on the way there.")
    aliases: tuple[str, ...] = Field(
        default=(), description="Other bases that its links name; they are read as `base_url`."
    )
    post_search: bool = Field(
        default=False,
        description="Search it by forms posted to `_search`, so that patient ids stay out of URLs and access logs.",
    )

    @model_validator(mode="after")
    def _what_auth_needs(self) -> Self:
        if (self.auth == "smart") != (self.client_id is not None):
            raise ValueError("auth = smart and client_id belong together")
        if (self.auth == "token") != (self.token_file is not None):
            raise ValueError("auth = token and token_file belong together")
        return self


class Service(BaseModel):
    """One entry of the discovery answer."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.\-]{0,63}$", description="Last part of its address.")
    hook: Hook = Field(description="The hook that it answers.")
    title: str = Field(min_length=1, max_length=140, description="Its name in the EHR.")


_TITLE: Final = "Clinical trials for nasopharyngeal carcinoma"
_CONFLICT_TITLE: Final = "Orders that would close a clinical trial for nasopharyngeal carcinoma"
SERVICES: Final = (
    Service(id="npc-trials-patient-view", hook="patient-view", title=_TITLE),
    Service(id="npc-trials-encounter-start", hook="encounter-start", title=_TITLE),
    Service(id="npc-trials-appointment-book", hook="appointment-book", title=_TITLE),
    Service(id="npc-trials-order-select", hook="order-select", title=_CONFLICT_TITLE),
    Service(id="npc-trials-order-sign", hook="order-sign", title=_CONFLICT_TITLE),
)


class Settings(BaseSettings):
    """What an operator may choose. A variable wins over the file."""

    model_config = SettingsConfigDict(env_prefix="CDS_", extra="forbid", frozen=True, hide_input_in_errors=True)

    mode: Literal["open", "verified"] | None = Field(
        default=None,
        description="'verified' asks every caller for a signed token; 'open' asks for none: one's own machine only.",
    )
    public_base_url: str | None = Field(
        default=None,
        description="The address under which EHRs reach the service, without a slash at the end; tokens name it.",
    )
    clients: tuple[Client, ...] = Field(default=(), description="The EHRs that may call in verified mode.")
    fhir_servers: tuple[FhirServer, ...] = Field(
        default=(), description="FHIR servers: how they are reached, and how read without an EHR's call."
    )
    max_token_seconds: int = Field(
        default=300, ge=30, le=900, description="Longest life of a token, from `iat` to `exp`, in seconds."
    )
    keys: Path | None = Field(default=None, description="The folder of our own signing keys: `cds-service keys new`.")
    services: tuple[Service, ...] = Field(
        default=SERVICES, min_length=1, description="The services offered; every id once."
    )
    profile: Profile = Field(default="generic", description="What cards may hold in open mode.")
    api: bool = Field(default=False, description="Whether `/api/evaluate` answers in verified mode too.")
    store: str = Field(
        default="sqlite://",
        description="SQLAlchemy URL of the database; `sqlite://` forgets at the end, and is for open mode only.",
    )
    language: Literal["en", "zh"] = Field(
        default="en",
        description="Language of the terminal, and of cards and pages where a caller names none: `en` or `zh`.",
    )
    time_zone: str | None = Field(
        default=None,
        description="Where the hospital is, as in `Asia/Shanghai`: whose day is today, and whose times pages show. By "
        "default the zone of the machine.",
    )
    host: str = Field(default="127.0.0.1", description="Address that `cds-service serve` listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Its port; 0 takes a free one.")
    site: str | None = Field(
        default=None,
        description="The site file, `sites/<site>.yaml` in the rules folder: the hospital's own codes and units.",
    )
    rules_seconds: float = Field(
        default=5.0,
        ge=0,
        le=3600,
        description="Seconds between two looks at the rules folder for changed rules; 0 for never.",
    )
    cors_origins: tuple[str, ...] = Field(
        default=(),
        description="Exact origins of browser-based EHRs. Open mode adds loopback origins.",
    )
    gather_seconds: float = Field(
        default=4.0, gt=0, le=60, description="Deadline in seconds for reading one chart, all calls together."
    )
    max_hook_bytes: int = Field(default=2 * 2**20, ge=1024, description="Largest hook request, prefetch included.")
    max_bundle_bytes: int = Field(default=16 * 2**20, ge=1024, description="Largest Bundle to evaluate.")
    max_answer_bytes: int = Field(default=16 * 2**20, ge=1024, description="Largest single answer of a FHIR server.")
    max_pages: int = Field(default=50, ge=1, le=1000, description="Most pages read of one search.")

    @field_validator("services")
    @classmethod
    def _each_service_once(cls, services: tuple[Service, ...]) -> tuple[Service, ...]:
        # One id for two hooks is legal, but clients keep services by address: the later would hide the first.
        if len({service.id for service in services}) < len(services):
            raise ValueError("every id once")
        return services

    @field_validator("time_zone")
    @classmethod
    def _a_zone_that_is_known(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                ZoneInfo(name)
            except (KeyError, OSError, ValueError):  # unknown; a folder of the database; no name at all
                raise ValueError(
                    "this machine knows no such time zone; give an IANA name such as Asia/Shanghai"
                ) from None
        return name

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments, then variables, then the TOML file."""
        named = os.environ.get("CDS_CONFIG", "").strip()
        file = (TomlConfigSettingsSource(settings_cls, Path(named).expanduser()),) if named else ()
        return (init_settings, env_settings, *file)


_TABLES: Final[Mapping[str, type[BaseModel]]] = {
    "clients": Client,
    "fhir_servers": FhirServer,
    "services": Service,
}


def _nearest(name: str, known: Mapping[str, str]) -> str:
    """Return what may have been meant: the nearest name, or all of them where none is near."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {known[close[0]]}?" if close else f"known: {', '.join(sorted(known.values()))}."


def check_rules_named() -> None:
    """Look whether the rules folder that ``CDS_RULES`` names is there; what it holds is for whoever loads it to say.

    Raises:
        ConfigError: it is not.
    """
    named = os.environ.get("CDS_RULES", "").strip()
    if named and not Path(named).expanduser().is_dir():
        raise ConfigError("CDS_RULES names a folder that is not there.")


def load_settings(**chosen: Any) -> Settings:
    """Read the settings.

    Args:
        chosen: values that win over variables and file.

    Raises:
        ConfigError: naming each setting that is wrong, without its value.
    """
    named = os.environ.get("CDS_CONFIG", "").strip()
    if named and not Path(named).expanduser().is_file():
        raise ConfigError("CDS_CONFIG names a file that is not there.")
    check_rules_named()
    known = {f"CDS_{name.upper()}" for name in Settings.model_fields} | _OTHER_VARIABLES
    for name in sorted(os.environ):
        if name.startswith("CDS_") and name not in known:
            # Without what they all share: by CDS_ alone, everything would be near to everything short.
            hint = _nearest(name.removeprefix("CDS_").upper(), {one.removeprefix("CDS_"): one for one in known})
            raise ConfigError(f"{name} is not a setting; {hint}")
    try:
        return Settings(**chosen)
    except ValidationError as error:
        found = error.errors(include_input=False)
        faults = [(".".join(map(str, fault["loc"])), fault["msg"]) for fault in found]
        for fault, (name, _message) in zip(found, faults, strict=True):
            if fault["type"] == "extra_forbidden":
                place = _TABLES.get(str(fault["loc"][0]), Settings) if len(fault["loc"]) > 1 else Settings
                hint = _nearest(str(fault["loc"][-1]).lower(), {one: one for one in place.model_fields})
                raise ConfigError(f"{name} is not a setting; {hint}") from None
        raise ConfigError("; ".join(f"Setting {name}: {message}" for name, message in faults) + ".") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"The file named in CDS_CONFIG is not TOML: {error}.") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"The settings cannot be read ({type(error).__name__}).") from None

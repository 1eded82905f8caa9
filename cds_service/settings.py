"""Settings: one documented field each, from ``CDS_*`` variables and the TOML file named in ``CDS_CONFIG``."""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from cds_service.errors import ConfigError

# Variables that are read elsewhere: the settings file, the rules folder, the demo's FHIR server.
_OTHER_VARIABLES: Final = frozenset({"CDS_CONFIG", "CDS_RULES", "CDS_DEMO_FHIR_SERVER"})


class Settings(BaseSettings):
    """What an operator may choose. A variable wins over the file."""

    model_config = SettingsConfigDict(env_prefix="CDS_", extra="forbid", frozen=True, hide_input_in_errors=True)

    mode: Literal["open"] | None = Field(
        default=None,
        description="'open' asks callers for no token: for one's own machine. There is nothing else yet.",
    )
    host: str = Field(default="127.0.0.1", description="Address that `cds-service serve` listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Its port; 0 takes a free one.")
    site: str | None = Field(
        default=None,
        description="The site file, `sites/<site>.yaml` in the rules folder: the hospital's own codes and units.",
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
    known = {f"CDS_{name.upper()}" for name in Settings.model_fields} | _OTHER_VARIABLES
    for name in sorted(os.environ):
        if name.startswith("CDS_") and name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(sorted(known))}."
            raise ConfigError(f"{name} is not a setting; {hint}")
    try:
        return Settings(**chosen)
    except ValidationError as error:
        faults = [(".".join(map(str, fault["loc"])), fault["msg"]) for fault in error.errors(include_input=False)]
        raise ConfigError("; ".join(f"Setting {name}: {message}" for name, message in faults) + ".") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"The file named in CDS_CONFIG is not TOML: {error}.") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"The settings cannot be read ({type(error).__name__}).") from None

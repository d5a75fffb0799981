"""One typed settings object, read from the environment (``CIE_…``) and from a file.

Order, first found wins: constructor arguments, environment variables, the TOML file that ``CIE_SETTINGS_FILE``
names (or ``cie.toml`` in the working folder), what the running embedded stack wrote to ``<data>/run/stack.json``,
defaults. Everything is validated at once, so one error message lists all that is wrong.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

REGISTRY_FILE = Path(__file__).parent / "sources" / "registry.yaml"
STACK_FILE = Path("run") / "stack.json"
"""Relative to the data folder; written by ``cie up`` (mode 0600), holds addresses and the store's keys."""

_COMPUTE = re.compile(r"^(local(:[1-9]\d*)?|tcp://[^\s:]+:\d+)$")


class EmbeddedStackSource(PydanticBaseSettingsSource):
    """The addresses and credentials of the running embedded stack, where there is one."""

    def __init__(self, settings_cls: type[BaseSettings], data_dir: Path) -> None:
        super().__init__(settings_cls)
        self._file = data_dir / STACK_FILE

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # pragma: no cover
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        try:
            written = json.loads(self._file.read_text())
        except FileNotFoundError:
            return {}
        known = self.settings_cls.model_fields
        return {name: value for name, value in written.get("settings", {}).items() if name in known}


class Settings(BaseSettings):
    """Where everything is. ``data_dir`` holds all state of the embedded stack and of the demo."""

    model_config = SettingsConfigDict(
        env_prefix="CIE_", toml_file=os.environ.get("CIE_SETTINGS_FILE", "cie.toml"), extra="forbid", frozen=True
    )

    data_dir: Path = Field(Path("data"), description="all state: sources of the demo, keys, database, store, logs")
    registry: Path = Field(REGISTRY_FILE, description="the sources; one row is one partition")
    sources_dir: Path | None = Field(
        None, description="root of folder sources with a relative path; default <data_dir>/sources"
    )
    keys_dir: Path | None = Field(None, description="one file of 32 bytes (hex) per source; default <data_dir>/keys")
    database_url: SecretStr | None = Field(
        None, description="PostgreSQL of Dagster's storage (schema public) and of the catalogue (schema cie)"
    )
    s3_endpoint: str | None = Field(None, description="S3 API address; empty: AWS")
    s3_access_key: str | None = None
    s3_secret_key: SecretStr | None = None
    s3_region: str = "us-east-1"
    s3_addressing_style: str = Field("path", pattern="^(path|virtual|auto)$")
    bucket_research: str = Field("cie-research", description="de-identified objects only")
    bucket_internal: str = Field("cie-internal", description="inventories, state, reports; never raw bytes")
    compute: str = Field("local", description="local, local:N or tcp://scheduler:8786 (Dask)")
    dagster_url: str | None = Field(None, description="where the Dagster webserver answers")
    portal_url: str | None = Field(None, description="where the portal serves visitors")
    operator_url: str | None = Field(None, description="where the portal serves operators: reports and exact numbers")
    portal_port: int | None = Field(None, ge=1, le=65535, description="visitors' port; default 8010, or a free one")
    operator_port: int | None = Field(None, ge=1, le=65535, description="operators' port; default 8011, or a free one")
    trusted_proxies: tuple[str, ...] = Field(
        (),
        description="addresses or networks of reverse proxies whose X-Forwarded-For tells the portal and nodes who the "
        "client is; of nobody else it is read",
    )
    node_provider: str = Field("Cancer image platform", description="name of this node in the federation's answers")
    nodes: tuple[str, ...] = Field(
        (), description="federation nodes that the search asks too, each name=http://host:port/node"
    )
    iod_check: Literal["installed", "required", "off"] = Field(
        "installed", description="whether dciodvfy judges each result: where it is installed, always, or never"
    )
    seed: int = Field(20261123, description="seed of the demo sources")

    @field_validator("compute")
    @classmethod
    def _compute_is_known(cls, value: str) -> str:
        if not _COMPUTE.match(value):
            raise ValueError("must be 'local', 'local:N' (N from 1) or 'tcp://host:port' of a Dask scheduler")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for said in value:
            try:
                network = ipaddress.ip_network(said)
            except ValueError:
                raise ValueError(
                    f"{said[:60]!r} is no address and no network of a proxy: write 10.0.0.2, 10.0.0.0/24 or fd00::2"
                ) from None
            if network.prefixlen == 0:
                raise ValueError(f"{said!r} is everybody: then each client chooses its own address; name the proxies")
        return value

    @field_validator("data_dir", "registry", "sources_dir", "keys_dir")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        # Workers and Dagster's processes run in other folders: a relative path would mean another place there.
        return None if value is None else value.expanduser().absolute()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        toml = TomlConfigSettingsSource(settings_cls)
        chosen: dict[str, Any] = {**toml(), **env_settings(), **init_settings()}
        data_dir = Path(chosen.get("data_dir", "data")).expanduser().absolute()
        return init_settings, env_settings, toml, EmbeddedStackSource(settings_cls, data_dir)

    @cached_property
    def sources_root(self) -> Path:
        return self.sources_dir or self.data_dir / "sources"

    @cached_property
    def keys_root(self) -> Path:
        return self.keys_dir or self.data_dir / "keys"

    def sqlalchemy_url(self) -> str:
        """The database address with the driver named: SQLAlchemy 2.1 reads a bare ``postgresql://`` as psycopg 3.

        Raises:
            SettingsError: no database is set and no embedded stack is running.
        """
        if self.database_url is None:
            raise SettingsError(
                "no database: start the embedded stack with `cie up`, or set CIE_DATABASE_URL "
                "to a PostgreSQL address (postgresql://user:password@host:5432/name)"
            )
        return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql+psycopg2://", self.database_url.get_secret_value())


class SettingsError(RuntimeError):
    """A setting that this command needs is missing; the message says which and how to give it."""

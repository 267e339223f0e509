"""What an operator decides: every setting is an environment variable with the prefix TRACKER_."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def default_data_dir() -> Path:
    """The user's data folder; for root a system folder, since the embedded server runs as another user."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/engagement-tracker")
    return Path(platformdirs.user_data_dir("engagement-tracker", appauthor=False))


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="TRACKER_", extra="ignore")

    database_url: str | None = Field(default=None, description="postgresql://… as tracker_app; unset: embedded")
    owner_database_url: str | None = Field(default=None, description="postgresql://… as tracker_owner, to migrate")
    worker_database_url: str | None = Field(default=None, description="postgresql://… as tracker_worker")
    data_dir: Path = Field(default_factory=default_data_dir, description="Where the embedded database and keys live")
    issuer: str = Field(default="http://127.0.0.1:8000", description="Public address of this server, without a path")
    key: str | None = Field(
        default=None, description="Key-encryption key, base64url of 32 bytes; unset: kept in data_dir"
    )
    api_version: str = "1.0.0"
    read_pool_size: int = Field(default=16, ge=1, le=500, description="Connections for reads")
    write_pool_size: int = Field(default=10, ge=1, le=500, description="Connections for writes and sign-in")
    requests_per_minute: int = Field(default=6000, ge=1, description="For each token, and each address without one")
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    metrics_port: int | None = Field(default=None, ge=1, le=65535, description="Port for Prometheus; unset: none")
    metrics_host: str = Field(
        default="127.0.0.1", description="Where that port listens: loopback, or a private address"
    )

    @field_validator("issuer")
    @classmethod
    def _encrypted_or_local(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.path or parts.query or not parts.hostname:
            raise ValueError("the issuer is scheme://host[:port], without a path or a trailing slash")
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise ValueError("the issuer must be https, except on loopback")
        return value

    @property
    def audience(self) -> str:
        """What access tokens for this API name as their audience (RFC 8707)."""
        return f"{self.issuer}/v1"

"""Settings: read once, from the environment (`RINGSIDE_…`) and the command line, and passed on as arguments."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Settings(BaseSettings):
    """Everything that can be set, with its safe default."""

    model_config = SettingsConfigDict(env_prefix="RINGSIDE_", extra="ignore")

    database: str = "sqlite:///ringside.db"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    pss_host: str = "127.0.0.1"
    pss_port: int = Field(default=6000, ge=0, le=65535)
    # The mat that what arrives on `pss_port` belongs to.
    pss_mat: str = "Mat 1"
    # How fast the demonstration's fight is played.
    speed: float = Field(default=1.0, gt=0, le=10_000)
    # Names under which the server may be asked for, beside `host`: a browser lured here under another is refused.
    allowed_hosts: Annotated[list[str], NoDecode] = Field(default=["localhost", "127.0.0.1", "[::1]"])
    # How long the history of stream goals is kept; 0 is for ever.
    stream_history_days: int = Field(default=0, ge=0, le=36_500)
    # How long a stopping server waits for what is under way.
    drain_seconds: int = Field(default=10, ge=0, le=600)
    largest_body: int = Field(default=65_536, ge=1024)
    largest_datagram: int = Field(default=2048, ge=64, le=65_507)
    queued_datagrams: int = Field(default=50_000, ge=1)
    # An operation that takes longer is logged, with the steps of its plan and without its variables.
    slow_operation_seconds: float = Field(default=1.0, gt=0)
    log_level: str = Field(default="INFO", pattern=r"(?i)^(debug|info|warning|error)$")
    log_json: bool = False

    @property
    def stream_history(self) -> timedelta | None:
        """How long the history of stream goals is kept; `None` is for ever."""
        return timedelta(days=self.stream_history_days) if self.stream_history_days else None

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _separated_by_commas(cls, given: object) -> object:
        return [name.strip() for name in given.split(",") if name.strip()] if isinstance(given, str) else given

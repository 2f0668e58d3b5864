"""Settings: read once, from the environment (`RINGSIDE_…`) and the command line, and passed on as arguments."""

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
    # How long a stopping server waits for what is under way.
    drain_seconds: int = Field(default=10, ge=0, le=600)
    largest_body: int = Field(default=65_536, ge=1024)
    largest_datagram: int = Field(default=2048, ge=64, le=65_507)
    queued_datagrams: int = Field(default=50_000, ge=1)
    # An operation that takes longer is logged, with the steps of its plan and without its variables.
    slow_operation_seconds: float = Field(default=1.0, gt=0)
    log_level: str = Field(default="INFO", pattern=r"(?i)^(debug|info|warning|error)$")
    log_json: bool = False

    # Pages of other sites that may open sockets here, as `https://studio.example`.
    allowed_origins: Annotated[list[str], NoDecode] = Field(default=[])
    # Sockets and event streams that may be open at once.
    sockets_per_address: int = Field(default=50, ge=1)
    sockets_per_token: int = Field(default=20, ge=1)
    sockets_per_overlay: int = Field(default=5, ge=1)
    operations_per_socket: int = Field(default=50, ge=1)
    # Five times as many may come at once.
    messages_per_second: float = Field(default=20.0, gt=0)
    socket_init_seconds: float = Field(default=5.0, gt=0)

    @field_validator("allowed_hosts", "allowed_origins", mode="before")
    @classmethod
    def _separated_by_commas(cls, given: object) -> object:
        return [name.strip() for name in given.split(",") if name.strip()] if isinstance(given, str) else given

"""Settings: read once, from the environment (`RINGSIDE_…`) and the command line, and passed on as arguments."""

import os
import socket
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from db.access.viewer import Role
from db.bus import BusKind
from db.flags.operations import MOST_FLAGS, MOST_MAPPINGS
from db.flags.scanning import FlagFolder
from db.network.addresses import read_address
from db.network.operations import MOST_LISTENERS
from db.practice.templates import MOST_DAYS_AHEAD
from db.sealing import Sealer
from db.urls import is_embedded


class Settings(BaseSettings):
    """Everything that can be set, with its safe default."""

    model_config = SettingsConfigDict(env_prefix="RINGSIDE_", extra="ignore")

    database: str = "sqlite:///ringside.db"
    # A standby of that server, which queries are read from; it may hold a password.
    replica_url: SecretStr = SecretStr("")
    # How old what it shows may be; the primary answers while it is older.
    replica_seconds: float = Field(default=5.0, gt=0, le=3600)
    # What carries news between processes: the database itself, if it is PostgreSQL, unless something else is said.
    bus: BusKind = BusKind.AUTO
    # Where Redis is, if that carries them; it may hold a password.
    redis_url: SecretStr = SecretStr("")
    # What secrets in the database are sealed with; they stand there as they are if there is none.
    secret_key: SecretStr = SecretStr("")
    # Where backups are kept, unless the setting `backups.target` says otherwise.
    backup_target: str = "backups"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    # Processes that serve, all on this port. More than one need PostgreSQL.
    workers: int = Field(default=1, ge=1, le=256)
    pss_host: str = "127.0.0.1"
    pss_port: int = Field(default=6000, ge=0, le=65535)
    # Addresses and networks that are heard on `pss_port`; whoever reaches it, if there are none.
    pss_senders: Annotated[list[str], NoDecode] = Field(default=[])
    # Addresses beside loopback that listeners of the graph may be bound to; `0.0.0.0` stands for all.
    listener_addresses: Annotated[list[str], NoDecode] = Field(default=[])
    # How often what listeners have heard is written down.
    listener_report_seconds: float = Field(default=1.0, gt=0, le=60)
    # The mat that what arrives on `pss_port` belongs to.
    pss_mat: str = "Mat 1"
    # How fast the demonstration's fight is played.
    speed: float = Field(default=1.0, gt=0, le=10_000)
    # Names under which the server may be asked for, beside `host`: a browser lured here under another is refused.
    allowed_hosts: Annotated[list[str], NoDecode] = Field(default=["localhost", "127.0.0.1", "[::1]"])
    # How long the history of stream goals is kept; 0 is for ever.
    stream_history_days: int = Field(default=0, ge=0, le=36_500)
    # For how many days ahead practice sessions that recur are planned; 0 leaves that to their owners.
    sessions_planned_days: int = Field(default=14, ge=0, le=MOST_DAYS_AHEAD)
    # What this machine is called, where several serve one database; what it calls itself, if nothing is said.
    host_name: str = Field(default="", max_length=200)
    # After how many seconds without a word from whoever does background work another server takes it over.
    lease_seconds: float = Field(default=10.0, ge=1, le=300)
    # How long a stopping server waits for what is under way.
    drain_seconds: int = Field(default=10, ge=0, le=600)
    # How long it serves on before that, having said at `/readyz` that it stops, so that a proxy notices.
    notice_seconds: float = Field(default=0.0, ge=0, le=600)
    # How many sockets and streams it closes in a second then; more, if half of that time would not do.
    sockets_closed_per_second: float = Field(default=250.0, gt=0)
    longest_entry: int = Field(default=2000, ge=1, le=100_000)
    # How many entries of a fight's log may be folded again, to take one of them back.
    longest_fight: int = Field(default=20_000, ge=100, le=1_000_000)
    # Proxies that are believed when they say for whom they ask, as addresses.
    trusted_proxies: Annotated[list[str], NoDecode] = Field(default=[])
    # Connections that may be open at once, sockets and streams among them, and those that may come from one address
    # each second; ten times as many at once.
    connections: int = Field(default=1000, ge=1)
    connections_per_second: float = Field(default=50.0, gt=0)
    largest_body: int = Field(default=65_536, ge=1024)
    largest_headers: int = Field(default=32_768, ge=1024)
    largest_url: int = Field(default=8192, ge=256)
    # How long a request may take to arrive, and an operation to be answered.
    request_seconds: float = Field(default=10.0, gt=0)
    operation_seconds: float = Field(default=10.0, gt=0)
    # What a document may hold, fragments counted wherever they are spread, and how many rows it may read.
    largest_tokens: int = Field(default=1000, ge=1)
    largest_depth: int = Field(default=15, ge=1, le=60)
    largest_fields: int = Field(default=500, ge=1)
    largest_aliases: int = Field(default=30, ge=0)
    largest_directives: int = Field(default=20, ge=0)
    largest_root_fields: int = Field(default=20, ge=1)
    largest_cost: int = Field(default=20_000, ge=1)
    # Rows that a token may have read in one go, and how many more each second.
    budget: int = Field(default=200_000, ge=1)
    budget_per_second: float = Field(default=20_000.0, gt=0)
    # Operations that a token may send each second, and changes among them; ten times as many at once.
    operations_per_second: float = Field(default=50.0, gt=0)
    changes_per_second: float = Field(default=20.0, gt=0)
    # The least role that may ask what the schema is.
    introspection: Role = Role.ADMIN
    # Documents that clients may name, and whether no others are run.
    trusted_documents: str = ""
    trusted_only: bool = False
    # Whether a mistake in a document is answered with what may have been meant.
    hints: bool = False
    # Whether statuses are those of the newer draft: 294 for an answer in part, 422 for a document that is not valid.
    http_draft: bool = False
    largest_datagram: int = Field(default=2048, ge=64, le=65_507)
    queued_datagrams: int = Field(default=50_000, ge=1)
    # The folder that `flagsScan` looks through, and how many bytes an image in it may have.
    flags_directory: str = ""
    largest_flag: int = Field(default=524_288, ge=64, le=16_777_216)
    # How many images of flags there may be, how many codes that lead to them, and how many listeners.
    most_flags: int = Field(default=MOST_FLAGS, ge=1, le=1_000_000)
    most_codes: int = Field(default=MOST_MAPPINGS, ge=1, le=1_000_000)
    most_listeners: int = Field(default=MOST_LISTENERS, ge=1, le=10_000)
    # An operation that takes longer is logged, with the steps of its plan and without its variables.
    slow_operation_seconds: float = Field(default=1.0, gt=0)
    # Whether each operation has its line in the log, without its variables.
    log_operations: bool = True
    # An event loop that does one thing for longer is told of, with the place it is at.
    stall_seconds: float = Field(default=0.25, gt=0)
    log_level: str = Field(default="INFO", pattern=r"(?i)^(debug|info|warning|error)$")
    log_json: bool = False

    # Pages of other sites that may ask and open sockets here, as `https://studio.example`.
    allowed_origins: Annotated[list[str], NoDecode] = Field(default=[])
    # Sockets and event streams that may be open at once.
    sockets_per_address: int = Field(default=50, ge=1)
    sockets_per_token: int = Field(default=20, ge=1)
    sockets_per_overlay: int = Field(default=5, ge=1)
    # Different things that an overlay's token may watch at once.
    topics_per_overlay: int = Field(default=20, ge=1)
    # Tokens that are none, from one address.
    wrong_tokens_per_minute: int = Field(default=10, ge=1)
    operations_per_socket: int = Field(default=50, ge=1)
    # Five times as many may come at once.
    messages_per_second: float = Field(default=20.0, gt=0)
    socket_init_seconds: float = Field(default=5.0, gt=0)

    # Lists that may be given out whole at once, to whomever.
    exports_at_once: int = Field(default=4, ge=1, le=100)
    # Rows of a file that is taken in at the console; and over HTTP, where changes wait for it, with its bytes, and how
    # many are taken in at once.
    import_rows: int = Field(default=2_000_000, ge=1)
    served_import_rows: int = Field(default=20_000, ge=1)
    largest_import: int = Field(default=16_777_216, ge=1024)
    imports_at_once: int = Field(default=1, ge=1, le=100)

    # Hosts of networks of one's own that feeds, providers and their redirects may lead to, as `nas.local:8080`.
    allowed_private_hosts: Annotated[list[str], NoDecode] = Field(default=[])
    # How often feeds are read, in seconds: at most, at first, and at least; the more news, the more often.
    feed_least_seconds: int = Field(default=300, ge=10, le=86_400)
    feed_usual_seconds: int = Field(default=900, ge=10, le=86_400)
    feed_most_seconds: int = Field(default=21_600, ge=10, le=604_800)
    # What a feed may be as it comes and unpacked, in bytes, and how many are read at once, of all hosts and of one.
    largest_feed: int = Field(default=5_242_880, ge=1024, le=52_428_800)
    feeds_at_once: int = Field(default=32, ge=1, le=1000)
    feeds_of_host: int = Field(default=4, ge=1, le=1000)
    # How old a post may be that triggers something, in days, and how many of those that come at once may.
    oldest_post_days: int = Field(default=7, ge=0, le=36_500)
    most_posts: int = Field(default=10, ge=0, le=300)
    # How long it is kept when feeds were read, in days. Posts are kept for ever.
    poll_history_days: int = Field(default=30, ge=1, le=36_500)
    executions_at_once: int = Field(default=8, ge=1, le=100)
    # Screenshots that are taken at once, none with 0; where their files are kept, and for how many days, always with 0.
    screenshots_at_once: int = Field(default=1, ge=0, le=8)
    screenshots_directory: str = "screenshots"
    screenshots_kept_days: int = Field(default=30, ge=0, le=36_500)
    # What one shows, in pixels, what it may take, in seconds, and how large it and all of its page may be, in bytes.
    screenshot_width: int = Field(default=1280, ge=200, le=3840)
    screenshot_height: int = Field(default=800, ge=200, le=4320)
    screenshot_seconds: float = Field(default=30.0, ge=1, le=90)
    largest_screenshot: int = Field(default=5_242_880, ge=1024, le=52_428_800)
    largest_page: int = Field(default=52_428_800, ge=1024, le=1_073_741_824)
    # The browser that takes them, where it is not found by its name, and whether it runs in its sandbox.
    chromium: str = ""
    chromium_sandbox: bool = True

    @property
    def is_shared(self) -> bool:
        """Whether several processes may work on the database, each hearing what the others do."""
        return self.bus is not BusKind.LOCAL and not is_embedded(self.database)

    @property
    def open_addresses(self) -> frozenset[str]:
        """Addresses that listeners may be bound to, loopback aside: whoever starts the server says where it listens."""
        return frozenset({*self.listener_addresses, self.pss_host})

    @property
    def machine(self) -> str:
        """What this machine is called."""
        return self.host_name or socket.gethostname()

    @property
    def sealer(self) -> Sealer:
        """What seals and opens the secrets in the database."""
        return Sealer(self.secret_key.get_secret_value())

    @property
    def usual(self) -> dict[str, Any]:
        """What settings of the graph are while nobody sets them, by key."""
        return {
            "backups.target": self.backup_target,
            "retention.goal_changes_days": self.stream_history_days,
            "retention.polls_days": self.poll_history_days,
            "practice.planned_days": self.sessions_planned_days,
            "listeners.report_seconds": self.listener_report_seconds,
            "feeds.least_seconds": self.feed_least_seconds,
            "feeds.usual_seconds": self.feed_usual_seconds,
            "feeds.most_seconds": self.feed_most_seconds,
            "feeds.at_once": self.feeds_at_once,
            "feeds.of_host": self.feeds_of_host,
            "feeds.largest": self.largest_feed,
            "feeds.oldest_post_days": self.oldest_post_days,
            "feeds.most_posts": self.most_posts,
            "executions.at_once": self.executions_at_once,
            "screenshots.at_once": self.screenshots_at_once,
            "screenshots.kept_days": self.screenshots_kept_days,
            "logging.slow_seconds": self.slow_operation_seconds,
            "logging.level": self.log_level.upper(),
        }

    @property
    def picture_folder(self) -> Path:
        """Where the files of screenshots are kept."""
        return Path(self.screenshots_directory or "screenshots")

    @property
    def flag_folder(self) -> FlagFolder:
        """Where flags are found, how large one may be, and how many there may be."""
        path = Path(self.flags_directory) if self.flags_directory else None
        return FlagFolder(path=path, largest=self.largest_flag, most=self.most_flags, most_codes=self.most_codes)

    @field_validator("listener_addresses")
    @classmethod
    def _addresses(cls, given: list[str]) -> list[str]:
        for text in given:
            if read_address(text) is None:
                raise ValueError(f"{text!r} is no address, as 192.168.1.5 is")
        return given

    @field_validator(
        "allowed_hosts",
        "allowed_origins",
        "allowed_private_hosts",
        "listener_addresses",
        "pss_senders",
        "trusted_proxies",
        mode="before",
    )
    @classmethod
    def _separated_by_commas(cls, given: object) -> object:
        return [name.strip() for name in given.split(",") if name.strip()] if isinstance(given, str) else given


def foreign_environment() -> dict[str, str]:
    """Return the environment without our settings, for processes that are told those in another way."""
    return {name: value for name, value in os.environ.items() if not name.startswith("RINGSIDE_")}

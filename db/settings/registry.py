"""The keys there are: each with what its value is, the rules it keeps, and what it does. Whoever adds one uses it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from db.errors import Invalid
from db.settings.vocabulary import SettingCategory, SettingKind

MOST_DAYS_KEPT = 36_500
MOST_ROWS_KEPT = 2_000_000_000


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a value has to keep. `None` leaves it open."""

    least: float | None = None
    most: float | None = None
    longest: int | None = None
    # The whole text has to fit it, an empty one aside.
    pattern: str | None = None
    # What the pattern asks for, in words.
    form: str = ""
    choices: tuple[str, ...] = ()
    # Whether it names a time zone.
    is_time_zone: bool = False
    # A JSON Schema.
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Key:
    """What is known of a setting before anybody set it."""

    name: str
    kind: SettingKind
    # `None`: there is no value until one is set.
    default: Any
    description: str
    rules: Rules = field(default_factory=Rules)
    # Whether it may not be empty.
    is_required: bool = False
    # Whether its value is shown to nobody, and sealed where there is a key to seal it with.
    is_sensitive: bool = False
    # Whether the machine's own console alone changes it, because it says where on it, or elsewhere, data goes.
    is_of_console: bool = False

    @property
    def category(self) -> SettingCategory:
        """What it is about."""
        return SettingCategory(self.name.partition(".")[0].upper())


@dataclass(frozen=True, kw_only=True)
class Growing:
    """What grows for ever unless it is told not to: its part of a key, in words, and whether rows may be counted."""

    name: str
    holds: str
    # What its rows are counted for each of; empty, if age alone ends them.
    counted_for: str = ""


GROWING = (
    Growing(name="goal_changes", holds="the history of stream goals, and what was counted already"),
    Growing(name="listener_sessions", holds="the times that listeners listened", counted_for="listener"),
    Growing(name="setting_changes", holds="the history of settings", counted_for="setting"),
    Growing(name="polls", holds="the times that feeds were read", counted_for="feed"),
    Growing(name="execution_events", holds="the timelines of executions that are over", counted_for="execution"),
    Growing(name="backup_jobs", holds="what came of backups"),
)


def _retention(of: Growing) -> list[Key]:
    days = Key(
        name=f"retention.{of.name}_days",
        kind=SettingKind.INTEGER,
        default=0,
        description=f"For how many days {of.holds} are kept. 0 is for ever.",
        rules=Rules(least=0, most=MOST_DAYS_KEPT),
    )
    if not of.counted_for:
        return [days]
    rows = Key(
        name=f"retention.{of.name}_rows",
        kind=SettingKind.INTEGER,
        default=0,
        description=f"How many rows of {of.holds} are kept for each {of.counted_for}, the newest. 0 is all.",
        rules=Rules(least=0, most=MOST_ROWS_KEPT),
    )
    return [days, rows]


def _number(name: str, default: int, least: int, most: int, description: str) -> Key:
    return Key(
        name=name,
        kind=SettingKind.INTEGER,
        default=default,
        description=description,
        rules=Rules(least=least, most=most),
    )


_DECLARED = (
    Key(
        name="backups.target",
        kind=SettingKind.STRING,
        default="backups",
        description=(
            "Where backups are kept: a folder of the server's machine, or a URL that fsspec reads, as "
            "`s3://bucket/ringside`. The machine's console alone changes it: `ringside settings set`."
        ),
        # A password in it would be shown to whoever may read settings.
        rules=Rules(longest=1000, pattern=r"[^@\x00-\x1f]+", form="a folder or a URL, without a password in it"),
        is_required=True,
        is_of_console=True,
    ),
    Key(
        name="backups.credentials",
        kind=SettingKind.JSON,
        default=None,
        description="What the target asks for before it lets anybody in: as `key` and `secret` of an S3 bucket.",
        rules=Rules(
            longest=8000,
            schema={
                "type": "object",
                "properties": {
                    name: {"type": "string", "maxLength": 4000}
                    for name in ("key", "secret", "token", "username", "password", "account_name", "account_key")
                },
                "additionalProperties": False,
            },
        ),
        is_sensitive=True,
    ),
    Key(
        name="backups.every_hours",
        kind=SettingKind.INTEGER,
        default=0,
        description="After how many hours the next backup is made by itself. 0 leaves that to people.",
        rules=Rules(least=0, most=8760),
    ),
    Key(
        name="backups.at",
        kind=SettingKind.STRING,
        default="",
        description=(
            "At which time of day a backup is made by itself, as `03:30`, by the clocks of `backups.time_zone`. One "
            "that was missed is made up for. Empty leaves that to people, or to `backups.every_hours`; both may be set."
        ),
        rules=Rules(longest=5, pattern=r"([01]\d|2[0-3]):[0-5]\d", form="a time of day, as 03:30 or 23:00"),
    ),
    Key(
        name="backups.time_zone",
        kind=SettingKind.STRING,
        default="UTC",
        description="The time zone whose clocks `backups.at` goes by, as `Europe/Berlin`.",
        rules=Rules(longest=60, is_time_zone=True),
        is_required=True,
    ),
    Key(
        name="backups.keep",
        kind=SettingKind.INTEGER,
        default=14,
        description="How many backups are kept when one was made by itself: older ones are deleted.",
        rules=Rules(least=1, most=10_000),
    ),
    *(key for one in GROWING for key in _retention(one)),
    Key(
        name="retention.every_hours",
        kind=SettingKind.INTEGER,
        default=1,
        description="After how many hours what is too old is looked for again.",
        rules=Rules(least=1, most=8760),
    ),
    Key(
        name="retention.archive_first",
        kind=SettingKind.BOOLEAN,
        default=False,
        description="Whether what is let go is written to the backups' target before.",
    ),
    Key(
        name="practice.planned_days",
        kind=SettingKind.INTEGER,
        default=14,
        description="For how many days ahead practice sessions that recur are planned; 0 leaves that to their owners.",
        rules=Rules(least=0, most=92),
    ),
    Key(
        name="listeners.report_seconds",
        kind=SettingKind.FLOAT,
        default=1.0,
        description="After how many seconds what listeners have heard is written down again.",
        rules=Rules(least=0.1, most=60),
    ),
    _number("feeds.least_seconds", 300, 10, 86_400, "A feed with much news is read so often at most, in seconds."),
    _number(
        "feeds.usual_seconds",
        900,
        10,
        86_400,
        "After how many seconds a feed that cannot be read is tried again at first, then after twice as many.",
    ),
    _number("feeds.most_seconds", 21_600, 10, 604_800, "A feed without news is read so often at least, in seconds."),
    _number("feeds.at_once", 32, 1, 1000, "How many feeds are read at once."),
    _number("feeds.of_host", 4, 1, 1000, "How many feeds of one host are among them."),
    _number("feeds.largest", 5_242_880, 1024, 52_428_800, "How many bytes a feed may have, as it comes and unpacked."),
    _number("feeds.oldest_post_days", 7, 0, 36_500, "How old a post may be that triggers something, in days."),
    _number("feeds.most_posts", 10, 0, 300, "How many of the posts that come at once may trigger something."),
    _number("executions.at_once", 8, 1, 100, "How many executions are sent at once."),
    _number("screenshots.at_once", 1, 0, 8, "How many screenshots are taken at once. 0: none are taken."),
    _number("screenshots.kept_days", 30, 0, 36_500, "For how many days screenshots are kept. 0 is for ever."),
    Key(
        name="logging.slow_seconds",
        kind=SettingKind.FLOAT,
        default=1.0,
        description="An operation that takes longer is logged with the steps of its plan.",
        rules=Rules(least=0.001, most=3600),
    ),
    Key(
        name="logging.level",
        kind=SettingKind.STRING,
        default="INFO",
        description="What is logged: what is at least as grave.",
        rules=Rules(choices=("DEBUG", "INFO", "WARNING", "ERROR")),
        is_required=True,
    ),
)
KEYS: Mapping[str, Key] = {key.name: key for key in _DECLARED}


def known_key(name: str) -> Key:
    """Return a key by its name. Raises `Invalid`, with the name that was meant where one is near."""
    found = KEYS.get(name)
    if found is not None:
        return found
    near = get_close_matches(name[:100], KEYS, n=1)
    meant = f" Did you mean {near[0]}?" if near else " `settings` lists those there are."
    raise Invalid(f"There is no setting {name[:100]!r}.{meant}", field="key")


def keys_of(category: SettingCategory | None) -> list[Key]:
    """Return the keys of a category, or all."""
    return [key for key in KEYS.values() if category is None or key.category is category]

"""The words of a live stream: each enum's value is its name, in the database, in JSON and in the graph."""

from enum import StrEnum


class StreamGoalKind(StrEnum):
    """What a goal counts."""

    COINS = "COINS"
    LIKES = "LIKES"
    FOLLOWERS = "FOLLOWERS"
    SHARES = "SHARES"
    SUBSCRIBERS = "SUBSCRIBERS"
    # A level, not a sum: how many watch now.
    VIEWERS = "VIEWERS"
    # What somebody counts by hand, or a tool by its own rules.
    CUSTOM = "CUSTOM"
    # Several of the others, each worth so many points.
    POINTS = "POINTS"


class StreamGoalMode(StrEnum):
    """What becomes of a goal when its target is reached."""

    FIXED = "FIXED"
    ADD = "ADD"
    DOUBLE = "DOUBLE"
    HIDE = "HIDE"
    RESET = "RESET"


class StreamGoalPeriod(StrEnum):
    """How often a goal begins anew."""

    NONE = "NONE"
    SESSION = "SESSION"
    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"


class StreamGoalState(StrEnum):
    """Whether a goal is shown, and whether it still counts."""

    ACTIVE = "ACTIVE"
    # Not shown. It counts on: what viewers give is never lost.
    HIDDEN = "HIDDEN"
    # Its end date has passed.
    ENDED = "ENDED"


class StreamGoalChangeKind(StrEnum):
    """What an entry of a goal's history tells of."""

    PROGRESS = "PROGRESS"
    TARGET = "TARGET"
    RESET = "RESET"
    EDIT = "EDIT"
    REACHED = "REACHED"
    MILESTONE = "MILESTONE"
    # Somebody tried the overlay out. Nothing was counted.
    TEST = "TEST"


class StreamGoalChangeCause(StrEnum):
    """Who or what changed a goal."""

    # Viewers, as a source told.
    EVENT = "EVENT"
    USER = "USER"
    # A period was over, an end date has passed, or a live session began.
    CLOCK = "CLOCK"


class StreamSourceKind(StrEnum):
    """Where news of viewers comes from, and how it is written."""

    TIKFINITY = "TIKFINITY"
    WEBHOOK = "WEBHOOK"


class StreamSourceState(StrEnum):
    """How a source is doing."""

    DISABLED = "DISABLED"
    CONNECTING = "CONNECTING"
    CONNECTED = "CONNECTED"
    # Cut off, or never reached: it is tried again after a pause.
    WAITING = "WAITING"
    # Waits to be called, as a webhook does.
    LISTENING = "LISTENING"


class StreamEventKind(StrEnum):
    """What a piece of news is about."""

    GIFT = "GIFT"
    LIKE = "LIKE"
    FOLLOW = "FOLLOW"
    SHARE = "SHARE"
    SUBSCRIPTION = "SUBSCRIPTION"
    VIEWERS = "VIEWERS"
    AMOUNT = "AMOUNT"
    SESSION = "SESSION"


class StreamEventFault(StrEnum):
    """Why a piece of news was refused."""

    TOO_LONG = "TOO_LONG"
    BAD_UTF8 = "BAD_UTF8"
    BAD_JSON = "BAD_JSON"
    # JSON, but not an object with a name and a body.
    BAD_SHAPE = "BAD_SHAPE"
    MISSING_FIELD = "MISSING_FIELD"
    BAD_NUMBER = "BAD_NUMBER"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    # It says the same thing twice, and differently.
    CONFLICTING = "CONFLICTING"
    # It tells of another channel than the stream's.
    WRONG_CHANNEL = "WRONG_CHANNEL"


class GoalLook(StrEnum):
    """How a goal is drawn."""

    BAR = "BAR"
    CIRCULAR = "CIRCULAR"
    MINIMAL = "MINIMAL"
    VERTICAL = "VERTICAL"


class GoalAnimation(StrEnum):
    """How a goal moves when it is changed."""

    NONE = "NONE"
    SMOOTH = "SMOOTH"
    BOUNCE = "BOUNCE"
    GLOW = "GLOW"


class GoalCelebration(StrEnum):
    """What is shown when a target is reached."""

    NONE = "NONE"
    FLASH = "FLASH"
    PULSE = "PULSE"
    CONFETTI = "CONFETTI"


class NumberFormat(StrEnum):
    """How numbers are written on an overlay."""

    PLAIN = "PLAIN"
    GROUPED = "GROUPED"
    SHORT = "SHORT"

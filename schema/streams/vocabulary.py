"""The words of a stream as the graph shows them: each enum and each of its values described."""

from db.streams.vocabulary import (
    GoalAnimation,
    GoalCelebration,
    GoalLook,
    NumberFormat,
    StreamEventFault,
    StreamEventKind,
    StreamGoalChangeCause,
    StreamGoalChangeKind,
    StreamGoalKind,
    StreamGoalMode,
    StreamGoalPeriod,
    StreamGoalState,
    StreamSourceKind,
    StreamSourceState,
)
from schema.fields import enum

__all__ = [
    "GoalAnimation",
    "GoalCelebration",
    "GoalLook",
    "NumberFormat",
    "StreamEventFault",
    "StreamEventKind",
    "StreamGoalChangeCause",
    "StreamGoalChangeKind",
    "StreamGoalKind",
    "StreamGoalMode",
    "StreamGoalPeriod",
    "StreamGoalState",
    "StreamSourceKind",
    "StreamSourceState",
]

enum(
    StreamGoalKind,
    "What a goal counts.",
    COINS="What gifts to the host cost their givers, in coins.",
    LIKES="Likes of the room, from the making of the goal on.",
    FOLLOWERS="New followers, each once in a live session.",
    SHARES="Viewers who shared the stream, each once in a live session.",
    SUBSCRIBERS="Subscriptions, first ones and renewed ones.",
    VIEWERS="How many watch now: a level that rises and falls.",
    CUSTOM="Whatever is counted by hand, or by a tool that calls.",
    POINTS="Several of the others, each worth so many points.",
)
enum(
    StreamGoalMode,
    "What becomes of a goal when its target is reached.",
    FIXED="It stays reached, and counts on.",
    ADD="Its target moves on by `step`, past the count however far that jumped.",
    DOUBLE="Its target doubles until it is past the count.",
    HIDE="It is hidden, and counts on.",
    RESET="Its count goes back to `start`; what was too much counts on.",
)
enum(
    StreamGoalPeriod,
    "How often a goal begins anew, by the clocks of its stream's time zone.",
    NONE="Never by itself.",
    SESSION="With each live session.",
    DAILY="At midnight.",
    WEEKLY="At midnight before Monday.",
    MONTHLY="At midnight before the first.",
)
enum(
    StreamGoalState,
    "Whether a goal is shown and whether it counts.",
    ACTIVE="It is shown.",
    HIDDEN="It is not shown. It counts all the same.",
    ENDED="Its end date has passed: viewers fill it no more.",
)
enum(
    StreamGoalChangeKind,
    "What an entry of a goal's history tells of.",
    PROGRESS="The count moved.",
    TARGET="The target moved.",
    RESET="The count went back.",
    EDIT="Somebody changed the goal's terms, or it was shown, hidden or ended: `label` names what.",
    REACHED="A target was reached: `threshold`.",
    MILESTONE="A milestone was passed: `threshold` and `label`.",
    TEST="Somebody tried the overlay out. Nothing was counted.",
)
enum(
    StreamGoalChangeCause,
    "Who or what changed a goal.",
    EVENT="Viewers, as a source told.",
    USER="Somebody by hand.",
    CLOCK="A period was over, an end date has passed, or a live session began.",
)
enum(
    StreamSourceKind,
    "Where news of viewers comes from.",
    TIKFINITY="TikFinity's event socket, which is listened to.",
    WEBHOOK="A tool that calls `/hooks/stream/…`, with signed calls.",
)
enum(
    StreamSourceState,
    "How a source is doing.",
    DISABLED="It was switched off.",
    CONNECTING="It is being called.",
    CONNECTED="It is listened to.",
    WAITING="It could not be reached, or broke off: it is called again after a pause.",
    LISTENING="It calls us whenever it has something to say.",
)
enum(
    StreamEventKind,
    "What a piece of news is about.",
    GIFT="A gift, or a step of a streak of gifts.",
    LIKE="Likes.",
    FOLLOW="Somebody follows.",
    SHARE="Somebody shared the stream.",
    SUBSCRIPTION="Somebody subscribed.",
    VIEWERS="How many watch.",
    AMOUNT="So much more of something, by a tool that counts by itself.",
    SESSION="The stream went live or off.",
)
enum(
    StreamEventFault,
    "Why a piece of news was refused.",
    TOO_LONG="It is longer than any news.",
    BAD_UTF8="It is not UTF-8.",
    BAD_JSON="It is not JSON.",
    BAD_SHAPE="It is JSON of another shape.",
    MISSING_FIELD="Something is missing that counting needs.",
    BAD_NUMBER="A number is none.",
    OUT_OF_RANGE="A number is impossible.",
    CONFLICTING="It says the same thing twice, and differently.",
    WRONG_CHANNEL="It is of another channel than the stream's.",
)
enum(
    GoalLook,
    "How a goal is drawn.",
    BAR="A bar with its text on it.",
    CIRCULAR="A ring with the percent in it.",
    MINIMAL="Text alone, with a thin line.",
    VERTICAL="A column that fills from below.",
)
enum(
    GoalAnimation,
    "How a goal moves when it is changed.",
    NONE="At once.",
    SMOOTH="Evenly.",
    BOUNCE="A little too far, and back.",
    GLOW="Evenly, and lighting up.",
)
enum(
    GoalCelebration,
    "What is shown when a target is reached.",
    NONE="Nothing.",
    FLASH="Light.",
    PULSE="The goal swells and settles.",
    CONFETTI="Confetti.",
)
enum(
    NumberFormat,
    "How numbers are written.",
    PLAIN="1234567",
    GROUPED="1,234,567",
    SHORT="1.2M",
)

"""What a client may ask of lists of listeners, sessions and senders: orders."""

from enum import StrEnum

from schema.fields import enum


class SenderOrder(StrEnum):
    """How senders may be ordered."""

    OLDEST = "OLDEST"
    NEWEST = "NEWEST"


enum(SenderOrder, "How senders are ordered.", OLDEST="As they came.", NEWEST="Who came last first.")

"""The words of flags: each enum's value is its name, in the database, in JSON and in the graph."""

from enum import StrEnum


class FlagState(StrEnum):
    """Whether it is known whose flag an image shows."""

    RECOGNIZED = "RECOGNIZED"
    UNRECOGNIZED = "UNRECOGNIZED"


class RecognitionMethod(StrEnum):
    """By what an image was recognised."""

    # The whole name is a code of the Olympic movement, or one that somebody added.
    IOC_CODE = "IOC_CODE"
    # The whole name is a code of ISO 3166, alpha-3.
    ISO_CODE = "ISO_CODE"
    # The whole name is that of a country, in English.
    COUNTRY_NAME = "COUNTRY_NAME"
    # A word of the name is a code.
    CODE_IN_NAME = "CODE_IN_NAME"
    # Somebody said so.
    MANUAL = "MANUAL"
    # It was not.
    NONE = "NONE"


class CodeKind(StrEnum):
    """What a code stands for."""

    # An Olympic committee of today.
    COMMITTEE = "COMMITTEE"
    # A Paralympic committee of today that is no Olympic one.
    PARALYMPIC = "PARALYMPIC"
    # Athletes without a country of their own.
    SPECIAL = "SPECIAL"
    # Not used any more.
    HISTORIC = "HISTORIC"
    # No code of the Olympic movement, and used all the same.
    OTHER = "OTHER"
    # Added here.
    CUSTOM = "CUSTOM"

"""The words of flags as the graph shows them: each enum and each of its values described."""

from db.flags.vocabulary import CodeKind, FlagState, RecognitionMethod
from schema.fields import enum

__all__ = ["CodeKind", "FlagState", "RecognitionMethod"]

enum(
    FlagState,
    "Whether it is known whose flag an image shows.",
    RECOGNIZED="It is.",
    UNRECOGNIZED="It is not. Say it with `flagRecognize`, or give the file another name.",
)
enum(
    RecognitionMethod,
    "By what it was found out whose flag an image shows.",
    IOC_CODE="The file's name is a code of the Olympic movement, or one that was added here.",
    ISO_CODE="The file's name is a code of ISO 3166, alpha-3.",
    COUNTRY_NAME="The file's name is that of a country, in English.",
    CODE_IN_NAME="One word of the file's name is a code.",
    MANUAL="Somebody said so.",
    NONE="It was not found out.",
)
enum(
    CodeKind,
    "What a code stands for.",
    COMMITTEE="An Olympic committee of today.",
    PARALYMPIC="A Paralympic committee of today that is no Olympic one.",
    SPECIAL="Athletes without a country of their own, as refugees and neutrals.",
    HISTORIC="It is not used any more.",
    OTHER="No code of the Olympic movement, and used all the same.",
    CUSTOM="It was added here.",
)

"""The words of settings as the graph shows them: each enum and each of its values described."""

from db.settings.vocabulary import SettingCategory, SettingKind
from schema.fields import enum

__all__ = ["SettingCategory", "SettingKind"]

enum(
    SettingKind,
    "What a setting's value is.",
    STRING="A text.",
    INTEGER="A whole number.",
    BOOLEAN="True or false.",
    FLOAT="A number.",
    JSON="Anything that JSON can say, as its schema has it.",
)
enum(
    SettingCategory,
    "What settings are about.",
    BACKUPS="When backups are made, where they are kept, and how many of them.",
    RETENTION="What is kept of that which grows for ever.",
    PRACTICE="Practice sessions.",
    LISTENERS="UDP listeners.",
    LOGGING="What is logged.",
    FEEDS="How often feeds are read, and what is done about what is found.",
    EXECUTIONS="How executions are carried out.",
    SCREENSHOTS="How pictures are taken and kept.",
)

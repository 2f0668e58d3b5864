"""The words of settings: each enum's value is its name, in the database, in JSON and in the graph."""

from enum import StrEnum


class SettingKind(StrEnum):
    """What a setting's value is."""

    STRING = "STRING"
    INTEGER = "INTEGER"
    BOOLEAN = "BOOLEAN"
    FLOAT = "FLOAT"
    JSON = "JSON"


class SettingCategory(StrEnum):
    """What settings are about. Its name, in small letters, is what their keys begin with."""

    BACKUPS = "BACKUPS"
    RETENTION = "RETENTION"
    PRACTICE = "PRACTICE"
    LISTENERS = "LISTENERS"
    LOGGING = "LOGGING"
    FEEDS = "FEEDS"
    EXECUTIONS = "EXECUTIONS"
    SCREENSHOTS = "SCREENSHOTS"

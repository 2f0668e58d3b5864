"""What happened to settings."""

from dataclasses import dataclass
from uuid import UUID, uuid5

from db.bus import Event
from db.settings.tables import Setting
from db.settings.vocabulary import SettingCategory

# Whoever runs by settings, or watches all of them, watches this.
ALL_SETTINGS = UUID(int=0x5345_5454_494E_4753)


def topic_of(category: SettingCategory | None) -> UUID:
    """Return what whoever watches a category watches; `None` is all."""
    return ALL_SETTINGS if category is None else uuid5(ALL_SETTINGS, category.value)


@dataclass(frozen=True, kw_only=True)
class SettingChanged(Event):
    """A setting was set or reset."""

    setting: Setting

    @property
    def topics(self) -> tuple[UUID, ...]:
        """All settings, and those of its category."""
        return (ALL_SETTINGS, topic_of(self.setting.category))

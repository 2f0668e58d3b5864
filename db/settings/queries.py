"""How settings and their history are read."""

from sqlmodel import col

from db.batches import Order, Pages, ToOne
from db.parameters import any_of
from db.settings.tables import Setting, SettingChange
from db.settings.visibility import visible_settings, visible_to_admins

setting_by_id = ToOne(model=Setting, visible=visible_settings)
settings = Pages(
    model=Setting,
    orders={"KEY": Order(columns=("key",))},
    filters={"categories": any_of(col(Setting.category), "filter_categories")},
    visible=visible_settings,
)

setting_change_by_id = ToOne(model=SettingChange, visible=visible_to_admins)
changes_by_setting = Pages(
    model=SettingChange,
    by="setting_id",
    orders={"NEWEST": Order(columns=("revision", "id"), is_descending=True)},
    visible=visible_to_admins,
)

"""How flags, codes and what was recognised are read."""

from sqlmodel import col

from db.batches import Order, Pages, ToOne, ToOneThrough
from db.flags.tables import Flag, FlagMapping, RecognitionAttempt
from db.flags.visibility import visible_to_all
from db.parameters import any_of

flag_by_id = ToOne(model=Flag, visible=visible_to_all)
# By the code of the Olympic movement.
flag_by_code = ToOne(model=Flag, by="code", visible=visible_to_all)
# By the code that a scoring program writes: its mapping says whose flag is shown for it.
flag_of_code = ToOneThrough(
    model=Flag, by="code", link=FlagMapping, link_by="pss_code", link_to="ioc_code", visible=visible_to_all
)
flags = Pages(
    model=Flag,
    orders={
        "NAME": Order(columns=("file_name", "id")),
        "NEWEST": Order(columns=("created_at", "id"), is_descending=True),
    },
    filters={"states": any_of(col(Flag.state), "filter_states")},
    visible=visible_to_all,
)

mapping_by_id = ToOne(model=FlagMapping, visible=visible_to_all)
mapping_by_code = ToOne(model=FlagMapping, by="pss_code", visible=visible_to_all)
mappings = Pages(
    model=FlagMapping,
    orders={"CODE": Order(columns=("pss_code", "id")), "COUNTRY": Order(columns=("country_name", "id"))},
    filters={"kinds": any_of(col(FlagMapping.kind), "filter_kinds")},
    visible=visible_to_all,
)

attempt_by_id = ToOne(model=RecognitionAttempt, visible=visible_to_all)
attempts_by_flag = Pages(
    model=RecognitionAttempt,
    by="flag_id",
    orders={"NEWEST": Order(columns=("attempted_at", "id"), is_descending=True)},
    visible=visible_to_all,
)

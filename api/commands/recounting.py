"""`ringside social recount`: whether the counters say what there is, and mending those that do not."""

import typer

from api.commands.output import console, print_json, print_table
from api.opening import open_database
from api.settings import Settings
from db.access.tables import User
from db.batches import table_of
from db.ids import encode_id
from db.social.recount import Drift, find_drift, repair


async def recount(settings: Settings, *, repairs: bool, as_json: bool) -> None:
    """Compare the counters with what they count; end with 1 if one is wrong and was not mended."""
    db = await open_database(settings, pool_size=2)
    try:
        async with db.read() as session:
            found = await find_drift(session)
        if repairs and found:
            async with db.transaction() as tx:
                await repair(tx, found)
    finally:
        await db.close()
    _report(found, is_repaired=repairs, as_json=as_json)
    if found and not repairs:
        raise typer.Exit(1)


def _report(found: list[Drift], *, is_repaired: bool, as_json: bool) -> None:
    if as_json:
        shown = [
            {"id": _id(one), "counter": one.counter, "counted": one.counted, "actual": one.actual} for one in found
        ]
        print_json({"found": shown, "isRepaired": is_repaired})
        return
    if not found:
        console.print("Every counter says what there is.", highlight=False)
        return
    rows = [(_id(one), one.counter, one.counted, one.actual) for one in found]
    print_table("Counters that do not say what there is", ["Of", "Counter", "Says", "There are"], rows)
    told = "They were mended." if is_repaired else "`ringside social recount --repair` mends them."
    console.print(told, highlight=False)


def _id(drift: Drift) -> str:
    return encode_id("user" if drift.table == table_of(User).name else "entry", drift.id)

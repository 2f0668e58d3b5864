"""`ringside matches rebuild`: what is folded from the logs of mats, made again from them."""

from sqlmodel import col, select

from api.commands.output import console, print_json, print_table
from api.opening import open_database
from api.settings import Settings
from db.clock import Clock
from db.ids import decode_id, encode_id
from db.matches.rebuilding import Rebuilt, rebuild_mat
from db.matches.tables import Mat


async def rebuild(settings: Settings, clock: Clock, *, mat: str | None, as_json: bool) -> None:
    """Fold the logs of all mats again, or that of one, each in a transaction of its own."""
    db = await open_database(settings, pool_size=2)
    try:
        async with db.read() as session:
            every = [row.id for row in await session.rows(select(Mat).order_by(col(Mat.name), col(Mat.id)))]
        done: list[Rebuilt] = []
        for mat_id in every if mat is None else [decode_id(mat, kind="mat", field="mat")]:
            async with db.transaction() as tx:
                done.append(await rebuild_mat(tx, mat_id, now=clock.now()))
    finally:
        await db.close()
    _report(done, as_json=as_json)


def _report(done: list[Rebuilt], *, as_json: bool) -> None:
    if as_json:
        shown = [
            {
                "id": encode_id("mat", one.mat.id),
                "name": one.mat.name,
                "entries": one.entries,
                "fights": one.fights,
                "changed": one.changed,
            }
            for one in done
        ]
        print_json({"mats": shown})
        return
    if not done:
        console.print("There are no mats.", highlight=False)
        return
    rows = [(one.mat.name, one.entries, one.fights, one.changed) for one in done]
    print_table("Folded again", ["Mat", "Entries", "Fights", "Scoreboards that changed"], rows)

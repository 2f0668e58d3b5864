"""How listeners, their sessions and their senders are read."""

from db.batches import Order, Pages, ToMany, ToOne
from db.network.tables import ListenerSession, Sender, UDPListener
from db.network.visibility import visible_to_operators

listener_by_id = ToOne(model=UDPListener, visible=visible_to_operators)
listeners = Pages(model=UDPListener, orders={"NAME": Order(columns=("name", "id"))}, visible=visible_to_operators)
listeners_by_mat = ToMany(model=UDPListener, by="mat_id", order=Order(columns=("id",)), visible=visible_to_operators)

session_by_id = ToOne(model=ListenerSession, visible=visible_to_operators)
sessions_by_listener = Pages(
    model=ListenerSession,
    by="listener_id",
    orders={"NEWEST": Order(columns=("started_at", "id"), is_descending=True)},
    visible=visible_to_operators,
)

sender_by_id = ToOne(model=Sender, visible=visible_to_operators)
senders_by_session = Pages(
    model=Sender,
    by="session_id",
    orders={
        "OLDEST": Order(columns=("first_seen_at", "id")),
        "NEWEST": Order(columns=("first_seen_at", "id"), is_descending=True),
    },
    visible=visible_to_operators,
)

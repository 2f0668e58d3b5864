"""How users and tokens are read."""

from db.access.tables import Token, User
from db.access.visibility import visible_tokens, visible_users
from db.batches import Order, Pages, ToOne

user_by_id = ToOne(model=User, visible=visible_users)
token_by_id = ToOne(model=Token, visible=visible_tokens)
tokens_by_user = Pages(
    model=Token,
    by="user_id",
    orders={"NEWEST": Order(columns=("created_at", "id"), is_descending=True)},
    visible=visible_tokens,
)

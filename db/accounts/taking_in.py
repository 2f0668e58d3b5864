"""What of accounts is taken in from files: accounts, of whichever owners."""

from db import import_readers as read
from db.access.tables import User
from db.access.viewer import Role
from db.accounts.events import ALL_EXECUTIONS, ALL_FEEDS
from db.accounts.operations import NEW_ACCOUNT, account_columns
from db.accounts.tables import Account
from db.importing import ImportField, TableImport, Values


def _account(said: Values) -> Values:
    kept: Values = {name: said[name] for name in ("owner_id", "is_enabled") if name in said}
    return {**kept, **account_columns(said)}


ACCOUNTS = TableImport(
    name="accounts",
    role=Role.ADMIN,
    model=Account,
    fields=(
        ImportField(header="id", column="id", read=read.optional(read.id_of("account"))),
        ImportField(header="owner.id", column="owner_id", read=read.id_of("user")),
        ImportField(header="platform", column="platform", read=read.text),
        ImportField(header="username", column="username", read=read.text),
        ImportField(header="displayName", column="display_name", read=read.text),
        ImportField(header="url", column="url", read=read.text),
        ImportField(header="isEnabled", column="is_enabled", read=read.boolean),
        ImportField(header="dailyLimit", column="daily_limit", read=read.optional(read.integer)),
        ImportField(header="dailySpendLimit", column="daily_spend_limit", read=read.optional(read.amount)),
    ),
    # By what is rarest first: rows that are there are looked for by that.
    key=("username", "platform", "owner_id"),
    needed=("owner_id", "platform", "username"),
    new=lambda _said, now: {
        **NEW_ACCOUNT,
        "is_enabled": True,
        "poll_count": 0,
        "post_count": 0,
        "revision": 0,
        "created_at": now,
        "changed_at": now,
    },
    check=_account,
    references={"owner_id": User},
    # One that is switched on has feeds that are due, and executions that wait.
    told=lambda ids: (ALL_FEEDS, ALL_EXECUTIONS) if ids else (),
)

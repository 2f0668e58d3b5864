"""Refusals: what an operation says instead of changing anything. Each is a sentence that can be shown as it is."""


class Refusal(Exception):
    """A change or a question was refused. `field` names the input at fault, in the words of `db`."""

    code = "REFUSED"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class NotFound(Refusal):
    """There is no such thing, or the viewer may not know of it: the two look the same."""

    code = "NOT_FOUND"


class Conflict(Refusal):
    """The thing is not in a state that allows this, or somebody was faster."""

    code = "CONFLICT"


class Stale(Conflict):
    """It was asked of a revision that is not the present one. `revision` is: look again, then ask again."""

    def __init__(self, message: str, *, revision: int) -> None:
        super().__init__(message, field="revision")
        self.revision = revision


class Invalid(Refusal):
    """The input cannot be right."""

    code = "BAD_USER_INPUT"


class Resync(Refusal):
    """What is known is of a database that another has taken the place of: forget it, and begin anew."""

    code = "RESYNC"


class Unauthenticated(Refusal):
    """Nobody knows who asks."""

    code = "UNAUTHENTICATED"


class Forbidden(Refusal):
    """The viewer is known and may not do this."""

    code = "FORBIDDEN"


class Unavailable(Refusal):
    """The database does not answer now. Nothing was changed, unless the message says that it is not known."""

    code = "UNAVAILABLE"

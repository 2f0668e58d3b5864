"""What is given of fights that are put on a mat by hand."""

import strawberry

from db.matches.by_hand import FightToLoad, SideToLoad

_COLOUR = "as `#rrggbb`. Null: the usual one."


@strawberry.input(description="One side of a fight that is put on a mat by hand.")
class MatchSideInput:
    """One side of a fight."""

    name: str = strawberry.field(description="Who fights on it: 1 to 200 characters.")
    short_name: str = strawberry.field(
        default="", description="The name on the scoreboard: at most 100 characters. Empty: the name."
    )
    country_code: str = strawberry.field(
        default="", description="The country, by its code: at most 10 characters. Empty if it is not known."
    )
    background: str | None = strawberry.field(default=None, description=f"Its colour {_COLOUR}")
    foreground: str | None = strawberry.field(default=None, description=f"The colour of text on it {_COLOUR}")

    def load(self) -> SideToLoad:
        """Return it as operations take it."""
        return SideToLoad(
            name=self.name,
            short_name=self.short_name,
            country_code=self.country_code,
            background=self.background,
            foreground=self.foreground,
        )


@strawberry.input(description="A fight that is put on a mat by hand.")
class MatchInput:
    """A fight that is put on a mat by hand."""

    number: str = strawberry.field(description="Its number, such as `245.A`: 1 to 100 characters.")
    blue: MatchSideInput = strawberry.field(description="Who fights in blue.")
    red: MatchSideInput = strawberry.field(description="Who fights in red.")
    phase: str = strawberry.field(default="", description="Such as `Final`: at most 100 characters.")
    weight: str = strawberry.field(default="", description="Such as `M -68kg`: at most 100 characters.")
    division: str = strawberry.field(default="", description="Such as `Seniors`: at most 100 characters.")
    round_count: int = strawberry.field(default=3, description="How many rounds it may have: 1 to 99.")
    round_seconds: int = strawberry.field(default=120, description="How long a round is: 1 to 3600 seconds.")

    def load(self) -> FightToLoad:
        """Return it as operations take it."""
        return FightToLoad(
            number=self.number,
            blue=self.blue.load(),
            red=self.red.load(),
            phase=self.phase,
            weight=self.weight,
            division=self.division,
            round_count=self.round_count,
            round_seconds=self.round_seconds,
        )

"""Made-up fights: what a scoring program would say of one, in the order and with the pauses of the real one.

Best of three rounds. A head kick is worth three points, a body kick two, a punch one, a gam-jeom one to the other side.
A lead of twelve ends a round; whoever is level with the other wins it on criteria.
"""

import random
from dataclasses import dataclass, field
from datetime import timedelta

from api.capture import CapturedMessage

_SIDES = (0, 1)
_NAMES = (
    ("Min-jun Park", "KOR"),
    ("Lea Brandt", "GER"),
    ("Tomás Ríos", "MEX"),
    ("Amélie Roux", "FRA"),
    ("Yusuf Demir", "TUR"),
    ("Nanami Ito", "JPN"),
    ("Carlos Vega", "ESP"),
    ("Chen Wei", "TPE"),
    ("Ivan Horvat", "CRO"),
    ("Amina Diallo", "SEN"),
)
_CLASSES = (("M -68kg", "20"), ("M -87kg", "22"), ("W -67kg", "18"), ("W +73kg", "20"))
_PHASES = ("Round of 16", "Quarterfinals", "Semifinals", "Bronze medal contest", "Final")
_DIVISIONS = ("Seniors", "Under 21", "Juniors", "Cadets")
# What happens while the clock runs, and how often.
_HAPPENINGS = ("punch", "body", "head", "gam-jeom", "time-out", "challenge", "injury")
_WEIGHTS = (12, 46, 16, 14, 6, 3, 3)
_POINTS = {"punch": 1, "body": 2, "head": 3}
_BETWEEN_HAPPENINGS_MS = 9_000
_ROUND_SECONDS = 120
_BREAK_SECONDS = 60
_INJURY_SECONDS = 60
_POINT_GAP = 12
_ROUNDS = 3
_ROUNDS_TO_WIN = 2
# A fifth would lose the round, which nobody has seen on the wire yet.
_MOST_GAM_JEOMS = 4


@dataclass
class _Tally:
    """What one side has come to in a round."""

    score: int = 0
    gam_jeoms: int = 0
    kinds: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_POINTS, 0))

    @property
    def merit(self) -> tuple[int, int, int]:
        """What counts when scores are level: the dearer kick."""
        return self.kinds["head"], self.kinds["body"], self.kinds["punch"]


def invented_fight(seed: int, *, number: str | None = None) -> list[CapturedMessage]:
    """Invent a fight, the same for the same seed."""
    return _Fight(random.Random(seed), number).fought()  # noqa: S311 -- a play, not a secret


class _Fight:
    """A fight while it is invented: how late it is, how it stands, and what was said of it."""

    def __init__(self, chance: random.Random, number: str | None) -> None:
        self._chance = chance
        self._number = number or str(chance.randint(101, 999))
        self._athletes = chance.sample(_NAMES, 2)
        self._at_ms = 0
        self._said: list[CapturedMessage] = []
        self._rounds = [(_Tally(), _Tally())]
        self._winners: list[int] = []
        self._leader = 0
        self._left = _ROUND_SECONDS

    def fought(self) -> list[CapturedMessage]:
        """Fight it to its end."""
        self._load()
        self._pause(20_000, 60_000)
        while max(self._won) < _ROUNDS_TO_WIN:
            if self._winners:
                self._rest()
            self._fight_round()
            self._decide()
        self._finish()
        return self._said

    @property
    def _now(self) -> tuple[_Tally, _Tally]:
        return self._rounds[-1]

    @property
    def _won(self) -> tuple[int, int]:
        return self._winners.count(1), self._winners.count(2)

    def _load(self) -> None:
        (blue, blue_country), (red, red_country) = self._athletes
        weight, threshold = self._chance.choice(_CLASSES)
        phase, division = self._chance.choice(_PHASES), self._chance.choice(_DIVISIONS)
        colours = "#0000ff;#FFFFFF;#ff0000;#FFFFFF"
        self._say("pre;FightLoaded")
        self._say("ref;;;ju1;;;ju2;;;ta;;;")
        self._say(f"at1;{blue};{blue};{blue_country};at2;{red};{red};{red_country}")
        self._say(
            f"mch;{self._number};{phase};{weight};0;{colours};null;{division};{_ROUNDS};{_ROUND_SECONDS};cntDown;"
            f"{threshold};5;"
        )
        for wire in (
            self._gam_jeoms(),
            self._round_winners(),
            self._round_scores(),
            self._score(),
            f"clk;{_clock(_ROUND_SECONDS)}",
            "rnd;1",
            "sup;0",
            "rdy;FightReady",
        ):
            self._say(wire)

    def _fight_round(self) -> None:
        """Let the clock run down, or until the lead is too great."""
        self._left = _ROUND_SECONDS
        self._say(f"clk;{_clock(self._left)};start", 0)
        self._at_ms += self._chance.randint(2, 28)
        next_tick, next_happening = self._at_ms, self._at_ms + self._until_next()
        while True:
            if next_happening < next_tick:
                self._at_ms = max(self._at_ms, next_happening)
                stood_ms = self._happen()
                next_tick += stood_ms
                next_happening = self._at_ms + self._until_next()
                if abs(self._now[0].score - self._now[1].score) >= _POINT_GAP:
                    self._say(f"clk;{_clock(self._left)};stop", 30)
                    self._say("clk;0:00;stopEnd")
                    return
                continue
            self._at_ms = max(self._at_ms, next_tick)
            self._left -= 1
            self._say(f"clk;{_clock(self._left)}", 0)
            if self._left == 0:
                break
            next_tick += self._chance.randint(990, 1010)
        self._pause(980, 1010)
        self._say("clk;0:00;stopEnd", 0)
        self._say(f"clk;{_clock(0)};stop")

    def _until_next(self) -> int:
        return int(self._chance.expovariate(1 / _BETWEEN_HAPPENINGS_MS)) + 400

    def _happen(self) -> int:
        """Let something happen; return for how many milliseconds the clock stood meanwhile."""
        (what,) = self._chance.choices(_HAPPENINGS, _WEIGHTS)
        side = self._chance.choice(_SIDES)
        if what in _POINTS:
            self._score_point(side, what)
            return 0
        if what == "gam-jeom":
            self._penalise(side)
            return 0
        began = self._at_ms
        if what == "injury":
            self._injure()
        else:
            self._say(f"clk;{_clock(self._left)};stop", 0)
            if what == "challenge":
                self._challenge(side)
            self._pause(3_000, 20_000)
        self._say(f"clk;{_clock(self._left)};start", 0)
        return self._at_ms - began

    def _score_point(self, side: int, what: str) -> None:
        tally, points = self._now[side], _POINTS[what]
        tally.score += points
        tally.kinds[what] += 1
        if what == "body" and self._chance.random() < 1 / 3:
            self._say(f"hl{side + 1};99", 0)
        self._tell_totals()
        self._say(f"pt{side + 1};{points}")

    def _penalise(self, side: int) -> None:
        if self._now[side].gam_jeoms >= _MOST_GAM_JEOMS:
            return
        self._now[side].gam_jeoms += 1
        self._now[1 - side].score += 1
        self._tell_totals()
        self._say(self._gam_jeoms())

    def _tell_totals(self) -> None:
        """Say who leads, if that is another now, and the totals: they come before what led to them."""
        blue, red = (tally.score for tally in self._now)
        leader = 0 if blue == red else 1 + (red > blue)
        if leader != self._leader:
            self._leader = leader
            self._say(f"sup;{leader}")
        self._say(self._score())
        self._say(self._round_scores())

    def _challenge(self, side: int) -> None:
        self._pause(500, 3_000)
        self._say(f"ch{side + 1}", 0)
        self._pause(1_000, 4_000)
        answer = self._chance.choice(("1", "0", "-1"))
        self._say(f"ch{side + 1};{answer}", 0)
        if answer == "1":
            self._pause(5_000, 30_000)
            self._say(f"ch{side + 1};1;{self._chance.choice('01')}", 0)

    def _injure(self) -> None:
        left = _INJURY_SECONDS
        self._say(f"ij0;{_clock(left)};show", 0)
        self._say(f"ij0;{_clock(left - 1)}")
        self._say(f"clk;{_clock(self._left)};stop")
        for left in range(_INJURY_SECONDS - 2, self._chance.randint(5, _INJURY_SECONDS - 5), -1):
            self._pause(990, 1010)
            self._say(f"ij0;{_clock(left)}", 0)
        self._pause(200, 900)
        self._say(f"ij0;{_clock(left)};hide", 0)
        self._pause(300, 900)

    def _decide(self) -> None:
        """Say who won the round, as the operator does after a while."""
        blue, red = self._now
        if (blue.score, blue.merit) == (red.score, red.merit):
            winner = self._chance.choice((1, 2))
        else:
            winner = 1 if (blue.score, blue.merit) > (red.score, red.merit) else 2
        self._pause(300, 900)
        if blue.score == red.score:
            self._say(f"sup;{winner}", 0)
        self._winners.append(winner)
        self._pause(3_000, 9_000)
        self._say(self._round_winners(), 0)
        self._say(self._round_scores())
        self._say(f"rst;{len(self._winners)};st1;{_statistics(blue)};st2;{_statistics(red)};")
        self._say("rsr;")

    def _rest(self) -> None:
        """Let them rest for a minute, or less if all are ready."""
        is_cut_short = self._chance.random() < 1 / 2
        end = self._chance.randint(10, 50) if is_cut_short else 0
        for left in range(_BREAK_SECONDS - 1, end - 1, -1):
            self._say(f"brk;{_clock(left)}", 0 if left < _BREAK_SECONDS - 1 else 13)
            self._pause(990, 1010)
        if is_cut_short:
            self._say("sup;0", 0)
        else:
            self._say("brk;0:00;stopEnd", 0)
        # Nothing says that scores and penalties begin at nought again.
        self._rounds.append((_Tally(), _Tally()))
        self._leader = 0
        self._say(f"rnd;{len(self._rounds)}")
        self._pause(1_500, 6_000)

    def _finish(self) -> None:
        blue, red = self._won
        winner = 0 if blue > red else 1
        self._pause(2_400, 16_000)
        self._say(f"win;{('BLUE', 'RED')[winner]}", 0)
        self._say(f"wmh;{self._athletes[winner][0]};{blue}-{red} PTF", self._chance.randint(12, 55))

    def _score(self) -> str:
        return f"sc1;{self._now[0].score};sc2;{self._now[1].score}"

    def _gam_jeoms(self) -> str:
        return f"wg1;{self._now[0].gam_jeoms};wg2;{self._now[1].gam_jeoms}"

    def _round_scores(self) -> str:
        scores = [[tally.score for tally in one] for one in self._rounds]
        scores += [[0, 0]] * (_ROUNDS - len(scores))
        parts = (f"s{side + 1}{number};{one[side]}" for number, one in enumerate(scores, start=1) for side in _SIDES)
        return ";".join(parts)

    def _round_winners(self) -> str:
        winners = [*self._winners, *[0] * _ROUNDS][:_ROUNDS]
        return "wrd;" + ";".join(f"rd{number};{winner}" for number, winner in enumerate(winners, start=1))

    def _say(self, wire: str, after_ms: int = 13) -> None:
        if self._said:
            self._at_ms += after_ms
        self._said.append(CapturedMessage(offset=timedelta(milliseconds=self._at_ms), wire=wire, text_is="invented"))

    def _pause(self, shortest_ms: int, longest_ms: int) -> None:
        self._at_ms += self._chance.randint(shortest_ms, longest_ms)


def _clock(seconds: int) -> str:
    return f"{seconds // 60:02}:{seconds % 60:02}"


def _statistics(tally: _Tally) -> str:
    """Body, head, punch, two that nobody knows, gam-jeoms: as the real one counts them."""
    kinds = tally.kinds
    return f"{kinds['body']};{kinds['head']};{kinds['punch']};0;0;{tally.gam_jeoms}"

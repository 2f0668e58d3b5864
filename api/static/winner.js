/** The winner: who was announced, how it was won, and the score of each round. */

import { drawCountry, field, fit, make, mark, partOf, write } from "/static/drawing.js";
import { howWon, matchLine, matchNumber, roundsOver, roundsWon, tidy, tournamentOf, winnerOf } from "/static/words.js";

const MOST_ROUNDS = 5;

const scene = document.getElementById("winner");

/** Say whether there is anything to draw: somebody was announced, or a tie. */
export function isDecided(match) {
  return match.state === "ENDED";
}

/** Draw how a match ended. */
export function drawWinner(match) {
  const winner = winnerOf(match);
  const athlete = match[winner] ?? {};
  const champion = scene.querySelector(".champion");
  mark(champion, "whose", winner);
  write(scene, "tournament", tournamentOf(match));
  write(scene, "number", matchNumber(match));
  write(scene, "line", matchLine(match, { isShort: true }));
  write(scene, "title", winner ? "Winner" : "Result");
  drawCountry(champion.querySelector(".country"), athlete.countryCode);
  write(scene, "how", howWon(match));
  drawSheet(match, winner);
  const names = winner ? [athlete.longName || athlete.name || match.winnerName, athlete.name] : ["Tie"];
  fit(field(scene, "name"), match.outcome ? names : ["No winner announced"]);
}

function drawSheet(match, winner) {
  const rounds = roundsOver(match).slice(-MOST_ROUNDS);
  const heads = ["", ...rounds.map(({ number }) => `R${number}`), "Rounds"];
  field(scene, "heads").replaceChildren(...heads.map((text) => make("th", text)));
  for (const side of ["blue", "red"]) {
    const row = partOf(scene.querySelector("tbody"), side);
    const name = make("th", tidy(match[side]?.name || match[side]?.longName || side));
    name.dir = "auto";
    const scores = rounds.map((round) => make("td", String(round[`${side}Score`]), String(round.winner).toLowerCase() === side ? "won" : ""));
    row.replaceChildren(name, ...scores, make("td", String(roundsWon(match, side)), "sum"));
    row.classList.toggle("won", winner === side);
  }
}

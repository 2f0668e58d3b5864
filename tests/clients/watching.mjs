// What every client is asked to do: a question, a change, a fight that is watched through an interruption, a refusal.
export const { URL: url, TOKEN: token, MAT: mat } = process.env;
export const socketURL = url.replace(/^http/, "ws");
export const authorization = { authorization: `Bearer ${token}` };

export const ROLE = "query Role { viewer { role } }";
export const LAY = 'mutation Lay { matCreate(input: { name: "Laid by a client" }) { mat { name } errors { code } } }';
export const BOARD =
  "subscription Board($mat: ID!) { scoreboardChanged(matId: $mat) { scoreboard { revision blue { score } } } }";
export const WRONG = 'subscription Wrong { matchEvents(matchId: "x") { cursor } }';

/** Collects revisions until the third has come. */
export function revisions() {
  const seen = new Set();
  let finish;
  const done = new Promise((resolve) => (finish = resolve));
  return {
    take({ data }) {
      seen.add(data.scoreboardChanged.scoreboard.revision);
      if (seen.has(3)) finish([...seen]);
    },
    done,
  };
}

/** Prints what came of it and ends, whatever the client still holds open. */
export function tell(found) {
  console.log(JSON.stringify(found));
  process.exit(0);
}

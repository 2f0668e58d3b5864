// graphql-ws on Node as its documentation shows it: `node graphql_ws.mjs <package.json> <answer.json> <port>`.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import net from "node:net";

const [packages, answerFile, port] = process.argv.slice(2);
const require = createRequire(packages);
const { WebSocketServer } = require("ws");
const { buildSchema } = require("graphql");
const { useServer } = require("graphql-ws/use/ws");

const answer = JSON.parse(readFileSync(answerFile, "utf8")).scoreboardChanged;
const schema = buildSchema(`
  type Query { isUp: Boolean! }
  type Subscription { scoreboardChanged(matId: ID!): ScoreboardChanged! }
  type ScoreboardChanged { sentAt: String! scoreboard: Scoreboard }
  type Scoreboard {
    revision: Int! number: String! phase: String! weight: String! division: String! state: String! round: Int!
    roundCount: Int roundScore: String! changedAt: String! clock: Clock! blue: Side! red: Side!
  }
  type Clock { state: String! remainingMs: Int! asOf: String! }
  type Side {
    name: String! longName: String! countryCode: String! score: Int! roundsWon: Int! gamJeoms: Int!
    roundScores: [Int!]! background: String! foreground: String!
  }
`);

let revision = 1;
const shown = () => ({ ...answer, scoreboard: { ...answer.scoreboard, revision } });
const watching = new Set();

schema.getSubscriptionType().getFields().scoreboardChanged.subscribe = () => {
  const queue = [shown()];
  let wake = null;
  const push = (value) => {
    queue.push(value);
    wake?.();
    wake = null;
  };
  watching.add(push);
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      while (!queue.length) await new Promise((resolve) => (wake = resolve));
      return { value: { scoreboardChanged: queue.shift() }, done: false };
    },
    async return() {
      watching.delete(push);
      return { done: true, value: undefined };
    },
  };
};

net
  .createServer((socket) =>
    socket.on("data", () => {
      const now = process.hrtime.bigint();
      revision += 1;
      const value = shown();
      for (const push of watching) push(value);
      socket.write(`${now} ${now}\n`);
    }),
  )
  .listen(Number(port) + 1, "127.0.0.1");

const server = new WebSocketServer({ port: Number(port), host: "127.0.0.1", path: "/graphql", backlog: 4096 });
useServer({ schema }, server);
server.on("listening", () => console.log("up"));

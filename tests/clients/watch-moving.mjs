// Two clients that follow a fight's log through the end of a server: graphql-ws, and the one of our own pages.
import { readFile } from "node:fs/promises";
import { createClient } from "graphql-ws";
import WS from "ws";

const { URLS, TOKEN: token, MATCH: match, LAST: last, KIT: kit } = process.env;
const urls = URLS.split(" ");
const FEED =
  "subscription ($match: ID!, $after: String) { matchEvents(matchId: $match, after: $after) { cursor event { seq } } }";

/** What one client has heard: it asks again from where it was, because its variables are read anew each time. */
function listener(tell) {
  const variables = { match };
  const heard = [];
  let finish;
  const done = new Promise((resolve) => (finish = resolve));
  const take = ({ matchEvents: { cursor, event } }) => {
    variables.after = cursor;
    heard.push(event.seq);
    tell(event.seq);
    if (event.seq === Number(last)) finish(heard);
  };
  return { variables, take, done };
}

const told = { other: 0, own: 0 };
const report = (name) => (seq) => {
  told[name] = seq;
  console.log(JSON.stringify(told));
};

const other = listener(report("other"));
let calls = 0;
createClient({
  url: () => urls[calls++ % urls.length],
  webSocketImpl: WS,
  connectionParams: { token },
  retryAttempts: 100,
  retryWait: () => new Promise((resolve) => setTimeout(resolve, 20)),
}).subscribe({ query: FEED, variables: other.variables }, { next: ({ data }) => other.take(data), error: console.error, complete() {} });

const own = listener(report("own"));
let openings = 0;
globalThis.WebSocket = class extends WS {
  constructor(_, protocol) {
    super(urls[openings++ % urls.length], protocol);
    // A browser's socket says so to nobody, if nobody listens.
    this.on("error", () => {});
  }
};
globalThis.location = {};
const source = await readFile(kit, "utf8");
const { subscribe } = await import(`data:text/javascript,${encodeURIComponent(source)}`);
subscribe({ url: urls[0], token, watched: [{ query: FEED, variables: own.variables, onNext: own.take }] });

console.log(JSON.stringify({ other: await other.done, own: await own.done, calls, openings }));
process.exit(0);

/**
 * A small `graphql-transport-ws` client: some subscriptions on one socket, kept alive for ever.
 *
 * It has no dependencies, never throws into its caller and never gives up: an overlay runs unattended for days, and
 * the server, the network or the token may come back at any time.
 */

const FIRST_RETRY_MS = 250;
const SLOWEST_RETRY_MS = 10_000;
const REFUSED_RETRY_MS = 30_000;
const RESTART_SPREAD_MS = 500;
const PING_EVERY_MS = 5_000;
const SILENCE_MS = 12_000;
const WATCH_EVERY_MS = 1_000;

const REFUSED_CLOSES = new Set([4401, 4403]);
const REFUSED_CODES = new Set(["UNAUTHENTICATED", "FORBIDDEN"]);
const RESTART_CLOSE = 1012;
// Too many sockets, too many messages, try again later: the reason says which, in a sentence.
const TELLING_CLOSES = new Set([4441, 4442, 1013]);

/** How long to wait before try number `attempt` (from 0): exponential, capped, ±50 %. */
export function backoff(attempt, random = Math.random) {
  return Math.min(SLOWEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempt, 16)) * (0.5 + random());
}

/** The server's GraphQL endpoint as a WebSocket address, on the host this page came from. */
export function socketURL(path = "/graphql", place = location) {
  return `${place.protocol === "https:" ? "wss:" : "ws:"}//${place.host}${path}`;
}

/**
 * Subscribe; returns `stop()`.
 *
 * @param {object} options
 * @param {string} options.url the socket's address, `ws:` or `wss:`
 * @param {string | null} options.token sent in `connection_init` as `{token}`
 * @param {object[]} options.watched the subscriptions, each `{query, variables, onNext}`; `onNext(data, {first})` is
 *   told by `first` which is the first answer of a connection: a snapshot, not a change that just happened
 * @param {(status: "connecting" | "live" | "refused" | "error", message: string) => void} [options.onStatus]
 *   "refused": the token is missing, wrong, expired or not for this; tried again slowly, as it may be renewed.
 *   "error": the server refused the operation, `message` says why. Told only when it changes.
 */
export function subscribe({ url, token, watched, onStatus = () => {} }) {
  let drop = () => {};
  let attempt = 0;
  let timer = null;
  let stopped = false;
  let told = "";

  function tell(status, message = "") {
    if (stopped || told === status + message) return;
    told = status + message;
    guarded(onStatus, status, message);
  }

  function again(delay) {
    if (!stopped) timer = setTimeout(connect, delay);
  }

  function failed({ code, reason, refused, error }) {
    drop();
    if (stopped) return;
    if (refused || REFUSED_CLOSES.has(code)) {
      tell("refused", refused || reason || "");
      again(REFUSED_RETRY_MS * (0.9 + Math.random() * 0.2));
      return;
    }
    const fault = error || (TELLING_CLOSES.has(code) ? reason : "");
    tell(fault ? "error" : "connecting", fault);
    const restarting = code === RESTART_CLOSE && attempt === 0;
    again(restarting ? Math.random() * RESTART_SPREAD_MS : backoff(attempt));
    attempt += 1;
  }

  function connect() {
    if (told === "") tell("connecting");
    try {
      drop = open({ url, token, watched, heard, answered, failed });
    } catch (error) {
      failed({ error: String(error?.message ?? error) });
    }
  }

  // A pong proves a quiet feed to be live, but only data proves the operations to work, all of them.
  function heard() {
    tell("live");
  }

  function answered({ onNext }, data, { first, hasAll }) {
    if (hasAll) attempt = 0;
    tell("live");
    guarded(onNext, data, { first });
  }

  function stop() {
    stopped = true;
    clearTimeout(timer);
    drop();
  }

  connect();
  return stop;
}

/** One socket's life. Calls `failed` at most once; returns `drop()`, which ends it without a word. */
function open({ url, token, watched, heard, answered, failed }) {
  const socket = new WebSocket(url, "graphql-transport-ws");
  let heardAt = performance.now();
  let pingedAt = heardAt;
  let pings = 0;
  let acknowledged = false;
  const begun = new Set();
  let finished = false;

  const send = (message) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  };

  // A half-open connection never closes by itself. Silence counts only once pings went unanswered, since a hidden
  // page's timers are slowed down and it may simply not have asked.
  const watch = setInterval(() => {
    const now = performance.now();
    if (now - heardAt > SILENCE_MS && (!acknowledged || pings >= 2)) return end({ reason: "silent" });
    if (!acknowledged || now - pingedAt < PING_EVERY_MS) return;
    pingedAt = now;
    pings += 1;
    send({ type: "ping" });
  }, WATCH_EVERY_MS);

  function drop() {
    finished = true;
    clearInterval(watch);
    socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null;
    socket.close();
  }

  function end(why) {
    if (finished) return;
    drop();
    failed(why);
  }

  const handlers = {
    connection_ack() {
      acknowledged = true;
      watched.forEach(({ query, variables }, index) => send({ id: String(index + 1), type: "subscribe", payload: { query, variables } }));
    },
    ping: () => send({ type: "pong" }),
    pong: () => acknowledged && heard(),
    next({ id, payload }) {
      const data = payload?.data ?? {};
      // An event that failed as a whole leaves a gap that only a new snapshot fills.
      const empty = Object.values(data).every((value) => value === null);
      if (payload?.errors?.length && empty) return end(explain(payload.errors));
      const first = !begun.has(id);
      begun.add(id);
      answered(watched[Number(id) - 1], data, { first, hasAll: begun.size === watched.length });
    },
    error: ({ payload }) => end(explain(payload)),
    complete: () => end({ reason: "complete" }),
  };

  socket.onopen = () => send({ type: "connection_init", payload: token ? { token } : {} });
  socket.onclose = ({ code, reason }) => end({ code, reason });
  socket.onmessage = ({ data }) => {
    heardAt = performance.now();
    pings = 0;
    const message = parsed(data);
    if (Object.hasOwn(handlers, message?.type)) handlers[message.type](message);
  };
  return drop;
}

/** GraphQL errors as `{refused}` or `{error}`, a sentence each. */
function explain(errors) {
  const found = Array.isArray(errors) ? errors[0] : errors;
  const message = String(found?.message || "The server refused the subscription.");
  return REFUSED_CODES.has(found?.extensions?.code) ? { refused: message } : { error: message };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** A fault in the page's own drawing must not cost the connection. */
function guarded(call, ...values) {
  try {
    call(...values);
  } catch (error) {
    console.error(error);
  }
}

/**
 * Subscribe for an overlay page to what its address names, as `/overlays/goal/ID` does, with the token behind its `#`;
 * anew when that changes.
 *
 * @param {object} options
 * @param {object[]} options.watched what may be watched, each `{kinds, query, onNext}`: where the address names one of the
 *   kinds, `goal` makes the variable `goalId` of the query
 * @param {Function} options.onStatus as of `subscribe`
 */
export function subscribeToAddress({ watched, onStatus }) {
  let stop = () => {};

  function start() {
    stop();
    const { kind, variables } = named();
    const found = watched
      .filter(({ kinds }) => kinds.includes(kind))
      .map(({ query, given = {}, onNext }) => ({ query, variables: { ...variables, ...given }, onNext }));
    const known = [...new Set(watched.flatMap(({ kinds }) => kinds))];
    if (!found.length) return onStatus("error", `This address names no ${known.join(" and no ")}`);
    stop = subscribe({ url: socketURL(), token: tokenOfAddress(), watched: found, onStatus });
  }

  window.addEventListener("hashchange", start);
  // A browser may keep a page that was left, and its socket with it, which counts among those that a token may hold.
  window.addEventListener("pagehide", () => stop());
  window.addEventListener("pageshow", ({ persisted }) => persisted && start());
  start();
}

/** The token behind the `#` of this page's address, `null` if there is none. */
export function tokenOfAddress() {
  return new URLSearchParams(location.hash.slice(1)).get("token");
}

/** The kind that this page's address names, and the variables that it gives; neither if it names nothing. */
function named() {
  const [, kind, id] = /^\/overlays\/([a-z]+)\/([^/]+)\/?$/.exec(location.pathname) ?? [];
  if (!kind) return {};
  try {
    return { kind, variables: { [`${kind}Id`]: decodeURIComponent(id) } };
  } catch {
    return {};
  }
}

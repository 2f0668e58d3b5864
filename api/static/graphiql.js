/**
 * GraphiQL on our own assets: queries over HTTP, subscriptions over `graphql-transport-ws`, one token for both.
 *
 * The token comes from `#token=…` or is pasted in; it lives in this tab's session storage, never in the address, and
 * never in the storage GraphiQL keeps its tabs in.
 */

import { socketURL } from "/static/live.js";

const { React, ReactDOM, GraphiQL, GraphiQLPluginExplorer, graphqlWs } = window;

const STORED_AS = "ringside.token";
const ENDPOINT = "/graphql";
const REFUSED_CLOSES = [4401, 4403];

const WELCOME = `# Welcome to Ringside.
#
# Ctrl-Enter runs the operation the cursor is in, and
# Ctrl-Space completes a word. On the left are the
# reference of the whole schema and an explorer that
# builds queries by clicking.

# The mats, and what is being fought on each.
query Mats {
  mats {
    nodes {
      id
      name
      currentMatch {
        id
        number
        state
        sides {
          side
          score
          athlete {
            name
            countryCode
          }
        }
      }
    }
  }
}

# One match. "Variables" below holds the id of the
# one that is on the first mat now.
query Match($id: ID!) {
  match(id: $id) {
    number
    phase
    weight
    division
    state
  }
}

# A mat, live: its state now, then every change,
# until you press stop.
subscription Scoreboard($mat: ID!) {
  scoreboardChanged(matId: $mat) {
    sentAt
    scoreboard {
      revision
      state
      round
      clock {
        state
        remainingMs
      }
      blue {
        name
        score
        gamJeoms
        roundsWon
      }
      red {
        name
        score
        gamJeoms
        roundsWon
      }
    }
  }
}
`;

// --- The token -------------------------------------------------------------------------------------------------------

let token = sessionStorage.getItem(STORED_AS) ?? "";
let refused = false;
let socket = null;

function takeFromAddress() {
  const found = new URLSearchParams(location.hash.slice(1)).get("token");
  if (found === null) return;
  history.replaceState(null, "", location.pathname + location.search);
  use(found);
}

function use(text) {
  token = text.trim().replace(/^Bearer\s+/i, "");
  if (token) sessionStorage.setItem(STORED_AS, token);
  else sessionStorage.removeItem(STORED_AS);
  socket?.dispose();
  socket = null;
  judge(false);
  draw();
}

/** Remember what the server last thought of the token, and show it. */
function judge(isRefused) {
  refused = isRefused;
  const state = document.getElementById("state");
  state.dataset.token = refused ? "refused" : token ? "present" : "missing";
  state.textContent = refused && token ? "Token refused" : token ? `Token ${masked(token)}` : "No token";
  document.getElementById("hint").hidden = Boolean(token) && !refused;
  document.getElementById("forget").hidden = !token;
}

/** Its public beginning, `rs_` and eight letters; the rest is the secret. */
function masked(text) {
  return /^rs_[^_]{1,8}_/.test(text) ? `${text.split("_", 2).join("_")}_…` : "is set";
}

document.getElementById("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = document.getElementById("token");
  use(input.value);
  input.value = "";
});
document.getElementById("forget").addEventListener("click", () => use(""));
window.addEventListener("hashchange", takeFromAddress);

// --- Asking ----------------------------------------------------------------------------------------------------------

function fetcherFor(currentToken) {
  return (params, options) => (isSubscription(params, options) ? watch(params) : ask(params, options, currentToken));
}

function isSubscription({ operationName }, options) {
  const operations = (options?.documentAST?.definitions ?? []).filter(({ kind }) => kind === "OperationDefinition");
  const chosen = operations.find(({ name }) => name?.value === operationName) ?? operations[0];
  return chosen?.operation === "subscription";
}

async function ask(params, options, currentToken) {
  const headers = {
    "content-type": "application/json",
    accept: "application/graphql-response+json, application/json",
    ...(currentToken && { authorization: `Bearer ${currentToken}` }),
    ...options?.headers,
  };
  const response = await fetch(ENDPOINT, { method: "POST", headers, body: JSON.stringify(params) });
  const answer = await read(response);
  if (currentToken === token) judge(response.status === 401 || isUnauthenticated(answer.errors));
  return answer;
}

/** The answer's JSON; what a proxy or a fault says instead of JSON, as an error. */
async function read(response) {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return { errors: [{ message: `HTTP ${response.status} ${response.statusText}`.trim(), body: text.slice(0, 300) }] };
  }
}

function isUnauthenticated(errors) {
  return Array.isArray(errors) && errors.some((error) => error?.extensions?.code === "UNAUTHENTICATED");
}

/** A subscription as the observable that GraphiQL knows how to follow and to stop. */
function watch(params) {
  return {
    subscribe(sink) {
      const unsubscribe = client().subscribe(params, {
        next: (answer) => sink.next(answer),
        complete: () => sink.complete(),
        error: (error) => sink.error(readable(error)),
      });
      return { unsubscribe };
    },
  };
}

function client() {
  socket ??= graphqlWs.createClient({
    url: socketURL(ENDPOINT),
    connectionParams: () => (token ? { token } : {}),
    keepAlive: 10_000,
    retryAttempts: 20,
    shouldRetry: (event) => event instanceof CloseEvent && !REFUSED_CLOSES.includes(event.code),
  });
  return socket;
}

/** What ended a subscription, as GraphQL errors: GraphiQL shows these as they are, an `Error` with its stack. */
function readable(error) {
  if (Array.isArray(error)) {
    if (isUnauthenticated(error)) judge(true);
    return error;
  }
  if (!(error instanceof CloseEvent)) return [{ message: "The connection was lost." }];
  if (REFUSED_CLOSES.includes(error.code)) judge(true);
  return [{ message: `The server closed the connection: ${error.code} ${error.reason}`.trim() }];
}

// --- The page --------------------------------------------------------------------------------------------------------

function Workbench({ fetcher, variables }) {
  const [query, setQuery] = React.useState(undefined);
  const explorer = GraphiQLPluginExplorer.useExplorerPlugin({ query: query ?? "", onEdit: setQuery, showAttribution: false });
  return React.createElement(GraphiQL, {
    fetcher,
    query,
    variables,
    onEditQuery: setQuery,
    plugins: [explorer],
    defaultQuery: WELCOME,
    defaultEditorToolsVisibility: "variables",
    isHeadersEditorEnabled: true,
    shouldPersistHeaders: false,
    showPersistHeadersSettings: false,
  });
}

/** The variables of the first examples: what there is to look at, so that they run at the first press. */
async function exampleVariables(fetcher) {
  const query = "{ mats(first: 1) { nodes { id currentMatch { id } } } }";
  const answer = token ? await fetcher({ query }).catch(() => ({})) : {};
  const mat = answer.data?.mats?.nodes?.[0];
  return mat ? JSON.stringify({ mat: mat.id, id: mat.currentMatch?.id ?? "" }, null, 2) : "";
}

/** A new workbench for each token: it reads the schema again, and forgets what the former token was answered. */
async function draw() {
  const key = token;
  const fetcher = fetcherFor(key);
  const variables = await exampleVariables(fetcher);
  if (key !== token) return;
  const workbench = React.createElement(Workbench, { key, fetcher, variables });
  ReactDOM.render(workbench, document.getElementById("graphiql"));
}

takeFromAddress();
judge(false);
draw();

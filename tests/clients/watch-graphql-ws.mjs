// graphql-ws, over a socket that it opens anew by itself.
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { BOARD, LAY, ROLE, WRONG, mat, revisions, socketURL, tell, token } from "./watching.mjs";

const client = createClient({
  url: socketURL,
  webSocketImpl: WebSocket,
  connectionParams: { token },
  retryWait: async () => {},
});

const once = (query) =>
  new Promise((resolve, reject) => client.subscribe({ query }, { next: resolve, error: reject, complete() {} }));

const role = (await once(ROLE)).data.viewer.role;
const laid = (await once(LAY)).data.matCreate;
const refused = await once(WRONG).catch((errors) => errors);
const seen = revisions();
const stop = client.subscribe({ query: BOARD, variables: { mat } }, { next: seen.take, error: console.error, complete() {} });
const heard = await seen.done;
stop();
tell({ role, laid, heard, refused: refused[0].extensions.code });

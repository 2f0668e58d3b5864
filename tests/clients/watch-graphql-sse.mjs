// graphql-sse with a connection for each operation, which it opens anew by itself.
import { createClient } from "graphql-sse";
import { BOARD, LAY, ROLE, WRONG, authorization, mat, revisions, tell, url } from "./watching.mjs";

const client = createClient({ url, headers: authorization, retry: async () => {} });

const once = (query) =>
  new Promise((resolve, reject) => client.subscribe({ query }, { next: resolve, error: reject, complete() {} }));

const role = (await once(ROLE)).data.viewer.role;
const laid = (await once(LAY)).data.matCreate;
const refused = (await once(WRONG)).errors;
const seen = revisions();
const stop = client.subscribe({ query: BOARD, variables: { mat } }, { next: seen.take, error: console.error, complete() {} });
const heard = await seen.done;
stop();
tell({ role, laid, heard, refused: refused[0].extensions.code });

// urql: everything by HTTP, what is watched as a stream of events; it lists those last for all that is not watched.
import { Client, fetchExchange } from "@urql/core";
import { BOARD, LAY, ROLE, WRONG, authorization, mat, revisions, tell, url } from "./watching.mjs";

const client = new Client({
  url,
  exchanges: [fetchExchange],
  fetchSubscriptions: true,
  preferGetMethod: false,
  fetchOptions: { headers: authorization },
});

const role = (await client.query(ROLE, {}).toPromise()).data.viewer.role;
const made = (await client.mutation(LAY, {}).toPromise()).data.matCreate;
const laid = { mat: { name: made.mat.name }, errors: made.errors };
const refused = await new Promise((resolve) =>
  client.subscription(WRONG, {}).subscribe(({ error }) => error && resolve(error)),
);
const seen = revisions();
// urql does not come back by itself: whoever uses it subscribes again when a stream has ended.
function watch() {
  client.subscription(BOARD, { mat }).subscribe((result) => {
    if (result.data) seen.take(result);
    if (!result.hasNext) setTimeout(watch, 20);
  });
}
watch();
const heard = await seen.done;
tell({ role, laid, heard, refused: refused.graphQLErrors[0].extensions.code });

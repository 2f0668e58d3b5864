// PostGraphile 5 over the benchmark's tables: the Amber preset, its simple lists, Grafast's plans.
//
//     node postgraphile.mjs URL PORT      serves
//     node postgraphile.mjs URL print     prints the schema

import { createServer } from "node:http";
import { printSchema } from "graphql";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";

const [url, port] = process.argv.slice(2);

const instance = postgraphile({
  extends: [PostGraphileAmberPreset],
  // Entries are ordered by columns that it would not offer, seeing the index as one of roots only.
  disablePlugins: ["PgIndexBehaviorsPlugin"],
  schema: { pgSimpleCollections: "only", defaultBehavior: "+list -connection +queryField" },
  grafserv: { graphiql: false, watch: false },
  grafast: { explain: false },
  pgServices: [makePgService({ connectionString: url, schemas: ["public"], poolConfig: { max: 10, idleTimeoutMillis: 0 } })],
});

if (port === "print") {
  console.log(printSchema(await instance.getSchema()));
  process.exit();
}
const server = createServer();
await instance.createServ(grafserv).addTo(server);
server.listen(Number(port), "127.0.0.1");

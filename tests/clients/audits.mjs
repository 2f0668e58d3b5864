// The audits of GraphQL over HTTP that `graphql-http` brings, as they are; all that is added is who asks.
import { auditServer } from "graphql-http";

const { URL: url, TOKEN: token } = process.env;
const results = await auditServer({
  url,
  fetchFn: (address, options) =>
    fetch(address, { ...options, headers: { ...options?.headers, authorization: `Bearer ${token}` } }),
});
const missed = results.filter((result) => result.status !== "ok");
console.log(
  JSON.stringify({
    passed: results.length - missed.length,
    missed: missed.map(({ id, name, status, reason }) => ({ id, name, status, reason })),
  }),
);

// Apollo Client as an application has it: over HTTP, with persisted queries.
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from "@apollo/client/core";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { createHash } from "node:crypto";

const { URL: uri, TOKEN: token } = process.env;
const headers = { authorization: `Bearer ${token}` };
const sent = [];
const http = new HttpLink({
  uri,
  headers,
  fetch: (address, options) => {
    sent.push(options.method + (String(options.body ?? address).includes('"query":') ? " whole" : " by name"));
    return fetch(address, options);
  },
});
const persisted = new PersistedQueryLink({ sha256: (text) => createHash("sha256").update(text).digest("hex") });
const made = (link) => new ApolloClient({ link, cache: new InMemoryCache() });
const client = made(http);

const MATS = gql`
  query Mats {
    mats {
      nodes {
        id
        name
      }
    }
  }
`;
const CREATE = gql`
  mutation Create($name: String!) {
    matCreate(input: { name: $name }) {
      mat {
        id
        name
      }
      errors {
        code
        field
      }
    }
  }
`;
const names = (answer) => answer.data.mats.nodes.map((mat) => mat.name);
const told = async (asked) => {
  try {
    await asked;
    return "nothing";
  } catch (error) {
    return CombinedGraphQLErrors.is(error) ? error.errors.map((one) => one.extensions.code) : String(error);
  }
};

const before = names(await client.query({ query: MATS }));
const created = await client.mutate({ mutation: CREATE, variables: { name: "From Apollo" } });
const refused = await client.mutate({ mutation: CREATE, variables: { name: "" } });
const after = names(await client.query({ query: MATS, fetchPolicy: "network-only" }));
const field = await told(client.query({ query: gql`{ mat(id: "x") { id } }` }));
const document = await told(client.query({ query: gql`{ nothing }` }));
sent.length = 0;
const byName = made(ApolloLink.from([persisted, http]));
const first = names(await byName.query({ query: MATS }));
const again = names(await byName.query({ query: MATS, fetchPolicy: "network-only" }));

console.log(
  JSON.stringify({
    before,
    created: created.data.matCreate.mat.name,
    refused: refused.data.matCreate.errors.map(({ code, field }) => ({ code, field })),
    after,
    field,
    document,
    persisted: [first.length, again.length],
    sent,
  }),
);

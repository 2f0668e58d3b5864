// urql as an application has it, over HTTP alone.
import { Client, fetchExchange } from "@urql/core";

const { URL: url, TOKEN: token } = process.env;
const client = new Client({
  url,
  exchanges: [fetchExchange],
  preferGetMethod: process.env.BY_GET === "yes",
  fetchOptions: { headers: { authorization: `Bearer ${token}` } },
});

const MATS = "query Mats { mats { nodes { id name } } }";
const CREATE = `
  mutation Create($name: String!) {
    matCreate(input: { name: $name }) { mat { name } errors { code field } }
  }
`;
const names = (answer) => answer.data.mats.nodes.map((mat) => mat.name);
const codes = (answer) => answer.error.graphQLErrors.map((error) => error.extensions.code);

const before = names(await client.query(MATS, {}));
const created = await client.mutation(CREATE, { name: "From urql" });
const refused = await client.mutation(CREATE, { name: "" });
const after = names(await client.query(MATS, {}, { requestPolicy: "network-only" }));
const field = await client.query('{ mat(id: "x") { id } }', {});
const document = await client.query("{ nothing }", {});

console.log(
  JSON.stringify({
    before,
    created: created.data.matCreate.mat.name,
    refused: refused.data.matCreate.errors,
    after,
    field: { data: field.data, codes: codes(field) },
    document: { hasData: document.data !== undefined && document.data !== null, codes: codes(document) },
  }),
);

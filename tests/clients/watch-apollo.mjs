// Apollo Client: questions and changes by HTTP, what is watched over graphql-ws.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { BOARD, LAY, ROLE, WRONG, authorization, mat, revisions, socketURL, tell, token, url } from "./watching.mjs";

// As in a browser: its link asks errors whether they are of this kind.
globalThis.WebSocket = WebSocket;

const socket = createClient({ url: socketURL, connectionParams: { token }, retryWait: async () => {} });
const client = new ApolloClient({
  cache: new InMemoryCache(),
  link: ApolloLink.split(
    ({ operationType }) => operationType === "subscription",
    new GraphQLWsLink(socket),
    new HttpLink({ uri: url, headers: authorization }),
  ),
});

const role = (await client.query({ query: gql(ROLE) })).data.viewer.role;
const made = (await client.mutate({ mutation: gql(LAY) })).data.matCreate;
const laid = { mat: { name: made.mat.name }, errors: made.errors };
const refused = await new Promise((resolve) =>
  client.subscribe({ query: gql(WRONG) }).subscribe(({ error }) => resolve(error)),
);
const seen = revisions();
client.subscribe({ query: gql(BOARD), variables: { mat } }).subscribe(seen.take);
const heard = await seen.done;
tell({ role, laid, heard, refused: refused.errors[0].extensions.code });

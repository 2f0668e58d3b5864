// GraphQL Yoga, DataLoader and pg, as a careful author writes them; with `jit`, plans compiled by graphql-jit.
//
//     node yoga.mjs URL PORT [jit]

import { createServer } from "node:http";
import DataLoader from "dataloader";
import { createSchema, createYoga } from "graphql-yoga";
import pg from "pg";

const [url, port, jit] = process.argv.slice(2);

const TIMESTAMPTZ = 1184;
// An instant goes through as text: no Date is made of it and printed again.
pg.types.setTypeParser(TIMESTAMPTZ, (text) => text.replace(" ", "T") + ":00");

// Connections are kept between two bursts.
const pool = new pg.Pool({ connectionString: url, max: 10, idleTimeoutMillis: 0 });

// Named statements are prepared once per connection.
async function rows(name, text, values) {
  return (await pool.query({ name, text, values })).rows;
}

const typeDefs = /* GraphQL */ `
  type Query {
    members(first: Int!): [Member!]!
    entries(first: Int!): [Entry!]!
    member(id: ID!): Member
    goal(id: ID!): Goal
  }
  type Mutation { entryLike(id: ID!): EntryLikePayload! }
  type EntryLikePayload { counts: EntryCounts! }
  type Member { id: ID! name: String! avatarUrl: String! score: Int! entries(first: Int!): [Entry!]! }
  type Entry {
    id: ID! title: String! body: String! kind: String! language: String! score: Int! isPublic: Boolean!
    revision: Int! createdAt: String! updatedAt: String!
    author: Member! counts: EntryCounts! replies(first: Int!): [Entry!]!
  }
  type EntryCounts { likes: Int! reposts: Int! replies: Int! views: Int! }
  type Goal { id: ID! title: String! status: String! progress: Int! children: [Goal!]! }
`;

const ENTRY = 'id, title, body, created_at AS "createdAt", author_id, parent_id';
const FLAT = 'id, title, body, kind, language, score, is_public AS "isPublic", revision, created_at AS "createdAt", updated_at AS "updatedAt"';

function one(ids, found, key) {
  const byKey = new Map(found.map((row) => [row[key], row]));
  return ids.map((id) => byKey.get(id) ?? null);
}

function many(ids, found, key) {
  const byKey = new Map(ids.map((id) => [id, []]));
  for (const row of found) byKey.get(row[key]).push(row);
  return ids.map((id) => byKey.get(id));
}

function loaders() {
  const limited = (load) => {
    const kept = new Map();
    return (first) => {
      if (!kept.has(first)) kept.set(first, new DataLoader((ids) => load(ids, first)));
      return kept.get(first);
    };
  };
  return {
    members: new DataLoader(async (ids) =>
      one(ids, await rows("members_by_id", "SELECT id, name FROM members WHERE id = ANY($1::uuid[])", [ids]), "id")),
    counts: new DataLoader(async (ids) =>
      one(ids, await rows("counts", "SELECT entry_id, likes, reposts, replies, views FROM entry_counts WHERE entry_id = ANY($1::uuid[])", [ids]), "entry_id")),
    children: new DataLoader(async (ids) =>
      many(ids, await rows("children", "SELECT id, parent_id, title, status, progress FROM goals WHERE parent_id = ANY($1::uuid[]) ORDER BY position, id", [ids]), "parent_id")),
    entries: limited(async (ids, first) =>
      many(ids, await rows("roots", `SELECT e.* FROM unnest($1::uuid[]) AS p(id), LATERAL (SELECT ${ENTRY} FROM entries WHERE author_id = p.id AND parent_id IS NULL ORDER BY created_at DESC, id DESC LIMIT $2) AS e`, [ids, first]), "author_id")),
    replies: limited(async (ids, first) =>
      many(ids, await rows("replies", `SELECT e.* FROM unnest($1::uuid[]) AS p(id), LATERAL (SELECT ${ENTRY} FROM entries WHERE parent_id = p.id ORDER BY created_at, id LIMIT $2) AS e`, [ids, first]), "parent_id")),
  };
}

const resolvers = {
  Query: {
    members: (_, { first }) => rows("members", 'SELECT id, name, avatar_url AS "avatarUrl" FROM members ORDER BY id LIMIT $1', [first]),
    entries: (_, { first }) => rows("entries", `SELECT ${FLAT} FROM entries ORDER BY created_at DESC, id DESC LIMIT $1`, [first]),
    member: async (_, { id }) => (await rows("member", "SELECT id, name, score FROM members WHERE id = $1", [id]))[0],
    goal: async (_, { id }) => (await rows("goal", "SELECT id, title, status, progress FROM goals WHERE id = $1", [id]))[0],
  },
  Mutation: {
    entryLike: async (_, { id }) => ({
      counts: (await rows("like", "UPDATE entry_counts SET likes = likes + 1 WHERE entry_id = $1 RETURNING likes", [id]))[0],
    }),
  },
  Member: { entries: (member, { first }, context) => context.entries(first).load(member.id) },
  Entry: {
    author: (entry, _, context) => context.members.load(entry.author_id),
    counts: (entry, _, context) => context.counts.load(entry.id),
    replies: (entry, { first }, context) => context.replies(first).load(entry.id),
  },
  Goal: { children: (goal, _, context) => context.children.load(goal.id) },
};

const plugins = jit ? [(await import("@envelop/graphql-jit")).useGraphQlJit()] : [];
const yoga = createYoga({
  schema: createSchema({ typeDefs, resolvers }),
  context: loaders,
  logging: false,
  graphiql: false,
  landingPage: false,
  plugins,
});
createServer(yoga).listen(Number(port), "127.0.0.1");

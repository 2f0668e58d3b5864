// Types made of the contract and of documents, as a client's build makes them: CONTRACT, DOCUMENTS (a folder), INTO.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { codegen } from "@graphql-codegen/core";
import * as typedDocuments from "@graphql-codegen/typed-document-node";
import * as operations from "@graphql-codegen/typescript-operations";
import { parse } from "graphql";

const { CONTRACT, DOCUMENTS, INTO } = process.env;

const documents = readdirSync(DOCUMENTS, { recursive: true })
  .filter((name) => name.endsWith(".graphql"))
  .map((name) => ({ location: name, document: parse(readFileSync(join(DOCUMENTS, name), "utf8")) }));

const types = await codegen({
  schema: parse(readFileSync(CONTRACT, "utf8")),
  documents,
  filename: INTO,
  plugins: [{ operations: {} }, { typedDocuments: {} }],
  pluginMap: { operations, typedDocuments },
  config: {
    // A scalar without a type of its own is an error.
    strictScalars: true,
    scalars: { Date: "string", DateTime: "string", Decimal: "string", JSON: "unknown" },
    useTypeImports: true,
  },
});
writeFileSync(INTO, types);
console.log(JSON.stringify(documents.length));

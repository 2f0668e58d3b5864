"""The planned engine: an operation is compiled once to a plan, and each run of it is a handful of batched reads.

How one operation goes through, in the order of the files:

1. `documents`  The text is parsed, measured (`limits`) and validated once and kept. (`Documents`)
2. `variables`  What the client sent with it is coerced, by a few checks where it is plain.
3. `selections` The client's selection is collected per type, fragments merged, `@skip` and `@include` decided.
4. `planner`    Each selected field's declaration (`schema.fields`) becomes a step of a plan: a value printed off the
                row, a value computed from it, or an edge: one batched read for all parents of its level
                (`rows_planned`, `connections_planned`).
5. `plan`       What a plan is made of: selections of rows and of plain objects, and the steps in them.
6. `assembly`   For every selection a straight-line function is generated that turns rows into the answer's dicts.
7. `reading`    A level is read: one statement for all parents, on the driver, with just the columns it needs, while
                independent edges of the level are read side by side (`asking`). Many rows come as columns
                (`db.blocks`), the levels of a tree together, and on PostgreSQL with what hangs on them (`descending`).
8. `running`    The root fields are run, side by side for a query and in order for a mutation, and the answer is whole.
9. `introspection` What is asked of the schema alone is the same for everybody: answered once, in a thread, and kept.
10. `executor`  Where all of this meets graphql-core: the same executor class runs queries, mutations and each event
                of a subscription, and whatever the planner does not know, or whatever goes wrong while a plan runs,
                goes to graphql-core and the dataloaders, which own every rule about errors.

Both paths read through the same batch queries, so what a viewer may see is the same on both; a property test holds
their answers byte-equal.
"""

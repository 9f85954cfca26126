// cluster-documents.ts -- the nodes of a cluster, and how each finds a check, for the OpenAPI document

import { type TSchema, Type } from 'typebox';

const OrNull = (schema: TSchema) => Type.Union([schema, Type.Null()]);
const Time = Type.String({ format: 'date-time' });
const Closed = { additionalProperties: false };

/** Of a check that several nodes run. */
export const VantagesDocument = Type.Array(
  Type.Object(
    {
      node: Type.String(),
      name: Type.String(),
      outcome: OrNull(Type.Union(['passing', 'warning', 'critical'].map((word) => Type.Literal(word)))),
      output: Type.String(),
      since: OrNull(Time),
    },
    Closed,
  ),
  { description: 'In a cluster: what the check comes to at each node that runs it; null: no result yet.' },
);

export const ClusterDocument = Type.Object(
  {
    node: Type.String({ description: 'This node.' }),
    elected: OrNull(Type.String({ description: 'The node that does what only one may do; null: none now.' })),
    silentMs: OrNull(Type.Number({ description: 'Since when etcd has not been heard of; null: not since the start.' })),
    stale: Type.Boolean({ description: 'Silent for longer than `store.staleAfter`.' }),
    members: Type.Array(
      Type.Object(
        {
          node: Type.String(),
          name: Type.String(),
          version: Type.String(),
          http: Type.Array(Type.String(), { description: 'Where its API is, as address:port.' }),
          startedAt: Time,
          isSelf: Type.Boolean(),
          isElected: Type.Boolean(),
        },
        Closed,
      ),
    ),
    checks: Type.Integer({ description: 'Instances whose checks run on this node.' }),
    store: Type.Object(
      {
        kind: Type.String(),
        revision: Type.Integer({ description: 'Up to where the store has been told here.' }),
        endpoints: Type.Array(
          Type.Object(
            {
              url: Type.String(),
              up: Type.Boolean(),
              reason: Type.Optional(Type.String({ description: 'Why it is not up.' })),
              version: Type.Optional(Type.String()),
              leader: Type.Optional(Type.Boolean()),
              revision: Type.Optional(Type.Integer()),
              lag: Type.Optional(Type.Integer({ description: 'Revisions of it that are not known here yet.' })),
              sizeBytes: Type.Optional(Type.Integer()),
            },
            Closed,
          ),
        ),
      },
      Closed,
    ),
  },
  Closed,
);

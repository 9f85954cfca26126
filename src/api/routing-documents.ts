// routing-documents.ts -- the part of a policy that says which instances a client gets, for the OpenAPI document

import { Type } from 'typebox';
import { AFFINITY_BY, AFFINITY_MODES } from '../registry/policy.ts';

const Match = Type.Object(
  {
    tags: Type.Optional(Type.Array(Type.String(), { maxItems: 16 })),
    meta: Type.Optional(Type.Record(Type.String(), Type.String())),
  },
  { additionalProperties: false, description: 'Instances with all of these tags and metadata; at least one of them.' },
);

const RouteDocument = Type.Object(
  {
    match: Match,
    client: Type.Optional(
      Type.Array(Type.String(), {
        minItems: 1,
        maxItems: 256,
        description: 'Networks of the clients it concerns; default: all.',
        examples: [['10.1.0.0/16', '2001:db8::/32']],
      }),
    ),
    percent: Type.Optional(
      Type.Number({ minimum: 0, maximum: 100, default: 100, description: 'Of their answers, in steps of 0.01.' }),
    ),
    sticky: Type.Optional(Type.Boolean({ default: false, description: 'Share out clients instead of answers.' })),
  },
  { additionalProperties: false },
);

const TierDocument = Type.Object(
  {
    match: Match,
    spillBelow: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1,
        description: 'Share of well instances below which the next tier answers.',
      }),
    ),
  },
  { additionalProperties: false },
);

const AffinityDocument = Type.Object(
  {
    by: Type.Union(AFFINITY_BY.map((word) => Type.Literal(word))),
    mode: Type.Optional(Type.Union(AFFINITY_MODES.map((word) => Type.Literal(word)))),
  },
  { additionalProperties: false },
);

/** Fields of a policy. */
export const routingFields = {
  routes: Type.Optional(Type.Array(RouteDocument, { minItems: 1, maxItems: 16 })),
  tiers: Type.Optional(Type.Array(TierDocument, { minItems: 1, maxItems: 16 })),
  affinity: Type.Optional(AffinityDocument),
};

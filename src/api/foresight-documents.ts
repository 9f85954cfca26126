// foresight-documents.ts -- explanations for the OpenAPI document

import { Type } from 'typebox';

const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()]);
const Part = Type.Number({ minimum: 0, maximum: 1 });

export const ExplainQuery = Type.Object({
  name: Type.String({ description: 'Domain name that is asked for.' }),
  type: Type.Optional(Type.String({ description: 'Record type; default A.' })),
  client: Type.Optional(
    Type.String({ description: 'Address of who asks, or a network as a resolver tells it; default: the caller.' }),
  ),
});

export const ExplanationDocument = Type.Object({
  question: Type.Object({ name: Type.String(), type: Type.String(), client: Type.String() }),
  result: Type.String({ description: 'answer, nodata, nxdomain, referral, refused or alias-loop' }),
  rcode: Type.String(),
  reason: Type.String(),
  zone: Nullable(Type.Object({ apex: Type.String(), file: Nullable(Type.String()), dynamic: Type.Boolean() })),
  aliases: Type.Array(Type.Object({ name: Type.String(), target: Type.String(), by: Type.String() })),
  service: Nullable(Type.String()),
  policy: Nullable(Type.Ref('Policy')),
  rollout: Nullable(Type.Object({}, { additionalProperties: true })),
  dependsOnClient: Type.Boolean(),
  routes: Type.Array(Type.Object({ route: Type.Integer(), outcome: Type.String(), part: Part })),
  answers: Type.Array(
    Type.Object({
      route: Nullable(Type.Integer()),
      part: Part,
      source: Type.String({ description: 'own, general, routes or everybody: who stands in' }),
      home: Nullable(Type.String()),
      tiers: Type.Array(Type.Object({}, { additionalProperties: true })),
      records: Type.Integer(),
      maxAnswers: Type.Integer(),
      ttl: Type.String(),
      ttlReason: Type.String(),
    }),
  ),
  instances: Type.Array(
    Type.Object({
      id: Type.String(),
      address: Type.String(),
      port: Type.Integer(),
      status: Type.String(),
      in: Type.Boolean(),
      reason: Type.String({
        description:
          'answered, standby, all-unhealthy; out: status, tags, route, affinity, suppressed, tier, type or limit',
      }),
      text: Type.String(),
      rank: Nullable(Type.Integer()),
      share: Part,
      inclusion: Part,
      weight: Type.Integer(),
      weightInForce: Nullable(Type.Number()),
      warmth: Nullable(Type.Number()),
      connections: Nullable(Type.Number()),
      latencyMs: Nullable(Type.Number()),
      tier: Nullable(Type.Integer()),
      zone: Nullable(Type.String()),
    }),
  ),
});

// foresight-documents.ts -- explanations and simulations for the OpenAPI document

import { Type } from 'typebox';
import { VantagesDocument } from './cluster-documents.ts';

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
          'answered, standby, all-unhealthy, alias; out: status, tags, route, affinity, suppressed, tier, type or limit',
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
      srvPriority: Nullable(Type.Integer()),
      srvWeight: Nullable(Type.Integer()),
      zone: Nullable(Type.String()),
      checks: Type.Optional(
        Type.Array(Type.Object({ id: Type.String(), outcome: Nullable(Type.String()), vantages: VantagesDocument }), {
          description: 'In a cluster: those that several nodes run.',
        }),
      ),
    }),
  ),
});

export const SimulationDocument = Type.Object(
  {
    service: Type.String(),
    policy: Type.Optional(Type.Ref('Policy')),
    clients: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 100 })),
    duration: Type.Optional(Type.String({ description: '1s to 1h; default 60s' })),
    requestsPerSecond: Type.Optional(Type.Number({ description: 'Of each client; default 1' })),
    type: Type.Optional(Type.String({ description: 'A (default), AAAA or SRV' })),
    picks: Type.Optional(Type.String({ description: 'Which address clients use: first (default) or any' })),
    network: Type.Optional(Type.String({ description: 'Where clients are; default 10.0.0.0/8' })),
    serviceTime: Type.Optional(Type.String({ description: 'How long a request takes on average; default 100ms' })),
    serviceTimes: Type.Optional(Type.Record(Type.String(), Type.String(), { description: 'By instance.' })),
    failures: Type.Optional(
      Type.Array(
        Type.Object(
          { instance: Type.String(), at: Type.Optional(Type.String()), for: Type.Optional(Type.String()) },
          { additionalProperties: false },
        ),
        { maxItems: 100 },
      ),
    ),
    seed: Type.Optional(Type.Integer({ minimum: 0, default: 1 })),
  },
  { additionalProperties: false },
);

const InFlight = Type.Object({ p50: Type.Integer(), p99: Type.Integer() });

const SimulatedRun = Type.Object({
  strategy: Type.String(),
  requests: Type.Integer(),
  queries: Type.Integer(),
  failed: Type.Integer({ description: 'Requests to an instance that was failing.' }),
  unanswered: Type.Integer({ description: 'Requests for which there was no instance.' }),
  unansweredReason: Nullable(Type.String({ description: 'Why the first empty answer was empty; null: none was.' })),
  changed: Type.Number({ description: 'Part of the answers that begin with another instance than the one before.' }),
  inFlight: InFlight,
});

const SimulatedLoadDocument = Type.Object({ requests: Type.Integer(), share: Part, inFlight: InFlight });

export const SimulationReplyDocument = Type.Object({
  service: Type.String(),
  clients: Type.Integer(),
  duration: Type.String(),
  requestsPerSecond: Type.Number(),
  type: Type.String(),
  picks: Type.String(),
  seed: Type.Integer(),
  now: SimulatedRun,
  policy: Nullable(SimulatedRun),
  moved: Nullable(Type.Object({ clients: Type.Integer(), share: Part })),
  instances: Type.Array(
    Type.Object({
      id: Type.String(),
      address: Type.String(),
      weight: Type.Integer(),
      status: Type.String(),
      now: SimulatedLoadDocument,
      policy: Nullable(SimulatedLoadDocument),
      difference: Nullable(Type.Number()),
    }),
  ),
});

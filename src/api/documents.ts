// documents.ts -- the shapes of requests and replies for the OpenAPI document
//
// These describe and do not validate: what may come in is decided in registry/ alone, and the tests hold real replies
// against what is said here.

import { type TSchema, Type } from 'typebox';
import { STRATEGY_NAMES } from '../registry/policy.ts';
import { MAX_STEPS } from '../registry/validate-steps.ts';
import { VantagesDocument } from './cluster-documents.ts';
import { routingFields } from './routing-documents.ts';

const Duration = Type.String({ description: 'A time with a unit: "5s", "500ms", "2m30s".', examples: ['5s'] });
const Time = Type.String({ format: 'date-time', description: 'RFC 3339, UTC.' });
const OrNull = (schema: TSchema) => Type.Union([schema, Type.Null()]);
const OneOf = (...words: string[]) => Type.Union(words.map((word) => Type.Literal(word)));

const Outcome = OneOf('passing', 'warning', 'critical');
const InstanceStatus = OneOf('pending', 'healthy', 'warning', 'unhealthy', 'draining', 'maintenance');

const checkFields = {
  id: Type.Optional(Type.String({ description: 'Unique within the instance; default: the type.' })),
  type: OneOf('http', 'tcp', 'grpc', 'exec', 'dns', 'heartbeat'),
  url: Type.Optional(
    Type.String({
      description: 'http, grpc, dns: a URL, or a path for the instance itself.',
      examples: ['/health', 'grpc://10.0.0.7:50051/cart.v1.Cart', 'dns://10.0.0.7:53/example.org?type=AAAA'],
    }),
  ),
  host: Type.Optional(Type.String({ description: 'tcp, grpc: default the address of the instance.' })),
  port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535 })),
  args: Type.Optional(Type.Array(Type.String(), { description: 'exec: absolute path and arguments; no shell.' })),
  method: Type.Optional(OneOf('GET', 'HEAD', 'POST')),
  headers: Type.Optional(Type.Record(Type.String(), Type.String())),
  body: Type.Optional(Type.String()),
  expect: Type.Optional(
    Type.Object({
      status: Type.Optional(Type.Array(Type.Union([Type.Integer(), Type.String()]))),
      body: Type.Optional(Type.String({ description: 'A regular expression (RE2) that must match.' })),
      json: Type.Optional(
        Type.Record(Type.String(), Type.Unknown(), { description: 'Values that must stand at paths like `a.b[0].c`.' }),
      ),
    }),
  ),
  load: Type.Optional(
    Type.Object(
      { header: Type.Optional(Type.String()), json: Type.Optional(Type.String({ description: 'A path.' })) },
      { description: 'http: where the response tells the number of connections of the instance.' },
    ),
  ),
  tls: Type.Optional(
    Type.Object({
      skipVerify: Type.Optional(Type.Boolean()),
      serverName: Type.Optional(Type.String()),
      caFile: Type.Optional(Type.String()),
    }),
  ),
  interval: Type.Optional(Duration),
  schedule: Type.Optional(Type.String({ description: 'A cron expression, instead of `interval`.' })),
  timezone: Type.Optional(Type.String({ description: 'Of `schedule`.', examples: ['Europe/Berlin'] })),
  timeout: Type.Optional(Duration),
  rise: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
  fall: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
  deregisterAfter: Type.Optional(Duration),
  initial: Type.Optional(Outcome),
};

const CheckDocument = Type.Object(checkFields, { $id: 'Check', additionalProperties: false });

const CheckStateDocument = Type.Object(
  {
    ...checkFields,
    id: Type.String(),
    outcome: OrNull(Outcome),
    output: Type.String(),
    latencyMs: OrNull(Type.Number()),
    since: OrNull(Time),
    failing: Type.Optional(
      Type.Boolean({ description: 'It has had critical results, but not `fall` of them in a row yet.' }),
    ),
    damping: Type.Optional(
      Type.Object(
        { penalty: Type.Number(), suppressed: Type.Boolean(), reuseAt: OrNull(Time) },
        { description: 'Flap damping: a check that is suppressed is held critical until `reuseAt`, or later.' },
      ),
    ),
    vantages: Type.Optional(VantagesDocument),
  },
  { $id: 'CheckState', additionalProperties: false },
);

const Port = Type.Integer({ minimum: 1, maximum: 65535 });
const patchable = {
  ports: Type.Optional(
    Type.Record(
      Type.String(),
      Type.Union([Port, Type.Object({ port: Port, proto: Type.Optional(OneOf('tcp', 'udp')) })]),
    ),
  ),
  tags: Type.Optional(Type.Array(Type.String())),
  meta: Type.Optional(Type.Record(Type.String(), Type.String())),
  weight: Type.Optional(Type.Integer({ minimum: 0, maximum: 65535, default: 1 })),
  zone: Type.Optional(Type.String()),
  ttl: Type.Optional(Duration),
  warmup: Type.Optional(Duration),
};
const place = {
  id: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9._:@-]{1,128}$' })),
  service: Type.Optional(Type.String()),
  address: Type.String({ description: 'An IP address or a host name.' }),
  port: Port,
};

const PatchDocument = Type.Object(patchable, { $id: 'InstancePatch', additionalProperties: false });

const registrationFields = {
  ...place,
  ...patchable,
  leaseTtl: Type.Optional(Duration),
  checks: Type.Optional(Type.Array(Type.Ref('Check'))),
};

const RegistrationDocument = Type.Object(registrationFields, { $id: 'Registration', additionalProperties: false });

const LoadDocument = Type.Object({
  connections: Type.Optional(Type.Integer({ minimum: 0 })),
  latencyMs: Type.Optional(Type.Number({ minimum: 0 })),
  cpu: Type.Optional(Type.Number({ minimum: 0 })),
});

const InstanceDocument = Type.Object(
  {
    ...place,
    ...patchable,
    id: Type.String(),
    service: Type.String(),
    leaseTtl: Type.Optional(Duration),
    checks: Type.Array(Type.Ref('CheckState')),
    status: InstanceStatus,
    reason: Type.String(),
    revision: Type.Integer(),
    registeredAt: Time,
    static: Type.Boolean({ description: 'From the configuration file: read-only here.' }),
    lease: OrNull(Type.Object({ expiresAt: Time })),
    load: OrNull(LoadDocument),
    lastAnswerable: Type.Optional(Type.Unsafe({ ...Time, description: 'Of one that is not answerable any more.' })),
    balancedBy: Type.Optional(
      Type.Object(
        { connections: OrNull(Type.Number()), latencyMs: OrNull(Type.Number()) },
        {
          description: 'What the strategy goes by now: reports that are still believed, round trips with their peaks.',
        },
      ),
    ),
    warmth: Type.Optional(
      Type.Number({ minimum: 0, maximum: 1, description: 'Factor on the weight while it warms up.' }),
    ),
  },
  { $id: 'Instance', additionalProperties: false },
);

const RolloutState = OneOf('running', 'paused', 'rolled-back', 'done');
const rolloutPlace = {
  state: RolloutState,
  step: Type.Integer({ minimum: 0, description: 'The step in force, from 1; 0: the first has not begun.' }),
  percent: Type.Number({ minimum: 0, maximum: 100, description: "What the step's route gets now." }),
};

export const RolloutDocument = Type.Object(
  {
    ...rolloutPlace,
    steps: Type.Integer(),
    since: OrNull(Time),
    stood: Duration,
    waiting: OrNull(Type.String({ description: 'What it waits for.' })),
    reason: Type.String(),
  },
  { $id: 'Rollout' },
);

export const RolloutActionDocument = Type.Object(
  {
    action: OneOf('pause', 'resume', 'restart', 'rollback'),
    step: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: MAX_STEPS,
        description: 'What `restart` begins with; default: the beginning.',
      }),
    ),
  },
  { additionalProperties: false },
);

const StepDocument = Type.Object(
  {
    route: Type.Optional(Type.Integer({ minimum: 0, default: 0, description: 'Index in `routes`.' })),
    percent: Type.Number({ minimum: 0, maximum: 100 }),
    for: Type.Optional(Duration),
    at: Type.Optional(Type.String({ description: 'A cron expression: the step begins at such a time.' })),
    timezone: Type.Optional(Type.String({ description: 'Of `at`.', examples: ['Europe/Berlin'] })),
  },
  { additionalProperties: false },
);

const PolicyDocument = Type.Object(
  {
    strategy: Type.Optional(OneOf(...STRATEGY_NAMES)),
    maxAnswers: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
    ttl: Type.Optional(Duration),
    whenAllUnhealthy: Type.Optional(OneOf('empty', 'all', 'last-known')),
    minHealthyFraction: Type.Optional(Type.Number({ minimum: 0, maximum: 1, default: 0 })),
    warningWeight: Type.Optional(Type.Number({ minimum: 0, maximum: 1, default: 1 })),
    srvWeightScale: Type.Optional(
      Type.Number({ minimum: 0.001, maximum: 65535, default: 1, description: 'Factor on the weights of SRV records.' }),
    ),
    oneSubnetPerAnswer: Type.Optional(
      Type.Boolean({ default: false, description: 'Addresses of an answer are of one /24 or /64.' }),
    ),
    ...routingFields,
    slowStart: Type.Optional(Duration),
    steps: Type.Optional(Type.Array(StepDocument, { maxItems: MAX_STEPS })),
    guard: Type.Optional(
      Type.Object(
        {
          failing: Type.Optional(Type.Number({ minimum: 0, maximum: 1, default: 0.2 })),
          errors: Type.Optional(
            Type.Number({ minimum: 0, maximum: 1, description: 'Share of requests through the gateway that fail.' }),
          ),
          minRequests: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, default: 100 })),
        },
        { additionalProperties: false, description: 'When steps are taken back.' },
      ),
    ),
    rollout: Type.Optional(Type.Unsafe({ ...Type.Ref('Rollout'), description: 'Read only: ignored when sent.' })),
  },
  { $id: 'Policy', additionalProperties: false },
);

const ErrorDocument = Type.Object(
  {
    error: Type.Object({
      code: Type.String(),
      message: Type.String(),
      details: Type.Array(Type.Object({ path: Type.String(), message: Type.String() })),
    }),
  },
  { $id: 'Error', additionalProperties: false },
);

const AuthorDocument = OrNull(
  Type.Object({
    kind: OneOf('token', 'local', 'check', 'lease', 'config', 'schedule', 'steps', 'gateway'),
    id: Type.Optional(Type.String({ description: 'Of the token, the check or the schedule.' })),
    address: Type.Optional(Type.String({ description: 'Of the peer that called.' })),
  }),
);

export const HistoryDocument = Type.Object({
  service: Type.String(),
  changes: Type.Array(
    Type.Object({
      at: Time,
      kind: OneOf('register', 'update', 'deregister', 'health', 'policy'),
      by: AuthorDocument,
      instance: Type.Optional(Type.String()),
      status: Type.Optional(InstanceStatus),
      reason: Type.Optional(Type.String()),
      output: Type.Optional(Type.String({ description: 'Of the check that changed the status; its beginning.' })),
      policy: Type.Optional(OrNull(Type.Ref('Policy'))),
      rollout: Type.Optional(
        Type.Object(rolloutPlace, { description: 'The steps of the policy went on, or were taken back.' }),
      ),
    }),
  ),
});

export const BatchDocument = Type.Object(
  {
    operations: Type.Array(
      Type.Union([
        Type.Object(
          { op: Type.Literal('register'), ...registrationFields, service: Type.String() },
          { additionalProperties: false },
        ),
        Type.Object({ op: Type.Literal('deregister'), id: Type.String() }, { additionalProperties: false }),
      ]),
    ),
  },
  { additionalProperties: false },
);

export const BatchReplyDocument = Type.Object({
  results: Type.Array(
    Type.Object({
      op: OneOf('register', 'deregister'),
      id: Type.String(),
      service: Type.String(),
      result: OneOf('created', 'replaced', 'unchanged', 'removed'),
      revision: Type.Integer(),
    }),
  ),
});

export const ServiceListDocument = Type.Object({
  services: Type.Array(
    Type.Object({
      name: Type.String(),
      instances: Type.Integer(),
      healthy: Type.Integer({ description: 'Instances that are in the answers.' }),
      tags: Type.Array(Type.String()),
      strategy: Type.String(),
      index: Type.Integer(),
    }),
  ),
  next: OrNull(Type.String({ description: '`after` for the next page; null on the last.' })),
});

export const ServiceDocument = Type.Object({
  service: Type.String(),
  index: Type.Integer(),
  policy: OrNull(Type.Ref('Policy')),
  percents: Type.Optional(
    Type.Array(Type.Number(), { description: 'What the steps of the policy give each of its routes now.' }),
  ),
  instances: Type.Array(Type.Ref('Instance')),
});

export const HeartbeatDocument = Type.Object(
  { status: Type.Optional(Outcome), output: Type.Optional(Type.String()), load: Type.Optional(LoadDocument) },
  { additionalProperties: false },
);
export const HeartbeatReplyDocument = Type.Object({ expiresAt: OrNull(Time) });
export const DrainReplyDocument = Type.Object({ status: Type.Literal('draining'), safeAfter: Time });
export const MaintenanceDocument = Type.Object(
  { enabled: Type.Boolean(), reason: Type.Optional(Type.String()) },
  { additionalProperties: false },
);
export const ChecksDocument = Type.Object({ checks: Type.Array(Type.Ref('CheckState')) });
export const ReloadReplyDocument = Type.Object({
  problems: Type.Array(
    Type.Object({
      file: Type.String(),
      line: Type.Integer(),
      column: Type.Integer(),
      message: Type.String(),
      severity: OneOf('error', 'warning'),
    }),
  ),
});
export const ReadinessDocument = Type.Object({ ready: Type.Boolean(), stale: Type.Boolean() });
export const StatusDocument = Type.Object({
  ready: Type.Boolean(),
  stale: Type.Boolean(),
  services: Type.Integer(),
  instances: Type.Integer(),
  sequence: Type.Integer(),
  blockingReads: Type.Integer(),
  watchers: Type.Integer(),
});

/** Schemas that others refer to by their `$id`. */
export const SHARED_DOCUMENTS = [
  CheckDocument,
  CheckStateDocument,
  PatchDocument,
  RegistrationDocument,
  InstanceDocument,
  PolicyDocument,
  RolloutDocument,
  ErrorDocument,
];

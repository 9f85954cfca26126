// program.mts -- what a program may write by the types of the package, and (where an error is expected) what not

import { createServer } from 'node:http';
import {
  type BackOffOptions,
  type ChangeKind,
  type ChangeListener,
  type CheckDocument,
  type ClientLogger,
  type ClientOptions,
  type ClientTls,
  createClient,
  type HealthReport,
  type InstanceDocument,
  type Lease,
  type LeaseOutcome,
  type PickOptions,
  type PolicyDocument,
  type RegisterOptions,
  type Registration,
  type RegistrationPatch,
  type RegistrationSpec,
  type RegistrationState,
  type ResolveOptions,
  type RollcallClient,
  RollcallError,
  type ServiceChange,
  type ServiceDocument,
  type ServiceView,
  type SrvOptions,
  type TokenSource,
  type Watch,
} from 'rollcall/client';
import {
  createGateway,
  type Duration,
  type ExchangeRecord,
  type FastifyLike,
  type FastifyPlugin,
  RollcallError as GatewayError,
  type GatewayStatus,
  type MiddlewareOptions,
  type OutlierVerdict,
  type RollcallGateway,
  type RouteLimitOptions,
  type RouteOptions,
  type RouteOutlierOptions,
  type RouteRetryOptions,
  type RouteTlsOptions,
  type ServiceSource,
} from 'rollcall/gateway';

const token: TokenSource = ({ refused }) => (refused ? 'new' : 'old');
const tls: ClientTls = { ca: 'PEM' };
const logger: ClientLogger = console;
const backOff: BackOffOptions = { firstMs: 1, mostMs: 2 };
const options: ClientOptions = { url: ['http://a', 'http://b'], token, tls, logger, backOff };
const client: RollcallClient = createClient(options);
// @ts-expect-error there is no such option
createClient({ uri: 'http://a' });

const check: CheckDocument = { type: 'tcp', interval: '1s' };
const spec: RegistrationSpec = { service: 'cart', port: 80, tags: ['v2'], checks: [check] };
const registering: RegisterOptions = { drainOnSignals: ['SIGTERM'] };
const registration: Registration = client.register(spec, registering);
const state: RegistrationState = registration.state;
const patch: RegistrationPatch = { weight: 2, zone: null };
// @ts-expect-error a port is a number
client.register({ service: 'cart', port: '80' });

const listener: ChangeListener = (change: ServiceChange) => {
  const kind: ChangeKind = change.kind;
  const instance: InstanceDocument | undefined = change.instance;
  const policy: PolicyDocument | null | undefined = change.policy;
  console.log(kind, instance?.status, policy?.strategy);
};
const watch: Watch = client.watch('cart', listener);
// @ts-expect-error a watch needs a listener
client.watch(5);

const picking: PickOptions = { tags: ['v2'], exclude: ['a'] };
const view: ServiceView = client.view(['cart']);
const lease: Lease = await client.pick('cart', picking);
const outcome: LeaseOutcome = { failed: true, latencyMs: 3 };
lease.done(outcome);
// @ts-expect-error a port is a number
const port: string = lease.port;
const dns: SrvOptions = {};
const resolving: ResolveOptions = { source: 'dns', dns };
client.dispatcher(resolving);

const timeout: Duration = '5s';
const retries: RouteRetryOptions = { on: [502] };
const limits: RouteLimitOptions = { maxConnections: 1, queueTimeout: 100 };
const outliers: RouteOutlierOptions = { ejectFor: '1m' };
const routeTls: RouteTlsOptions = { ca: new Uint8Array() };
const route: RouteOptions = {
  service: 'cart',
  timeout,
  retries,
  limits,
  outliers,
  tls: routeTls,
  hostHeader: 'shop.example',
};
const source: ServiceSource = view;
const gatewayOptions: MiddlewareOptions = {
  source,
  routes: [route, { service: 'stock', outliers: 'off', sticky: { cookie: 'c', maxAge: 1000 } }],
  onExchange: ({ route, status, durationMs }: ExchangeRecord) => console.log(route, status, durationMs),
  onVerdict: ({ kind, instance }: OutlierVerdict) => console.log(kind, instance),
};
const gateway: RollcallGateway = createGateway(gatewayOptions);
createServer(gateway.handle).on('upgrade', gateway.upgrade);
const plugin: FastifyPlugin = gateway.fastify;
declare const app: FastifyLike;
plugin(app, {}, () => {});
const status: GatewayStatus = gateway.status;
// @ts-expect-error a route has a service
createGateway({ client, routes: [{ prefix: '/' }] });
// @ts-expect-error there is no such option of a route
createGateway({ client, routes: [{ service: 'cart', stripe: true }] });
// @ts-expect-error a listener gets a record
createGateway({ client, routes: [], onExchange: (record: string) => console.log(record) });
// @ts-expect-error it is read only
gateway.status = status;

declare const report: HealthReport;
declare const document: ServiceDocument;
console.log(state, patch, watch, port, report, document.index, new RollcallError('a', 'b') instanceof GatewayError);

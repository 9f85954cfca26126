// checks.test.ts -- one service with a check of each kind: what breaks takes it out of the answers, and says why

import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { type BuiltServer, startBuiltServer } from '../support/built-server.ts';
import { type Certificate, makeCertificate } from '../support/certificate.ts';
import { answerCall, grpcServer, healthReply } from '../support/grpc-server.ts';
import { Peer } from '../support/peer.ts';

const NAME = 'cart-service.service.local';
const TIMES = { interval: '2s', rise: 1, fall: 1 };

/** What can be broken and mended, one for each kind of check that asks somebody. */
const broken = new Set<string>();
let certificate: Certificate;
let http: Peer;
let https: Peer;
let tcp: Peer;
let grpc: Peer;
let dns: Socket;

before(async () => {
  certificate = makeCertificate();
  http = await Peer.listen(
    createHttpServer((_, response) => {
      const status = broken.has('http') ? 'DOWN' : 'UP';
      response.setHeader('x-load', broken.has('http') ? 'full' : '17').end(JSON.stringify({ health: { status } }));
    }),
  );
  https = await Peer.listen(
    createHttpsServer({ ...certificate }, (_, response) => {
      response.writeHead(broken.has('https') ? 429 : 200).end();
    }),
  );
  tcp = await Peer.listen(createServer());
  grpc = await Peer.listen(grpcServer((stream) => answerCall(stream, healthReply(broken.has('grpc') ? 2 : 1))));
  dns = createSocket('udp4').on('message', (query, from) => dns.send(dnsReply(query), from.port, from.address));
  dns.bind(0, '127.0.0.1');
  await once(dns, 'listening');
});

after(async () => {
  certificate.remove();
  dns.close();
  await Promise.all([http, https, tcp, grpc].map((peer) => peer.close()));
});

/** NOERROR and one address, or NXDOMAIN. */
function dnsReply(query: Buffer): Buffer {
  const reply = Buffer.from(query);
  reply[2] = 0x81;
  if (broken.has('dns')) {
    reply[3] = 3;
    return reply;
  }
  reply[3] = 0;
  reply.writeUInt16BE(1, 6);
  return Buffer.concat([reply, Buffer.from('c00c00010001000000050004' + '0a000001', 'hex')]);
}

function checks(): object[] {
  return [
    {
      ...{ id: 'http', type: 'http', url: `http://127.0.0.1:${http.port}/`, ...TIMES },
      ...{ expect: { status: [200], json: { 'health.status': 'UP' } }, load: { header: 'X-Load' } },
    },
    {
      ...{ id: 'https', type: 'http', url: `https://localhost:${https.port}/`, ...TIMES },
      tls: { caFile: certificate.certFile },
    },
    { id: 'tcp', type: 'tcp', host: '127.0.0.1', port: tcp.port, ...TIMES },
    { id: 'grpc', type: 'grpc', url: `grpc://127.0.0.1:${grpc.port}/cart.v1.Cart`, ...TIMES },
    { id: 'dns', type: 'dns', url: `dns://127.0.0.1:${dns.address().port}/cart.example`, ...TIMES },
    { id: 'exec', type: 'exec', args: ['/bin/sh', '-c', 'echo fine'], ...TIMES },
    { id: 'cron', type: 'tcp', host: '127.0.0.1', port: tcp.port, schedule: '* * * * * *', timezone: 'UTC' },
    { id: 'heartbeat', type: 'heartbeat', interval: '10m' },
  ];
}

interface CheckView {
  readonly id: string;
  readonly outcome: string | null;
  readonly output: string;
  readonly since: string;
}

async function checksOf(server: BuiltServer, id: string): Promise<Map<string, CheckView>> {
  const { body } = await server.api('GET', `/v1/instances/${id}/checks`);
  return new Map(body.checks.map((check: CheckView) => [check.id, check]));
}

describe('a check of each kind', { timeout: 120_000 }, () => {
  test('passes, breaks, and passes again', async (t) => {
    const server = await startBuiltServer(t, { config: { health: { allowExec: true, damping: { penalty: 0 } } } });
    await server.register('cart-service', 'cart-1', { address: '10.1.0.1', port: 8080, checks: checks() });
    assert.deepEqual(await server.addresses(NAME), [], 'not answered before every check has its first result');
    await server.api('PUT', '/v1/instances/cart-1/heartbeat', { status: 'passing' });
    await server.untilStatus('cart-service', 'cart-1', 'healthy', 30_000);
    assert.deepEqual(await server.addresses(NAME), ['10.1.0.1']);
    const found = await checksOf(server, 'cart-1');
    for (const check of found.values()) assert.equal(check.outcome, 'passing', `${check.id}: ${check.output}`);
    assert.match(found.get('exec')!.output, /exit code 0, output: fine/);
    assert.match(found.get('grpc')!.output, /cart\.v1\.Cart: SERVING$/);
    assert.match(found.get('dns')!.output, /NOERROR, 1 record$/);
    const { body } = await server.api('GET', '/v1/instances/cart-1');
    assert.deepEqual(body.load, { connections: 17 });

    for (const [kind, status, said] of [
      ['http', 'unhealthy', /health\.status is "DOWN", expected "UP"/],
      ['https', 'warning', /429/],
      ['grpc', 'unhealthy', /NOT_SERVING/],
      ['dns', 'unhealthy', /NXDOMAIN/],
    ] as const) {
      broken.add(kind);
      await server.untilStatus('cart-service', 'cart-1', status, 30_000);
      assert.match((await checksOf(server, 'cart-1')).get(kind)!.output, said);
      assert.deepEqual(await server.addresses(NAME), status === 'warning' ? ['10.1.0.1'] : []);
      broken.delete(kind);
      await server.untilStatus('cart-service', 'cart-1', 'healthy', 30_000);
    }
  });

  test('programs and files are for the configuration of the machine', async (t) => {
    const exec = { id: 'exec', type: 'exec', args: ['/bin/true'], ...TIMES };
    const server = await startBuiltServer(t, {
      config: {
        services: [{ id: 'static-1', service: 'static-service', address: '10.1.0.2', port: 1, checks: [exec] }],
      },
    });
    await server.untilStatus('static-service', 'static-1', 'healthy', 30_000);
    const refused = await server.api('PUT', '/v1/services/cart-service/instances/cart-1', {
      ...{ address: '10.1.0.1', port: 1 },
      checks: [exec],
    });
    assert.equal(refused.status, 400);
    assert.match(refused.body.error.message, /health\.allowExec/);

    // Whether a file is there must not be told: neither by what is said nor by whether the target is asked.
    const url = `https://127.0.0.1:${https.port}/`;
    const outputs = new Set<string>();
    for (const [index, caFile] of ['/no/such/file', '/etc/passwd', '/etc', '/dev/zero'].entries()) {
      const accepted = https.accepted;
      const checks = [{ id: 'https', type: 'http', url, tls: { caFile }, ...TIMES }];
      await server.register('cart-service', `cart-${index}`, { address: '10.1.0.1', port: 1, checks });
      await server.untilStatus('cart-service', `cart-${index}`, 'unhealthy', 30_000);
      outputs.add((await checksOf(server, `cart-${index}`)).get('https')!.output);
      assert.ok(https.accepted > accepted, `${caFile}: the target was asked`);
    }
    assert.equal(outputs.size, 1, [...outputs].join('\n'));
    assert.match([...outputs][0]!, /not vouched for by tls\.caFile/);
  });

  test('neither the server itself nor a denied network is reached', async (t) => {
    const server = await startBuiltServer(t);
    const own = `127.0.0.1:${server.http.port}`;
    const refused = [
      { id: 'http', type: 'http', url: `http://${own}/healthz` },
      { id: 'tcp', type: 'tcp', host: 'localhost', port: server.http.port },
      { id: 'grpc', type: 'grpc', url: `grpc://${own}` },
      { id: 'dns', type: 'dns', url: `dns://127.0.0.1:${server.dns.port}/ns.service.local` },
      { id: 'metadata', type: 'http', url: 'http://2852039166/latest/meta-data' },
      { id: 'mapped', type: 'tcp', host: '::ffff:169.254.169.254', port: 80 },
    ].map((check) => ({ ...check, ...TIMES }));
    await server.register('cart-service', 'cart-1', { address: '10.1.0.1', port: 1, checks: refused });
    await server.untilStatus('cart-service', 'cart-1', 'unhealthy', 30_000);
    const found = await checksOf(server, 'cart-1');
    for (const { id, output } of found.values()) assert.match(output, /^refused: /, id);
  });
});

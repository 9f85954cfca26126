// gateway.test.ts -- requests through the gateway of the built server: where they go, and what a reload and a stop cost

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BuiltServer, type ConfigSections, startBuiltServer, writeConfig } from '../support/built-server.ts';
import { makeCertificate } from '../support/certificate.ts';
import { type Echo, EchoInstance } from '../support/echo-instance.ts';
import { freePort } from '../support/free-port.ts';
import { requireTools, run } from '../support/tools.ts';

const CART = { prefix: '/api/cart', strip: true, service: 'cart-service' };

function gatewayOf(routes: readonly object[], more: object = {}): ConfigSections {
  return { gateway: { listen: ['127.0.0.1:0'], routes, ...more } };
}

/** A request to the gateway; the body as JSON. */
async function ask(
  server: BuiltServer,
  path: string,
  init: RequestInit = {},
): Promise<{ status: number; headers: Headers; body: Echo & { error?: { code: string } } }> {
  const reply = await fetch(`http://127.0.0.1:${server.gateway.port}${path}`, init);
  return { status: reply.status, headers: reply.headers, body: (await reply.json()) as Echo };
}

/** Who answered so many requests, one after the other. */
async function whoAnswers(server: BuiltServer, path: string, count: number): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    const { status, body } = await ask(server, path);
    const who = status === 200 ? body.id : `${status} ${body.error?.code}`;
    counts.set(who, (counts.get(who) ?? 0) + 1);
  }
  return counts;
}

/** Echo instances on addresses of their own, registered. */
async function startInstances(
  t: TestContext,
  server: BuiltServer,
  ids: readonly string[],
  service = 'cart-service',
): Promise<EchoInstance[]> {
  const instances: EchoInstance[] = [];
  for (const [i, id] of ids.entries()) {
    const instance = await EchoInstance.start(t, id, `127.0.0.${i + 2}`);
    await server.register(service, id, instance.registration());
    instances.push(instance);
  }
  return instances;
}

test('a request reaches a healthy instance of the service', async (t) => {
  const server = await startBuiltServer(t, { config: gatewayOf([CART], { trust: [] }) });
  const printed = `Gateway http://127.0.0.1:${server.gateway.port}\n`;
  await eventually(() => assert.ok(server.stdout().includes(printed), server.stdout()));

  assert.deepEqual((await ask(server, '/elsewhere')).body.error?.code, 'no_route');
  const nobody = await ask(server, '/api/cart/items');
  assert.deepEqual([nobody.status, nobody.body.error?.code], [503, 'no_instance']);
  assert.ok(Number(nobody.headers.get('retry-after')) > 0, 'says when to come again');

  const [first, second] = await startInstances(t, server, ['cart-1', 'cart-2']);
  const { status, headers, body } = await ask(server, '/api/cart/items?token=s3cret&page=2', {
    method: 'POST',
    body: 'bread',
    headers: { 'x-forwarded-for': '192.0.2.66' },
  });
  assert.equal(status, 200);
  assert.deepEqual([body.method, body.path, body.body], ['POST', '/items?token=s3cret&page=2', 'bread']);
  assert.equal(body.headers['x-forwarded-for'], '127.0.0.1', 'nobody is believed');
  assert.equal(headers.get('x-request-id'), body.headers['x-request-id']);

  await t.test('and all of them in turn', async () => {
    const counts = await whoAnswers(server, '/api/cart/', 20);
    assert.deepEqual([...counts].sort(), [
      ['cart-1', 10],
      ['cart-2', 10],
    ]);
  });

  await t.test('not one that drains or is taken away', async () => {
    await server.api('POST', '/v1/instances/cart-2/drain');
    assert.deepEqual([...(await whoAnswers(server, '/api/cart/', 6))], [['cart-1', 6]]);
    await server.api('DELETE', '/v1/instances/cart-2/drain');
  });

  await t.test('and when one dies the next request goes elsewhere', async () => {
    await second!.kill();
    assert.deepEqual([...(await whoAnswers(server, '/api/cart/', 20))], [['cart-1', 20]]);
    await first!.kill();
    const gone = await ask(server, '/api/cart/');
    assert.ok([502, 503].includes(gone.status), `${gone.status}`);
  });

  await t.test('and is told of in the log, the metrics and the status', async () => {
    await eventually(() => {
      const line = logLines(server).find(({ method }) => method === 'POST');
      assert.ok(line !== undefined, 'no line of the POST');
      const { route, service, status, client, path, received, attempts } = line;
      assert.deepEqual(
        { route, service, status, client, path, received, attempts },
        {
          route: 'cart-service/api/cart',
          service: 'cart-service',
          status: 200,
          client: '127.0.0.1',
          path: '/api/cart/items?token=[redacted]&page=2',
          received: 5,
          attempts: 1,
        },
      );
    });
    const { body: metrics } = await server.api('GET', '/metrics');
    assert.match(metrics, /^rollcall_gateway_requests_total\{service="cart-service",code="200"\} 47$/m);
    assert.match(metrics, /^rollcall_gateway_refused_total\{reason="no_route"\} 1$/m);
    const { body: told } = await server.api('GET', '/v1/status');
    const listen = [`127.0.0.1:${server.gateway.port}`];
    const { ejected, ...rest } = told.gateway;
    assert.deepEqual(rest, { listen, routes: 1, inFlight: 0, queued: 0, upgrades: 0 });
    assert.ok(ejected <= 1, `${ejected} ejected`);
  });
});

test('a canary gets its share, and a sticky client stays where it is', async (t) => {
  const sticky = { prefix: '/sticky', service: 'cart-service', sticky: { cookie: 'who', maxAge: '1h' } };
  const server = await startBuiltServer(t, { config: gatewayOf([CART, sticky]) });
  await startInstances(t, server, ['stable-1', 'stable-2']);
  const canary = await EchoInstance.start(t, 'canary', '127.0.0.9');
  await server.register('cart-service', 'canary', canary.registration({ tags: ['canary'] }));
  const policy = { routes: [{ match: { tags: ['canary'] }, percent: 20 }] };
  assert.equal((await server.api('PUT', '/v1/services/cart-service/policy', policy)).status, 200);

  const counts = await whoAnswers(server, '/api/cart/', 200);
  const share = counts.get('canary') ?? 0;
  assert.ok(share >= 20 && share <= 60, `the canary got ${share} of 200`);

  let isOnCanary = 0;
  for (let client = 0; client < 20; client++) {
    const first = await ask(server, '/sticky');
    const cookie = /^who=[\w-]+/.exec(first.headers.get('set-cookie') ?? '')?.[0];
    assert.ok(cookie !== undefined, 'a cookie is set');
    const side = first.body.id === 'canary';
    if (side) isOnCanary++;
    for (let again = 0; again < 4; again++) {
      const next = await ask(server, '/sticky', { headers: { cookie } });
      assert.equal(next.headers.get('set-cookie'), null);
      assert.equal(next.body.id === 'canary', side, 'the client changed sides');
    }
  }
  assert.ok(isOnCanary < 20, 'everybody is on the canary');
});

test('an instance that fails its requests is taken out, for DNS and the history too', async (t) => {
  const route = { ...CART, outliers: { consecutive: 3, ejectFor: '1m' } };
  const server = await startBuiltServer(t, { config: gatewayOf([route]) });
  const [, bad] = await startInstances(t, server, ['cart-1', 'cart-2', 'cart-3']);
  assert.deepEqual(await server.addresses('cart-service.service.local'), ['127.0.0.2', '127.0.0.3', '127.0.0.4']);
  bad!.status = 503;
  const counts = await whoAnswers(server, '/api/cart/', 30);
  assert.equal((counts.get('cart-1') ?? 0) + (counts.get('cart-3') ?? 0), 30, 'everybody was answered by another one');
  assert.equal(bad!.requests, 3);

  const { body } = await server.api('GET', '/v1/services/cart-service');
  const { status, reason } = body.instances.find(({ id }: { id: string }) => id === 'cart-2');
  assert.equal(status, 'unhealthy');
  assert.equal(reason, 'ejected by the gateway for 60s: 3 failures in a row');
  assert.deepEqual(await server.addresses('cart-service.service.local'), ['127.0.0.2', '127.0.0.4']);
  const { body: history } = await server.api('GET', '/v1/services/cart-service/history?limit=1');
  assert.match(JSON.stringify(history), /"gateway".*ejected by the gateway|ejected by the gateway.*"gateway"/);
  assert.equal((await server.api('GET', '/v1/status')).body.gateway.ejected, 1);
  assert.match(
    (await server.api('GET', '/metrics')).body,
    /^rollcall_gateway_ejections_total\{service="cart-service"\} 1$/m,
  );

  bad!.status = 200;
  assert.equal((await server.api('DELETE', '/v1/instances/cart-2/ejection')).status, 204);
  assert.deepEqual([...(await whoAnswers(server, '/api/cart/', 30)).values()], [10, 10, 10]);
});

test('a reload changes routes and listeners without losing a request', async (t) => {
  const [port, other] = [await freePort(), await freePort()];
  const old = { listen: [`127.0.0.1:${port}`], routes: [CART] };
  const server = await startBuiltServer(t, { config: { gateway: old } });
  await startInstances(t, server, ['cart-1', 'cart-2']);
  const reload = async (gateway: object): Promise<void> => {
    writeConfig(server.folder, { gateway });
    const { status, body } = await server.api('POST', '/v1/reload');
    assert.equal(status, 200, JSON.stringify(body));
  };
  const failures: string[] = [];
  let count = 0;
  let isOver = false;
  const load = Array.from({ length: 8 }, async () => {
    while (!isOver) {
      count++;
      await ask(server, '/api/cart/x').then(
        ({ status }) => status !== 200 && failures.push(`${status}`),
        (error: unknown) => failures.push(`${error} ${(error as Error).cause}`),
      );
    }
  });
  assert.equal((await ask(server, '/new')).status, 404);
  for (let round = 0; round < 5; round++) {
    await reload({ ...old, routes: [CART, { prefix: '/new', service: 'cart-service' }], maxRequests: 100 + round });
    assert.equal((await ask(server, '/new')).status, 200);
    await reload({ ...old, listen: [...old.listen, `127.0.0.1:${other}`] });
    assert.equal((await ask(server, '/new')).status, 404);
    assert.equal((await fetch(`http://127.0.0.1:${other}/api/cart/`)).status, 200);
  }
  isOver = true;
  await Promise.all(load);
  assert.deepEqual(failures, [], `of ${count} requests`);

  await t.test('what is wrong changes nothing', async () => {
    writeConfig(server.folder, { gateway: { ...old, routes: [{ prefix: 'new', service: 'cart-service' }] } });
    const { status, body } = await server.api('POST', '/v1/reload');
    assert.equal(status, 400);
    assert.match(JSON.stringify(body), /rollcall\.yaml:\d+:\d+.*gateway\.routes\[0\]\.prefix: must begin with \//);
    assert.equal((await ask(server, '/api/cart/')).status, 200);
  });

  await t.test('without a gateway nobody listens, and with one again somebody does', async () => {
    await reload({ listen: [] });
    await assert.rejects(fetch(`http://127.0.0.1:${port}/`));
    await reload(old);
    assert.equal((await ask(server, '/api/cart/')).status, 200);
  });
});

test('a gateway that a reload brings', async (t) => {
  const port = await freePort();
  const server = await startBuiltServer(t);
  assert.equal((await server.api('GET', '/v1/status')).body.gateway, null);
  const [instance] = await startInstances(t, server, ['cart-1']);
  writeConfig(server.folder, { gateway: { listen: [`127.0.0.1:${port}`], routes: [CART] } });
  assert.equal((await server.api('POST', '/v1/reload')).status, 200);
  const reply = await fetch(`http://127.0.0.1:${port}/api/cart/a`);
  assert.equal(((await reply.json()) as Echo).path, '/a');
  assert.equal(instance!.requests, 1);
});

test('TLS, with HTTP/2 and HTTP/1.1, and another certificate by a reload', async (t) => {
  if (!(await requireTools(t, { curl: 'curl' }))) return;
  const [one, two] = [makeCertificate(), makeCertificate()];
  t.after(() => {
    one.remove();
    two.remove();
  });
  const config = (tls: { certFile: string; keyFile: string }): ConfigSections =>
    gatewayOf([CART], { tls: { certFile: tls.certFile, keyFile: tls.keyFile } });
  const server = await startBuiltServer(t, { config: config(one) });
  await startInstances(t, server, ['cart-1']);
  const curl = async (ca: string, ...options: string[]): Promise<string> => {
    const url = `https://127.0.0.1:${server.gateway.port}/api/cart/x`;
    const { stdout } = await run('curl', [
      ...['-s', '--cacert', ca, '-w', '\n%{http_version} %{http_code}', '--data', 'bread'],
      ...[...options, url],
    ]);
    return stdout;
  };
  assert.match(await curl(one.certFile, '--http2'), /"body":"bread"\}\n2 200$/);
  assert.match(await curl(one.certFile, '--http1.1'), /"x-forwarded-proto":"https".*\n1\.1 200$/);
  writeConfig(server.folder, config(two));
  assert.equal((await server.api('POST', '/v1/reload')).status, 200);
  assert.match(await curl(two.certFile, '--http2'), /\n2 200$/);
});

test('SIGTERM lets requests under way end, and takes no others', async (t) => {
  const server = await startBuiltServer(t, { config: gatewayOf([CART]) });
  const [instance] = await startInstances(t, server, ['cart-1']);
  let release = (): void => {};
  instance!.hold = new Promise((resolve) => {
    release = resolve;
  });
  const reply = ask(server, '/api/cart/slow');
  await eventually(() => assert.equal(instance!.requests, 1));
  server.kill('SIGTERM');
  await eventually(async () => assert.equal(await isOpen(server.gateway.port), false, 'it still listens'));
  release();
  assert.equal((await reply).status, 200);
  assert.deepEqual(await server.exited, { exitCode: 0, signal: null });
  assert.ok(
    logLines(server).some(({ path }) => path === '/api/cart/slow'),
    'the last line was not written',
  );
});

test('an upgraded connection is a pipe, which a stop ends', async (t) => {
  const server = await startBuiltServer(t, { config: gatewayOf([CART]) });
  await startInstances(t, server, ['cart-1']);
  const socket = connect(server.gateway.port, '127.0.0.1');
  t.after(() => socket.destroy());
  let heard = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    heard += text;
  });
  const ended = new Promise((resolve) => socket.on('close', resolve));
  socket.write('GET /api/cart/chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
  await eventually(() => assert.match(heard, /^HTTP\/1\.1 101 .*\r\n\r\n$/s));
  heard = '';
  socket.write('hello');
  await eventually(() => assert.equal(heard, 'hello'));
  assert.equal((await server.api('GET', '/v1/status')).body.gateway.upgrades, 1);
  server.kill('SIGTERM');
  await ended;
  assert.deepEqual(await server.exited, { exitCode: 0, signal: null });
});

test('listening where somebody listens', async (t) => {
  const server = await startBuiltServer(t, { config: gatewayOf([CART]) });
  const taken = `127.0.0.1:${server.gateway.port}`;
  const { stderr, exitCode } = await run(process.execPath, [join(import.meta.dirname, '../../dist/main.js'), 'serve'], {
    cwd: server.folder,
    env: {
      ...process.env,
      ROLLCALL_GATEWAY_LISTEN: taken,
      ROLLCALL_STORE_KIND: 'memory',
    },
  });
  assert.equal(exitCode, 1);
  assert.match(stderr, new RegExp(`gateway: cannot listen on ${taken}: .*EADDRINUSE`));
});

/** The lines of the access log so far. */
function logLines(server: BuiltServer): Record<string, unknown>[] {
  const lines = server.stderr().split('\n').slice(0, -1);
  return lines
    .filter((line) => line.includes('"gateway request"'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

async function isOpen(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

/** Try until it does not throw any more, for ten seconds. */
async function eventually(attempt: () => void | Promise<void>): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  for (;;) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (performance.now() > deadlineMs) throw error;
      await sleep(20);
    }
  }
}

// gateway-retries.test.ts -- what is tried again, where, and how often

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request, type Server } from 'node:http';
import { createServer as createTcp } from 'node:net';
import { describe, it } from 'node:test';
import { DEFAULT_RETRIES } from '../../src/gateway/gateway-defaults.ts';
import { latch, Rig, type Scope, TestServer, until } from '../support/gateway-rig.ts';

/** A port that refuses connections. */
async function closedPort(t: Scope): Promise<number> {
  const server = await TestServer.start(t, createTcp() as unknown as Server);
  server.stop();
  await once(server.server, 'close');
  return server.port;
}

/** An instance that reads a request and resets the connection. */
async function resetting(t: Scope): Promise<{ port: number; seen: () => number }> {
  let seen = 0;
  const tcp = createTcp((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      seen++;
      socket.resetAndDestroy();
    });
  });
  const server = await TestServer.start(t, tcp as unknown as Server);
  return { port: server.port, seen: () => seen };
}

function codeOf(reply: Response): Promise<string> {
  return reply.json().then((body) => (body as { error: { code: string } }).error.code);
}

/** What comes of a request that the first instance it meets fails, when there is a good one as well. */
const MATRIX = [
  { method: 'GET', fault: 'refused', status: 200 },
  { method: 'POST', fault: 'refused', status: 200 },
  { method: 'POST', fault: 'refused', body: 'x', status: 200 },
  { method: 'GET', fault: 'reset', status: 200 },
  { method: 'HEAD', fault: 'reset', status: 200 },
  { method: 'DELETE', fault: 'reset', status: 200 },
  { method: 'PUT', fault: 'reset', body: 'x', status: 502 },
  { method: 'POST', fault: 'reset', status: 502 },
  { method: 'PATCH', fault: 'reset', status: 502 },
  { method: 'GET', fault: '503', status: 200 },
  { method: 'GET', fault: '500', status: 500 },
  { method: 'POST', fault: '503', status: 503 },
  { method: 'PUT', fault: '503', body: 'x', status: 503 },
  { method: 'GET', fault: 'refused', attempts: 0, status: 200 },
  { method: 'GET', fault: 'reset', attempts: 0, status: 502 },
  { method: 'GET', fault: '503', attempts: 0, status: 503 },
] as const;

describe('retries', () => {
  for (const row of MATRIX) {
    const { method, fault, status } = row;
    const body = 'body' in row ? row.body : null;
    const attempts = 'attempts' in row ? row.attempts : 2;
    const title = `${method}${body === null ? '' : ' with a body'}, ${fault}, ${attempts} retries: ${status}`;
    it(title, async (t) => {
      const { rig } = await Rig.start(t, [(_, response) => response.end('good')], {
        retries: { ...DEFAULT_RETRIES, attempts },
      });
      if (fault === 'refused') rig.source.add('bad', await closedPort(t));
      else if (fault === 'reset') rig.source.add('bad', (await resetting(t)).port);
      else {
        const { instances } = await Rig.start(t, [(_, response) => response.writeHead(Number(fault)).end('busy')]);
        rig.source.add('bad', instances[0]!.port);
      }
      const statuses = new Set<number>();
      // Round robin: every second one meets the bad one first.
      for (let i = 0; i < 4; i++) {
        const reply = await fetch(rig.url, { method, body });
        await reply.text();
        statuses.add(reply.status);
      }
      assert.deepEqual([...statuses].sort(), [...new Set([200, status])].sort());
      const records = await rig.recorded(4);
      assert.ok(
        records.some(({ attempts: made, status: got }) => made === 2 || got !== 200),
        'the bad one was met',
      );
    });
  }

  it('the reply of the last instance is passed on as it is', async (t) => {
    const { rig } = await Rig.start(
      t,
      ['a', 'b'].map((name) => (_, response) => response.writeHead(503, { 'X-Name': name }).end(name)),
    );
    const reply = await fetch(rig.url);
    assert.equal(reply.status, 503, 'status');
    assert.equal(await reply.text(), reply.headers.get('x-name'), 'body');
    const [record] = await rig.recorded(1);
    assert.equal(record!.attempts, 2, 'attempts');
    assert.equal(record!.error, undefined, 'no error of the gateway');
  });

  it('when nobody can be reached it is a 502, and every instance was tried once', async (t) => {
    const { rig } = await Rig.start(t, []);
    for (const id of ['a', 'b', 'c']) rig.source.add(id, await closedPort(t));
    const reply = await fetch(rig.url, { method: 'POST', body: 'x' });
    assert.equal(reply.status, 502, 'status');
    assert.equal(await codeOf(reply), 'upstream_failed');
    const [record] = await rig.recorded(1);
    assert.equal(record!.attempts, 3, 'attempts');
    for (const { inFlight, errors, connections } of rig.gateway.loads()) {
      assert.deepEqual({ inFlight, errors, connections }, { inFlight: 0, errors: 1, connections: 0 });
    }
  });

  it('the budget ends retries', async (t) => {
    const { rig } = await Rig.start(t, [
      (_, response) => response.writeHead(503).end(),
      (_, response) => response.writeHead(503).end(),
    ]);
    for (let i = 0; i < 100; i++) await (await fetch(rig.url)).text();
    const records = await rig.recorded(100);
    const retried = records.filter(({ attempts }) => attempts > 1).length;
    // Thirty in ten seconds always may, and the test could take longer than that.
    assert.ok(retried >= 30 && retried < 100, `${retried} were tried again`);
  });

  it('connections that the instance closes while they are idle cost nothing', async (t) => {
    const { rig, instances } = await Rig.start(t, [
      (got, response) => {
        response.end('ok', () => setImmediate(() => got.socket.destroy()));
      },
    ]);
    for (let i = 0; i < 200; i++) {
      const reply = await fetch(rig.url);
      assert.equal(reply.status, 200, `request ${i}`);
      await reply.text();
    }
    assert.ok(instances[0]!.opened > 100, `${instances[0]!.opened} connections`);
  });

  it('a connection that breaks under the next request is no failure of a GET, and one of a POST', async (t) => {
    let count = 0;
    const { rig } = await Rig.start(
      t,
      [
        (got, response) => {
          if (++count % 2 === 0) got.socket.resetAndDestroy();
          else response.end('ok');
        },
      ],
      { retries: { ...DEFAULT_RETRIES, attempts: 0 } },
    );
    for (let i = 0; i < 3; i++) {
      const reply = await fetch(rig.url);
      assert.equal(await reply.text(), 'ok', `request ${i}`);
    }
    count = 1;
    assert.equal((await fetch(rig.url, { method: 'POST' })).status, 502, 'POST');
  });

  it('the deadline counts all attempts, and is a 504', async (t) => {
    const { rig, instances } = await Rig.start(t, [() => {}, () => {}], { timeoutMs: 300 });
    const reply = await fetch(rig.url);
    assert.equal(reply.status, 504, 'status');
    assert.equal(await codeOf(reply), 'upstream_timeout');
    const [record] = await rig.recorded(1);
    assert.ok(record!.durationMs >= 290, `${record!.durationMs} ms`);
    await instances[0]!.whenEmpty();
    await instances[1]!.whenEmpty();
    const readings = rig.gateway.loads();
    assert.deepEqual(
      readings.map(({ inFlight }) => inFlight),
      [0],
      'in flight',
    );
  });

  it('an instance that fails is ejected, and requests go elsewhere', async (t) => {
    const { rig } = await Rig.start(t, [(_, response) => response.end('good')], {
      outliers: {
        consecutive: 2,
        errorShare: 1,
        minRequests: 20,
        windowMs: 10_000,
        ejectForMs: 60_000,
        maxEjectForMs: 60_000,
        maxEjected: 0.5,
      },
    });
    rig.source.add('bad', await closedPort(t));
    for (let i = 0; i < 10; i++) assert.equal(await (await fetch(rig.url)).text(), 'good', `request ${i}`);
    assert.deepEqual(
      rig.verdicts.map(({ kind, instance }) => [kind, instance]),
      [['eject', 'bad']],
    );
    const records = await rig.recorded(10);
    assert.equal(records.filter(({ attempts }) => attempts > 1).length, 2, 'requests that met it');
  });
});

describe('instances that go', () => {
  it('a request under way ends, the next goes elsewhere, and no socket is left', async (t) => {
    const end = latch();
    const begun = latch();
    const { rig, instances } = await Rig.start(t, [
      (_, response) => {
        begun.open();
        void end.promise.then(() => response.end('old'));
      },
    ]);
    const first = fetch(rig.url);
    await begun.promise;
    const { instances: others } = await Rig.start(t, [(_, response) => response.end('new')]);
    rig.source.add('other', others[0]!.port);
    rig.source.remove('i0');
    assert.equal(await (await fetch(rig.url)).text(), 'new', 'the next');
    end.open();
    assert.equal(await (await first).text(), 'old', 'the one under way');
    await instances[0]!.whenEmpty();
    assert.deepEqual(
      rig.gateway.loads().map(({ instance }) => instance),
      ['other'],
    );
  });

  it('an instance that moves is asked where it is now', async (t) => {
    const { rig, instances } = await Rig.start(t, [(_, response) => response.end('old')]);
    assert.equal(await (await fetch(rig.url)).text(), 'old', 'before');
    const { instances: others } = await Rig.start(t, [(_, response) => response.end('new')]);
    rig.source.add('i0', others[0]!.port);
    await instances[0]!.whenEmpty();
    assert.equal(await (await fetch(rig.url)).text(), 'new', 'after');
  });

  it('nobody is there: 503', async (t) => {
    const { rig } = await Rig.start(t, []);
    const reply = await fetch(rig.url);
    assert.equal(reply.status, 503, 'status');
    assert.equal(reply.headers.get('retry-after'), '1', 'Retry-After');
    assert.equal(await codeOf(reply), 'no_instance');
    rig.source.add('ill', 1, 'unhealthy');
    assert.equal(await codeOf(await fetch(rig.url)), 'no_instance');
  });
});

describe('limits', () => {
  it('requests beyond the connections wait in turn', async (t) => {
    const waiting: (() => void)[] = [];
    const order: string[] = [];
    const { rig, instances } = await Rig.start(
      t,
      [
        (got, response) => {
          order.push(got.url!);
          waiting.push(() => response.end());
        },
      ],
      { limits: { maxConnections: 2, maxQueued: 2, queueTimeoutMs: 30_000 } },
    );
    const replies: Promise<Response>[] = [];
    for (let i = 0; i < 4; i++) {
      replies.push(fetch(`${rig.url}/${i}`));
      await until(() => order.length + rig.gateway.waiting === i + 1);
    }
    const full = await fetch(`${rig.url}/4`);
    assert.equal(full.status, 503, 'status');
    assert.equal(full.headers.get('retry-after'), '1', 'Retry-After');
    assert.equal(await codeOf(full), 'queue_full');
    for (let i = 0; i < 4; i++) {
      await until(() => waiting.length > i);
      waiting[i]!();
    }
    for (const reply of replies) assert.equal((await reply).status, 200, 'those who waited');
    assert.deepEqual(order, ['/0', '/1', '/2', '/3'], 'in turn');
    assert.equal(instances[0]!.opened, 2, 'connections');
    const records = await rig.recorded(5);
    assert.equal(records.filter(({ queuedMs }) => queuedMs > 0).length, 2, 'waited');
  });

  it('who waits too long gets a 503, who goes away leaves the queue', async (t) => {
    const limits = { maxConnections: 1, maxQueued: 5, queueTimeoutMs: 300 };
    const { rig } = await Rig.start(t, [() => {}], { limits });
    const first = request(rig.url).end();
    first.on('error', () => {});
    await until(() => rig.gateway.loads()[0]?.inFlight === 1);
    const gone = request(rig.url).end();
    gone.on('error', () => {});
    await until(() => rig.gateway.waiting === 1);
    gone.destroy();
    await until(() => rig.gateway.waiting === 0);
    assert.equal(await codeOf(await fetch(rig.url)), 'queue_timeout');
    first.destroy();
    await until(() => rig.gateway.size === 0);
    assert.equal(rig.gateway.loads()[0]!.inFlight, 0, 'in flight');
  });

  it('a new instance takes those who wait', async (t) => {
    const limits = { maxConnections: 1, maxQueued: 5, queueTimeoutMs: 30_000 };
    const { rig } = await Rig.start(t, [() => {}], { limits });
    const first = request(rig.url).end();
    first.on('error', () => {});
    await until(() => rig.gateway.loads()[0]?.inFlight === 1);
    const second = fetch(rig.url);
    await until(() => rig.gateway.waiting === 1);
    const { instances } = await Rig.start(t, [(_, response) => response.end('new')]);
    rig.source.add('other', instances[0]!.port);
    assert.equal(await (await second).text(), 'new', 'the one that waited');
    first.destroy();
  });

  it('requests beyond the most there may be are refused', async (t) => {
    const { rig } = await Rig.start(t, [() => {}], {}, { maxRequests: 1 });
    const first = request(rig.url).end();
    first.on('error', () => {});
    await until(() => rig.gateway.size === 1);
    assert.equal(await codeOf(await fetch(rig.url)), 'overloaded');
    first.destroy();
  });

  it('2,000 requests at once', async (t) => {
    const { rig, instances } = await Rig.start(
      t,
      Array.from(
        { length: 4 },
        () => (_: unknown, response: { end(text: string): void }) => setTimeout(() => response.end('ok'), 20),
      ),
      { limits: { maxConnections: 100, maxQueued: 2000, queueTimeoutMs: 60_000 } },
    );
    const replies = await Promise.all(
      Array.from({ length: 2000 }, async () => {
        const reply = await fetch(rig.url);
        return `${reply.status} ${await reply.text()}`;
      }),
    );
    assert.deepEqual([...new Set(replies)], ['200 ok']);
    for (const { opened } of instances) assert.ok(opened <= 100, `${opened} connections`);
    await until(() => rig.gateway.size === 0);
    assert.deepEqual([...new Set(rig.gateway.loads().map(({ inFlight }) => inFlight))], [0], 'in flight');
    await rig.gateway.close(0);
    for (const instance of instances) await instance.whenEmpty();
  });

  it('the wait for a place is no latency of the instance', async (t) => {
    const limits = { maxConnections: 1, maxQueued: 5, queueTimeoutMs: 30_000 };
    const ends: (() => void)[] = [];
    const { rig } = await Rig.start(t, [(_, response) => ends.push(() => response.end('ok'))], { limits });
    const first = fetch(rig.url);
    await until(() => ends.length === 1);
    const second = fetch(rig.url);
    await until(() => rig.gateway.waiting === 1);
    await new Promise((resolve) => setTimeout(resolve, 300));
    ends[0]!();
    await (await first).text();
    await until(() => ends.length === 2);
    ends[1]!();
    await (await second).text();
    const record = (await rig.recorded(2)).find(({ queuedMs }) => queuedMs > 0)!;
    assert.ok(record.queuedMs >= 290, `${record.queuedMs} ms in the queue`);
    assert.ok(record.upstreamMs! <= record.durationMs - 290, `${record.upstreamMs} ms at the instance`);
  });
});

describe('settings and stop', () => {
  it('connections stay over a reload, and requests under way end by the old routes', async (t) => {
    const end = latch();
    const { rig, instances } = await Rig.start(t, [
      (got, response) => {
        if (got.url === '/slow') void end.promise.then(() => response.end('slow'));
        else response.end('ok');
      },
    ]);
    await (await fetch(rig.url)).text();
    const slow = fetch(`${rig.url}/slow`);
    await until(() => rig.gateway.loads()[0]!.inFlight === 1);
    const { settingsOf } = await import('../support/gateway-rig.ts');
    rig.gateway.configure(settingsOf({ name: 'other', prefix: '/new', timeoutMs: 1000 }));
    assert.equal(await codeOf(await fetch(rig.url)), 'no_route');
    assert.equal(await (await fetch(`${rig.url}/new`)).text(), 'ok', 'the new route');
    end.open();
    assert.equal(await (await slow).text(), 'slow', 'under way');
    assert.ok(instances[0]!.opened <= 2, `${instances[0]!.opened} connections`);
  });

  it('a stop lets requests end, refuses new ones, and leaves no socket', async (t) => {
    const end = latch();
    const { rig, instances } = await Rig.start(t, [(_, response) => void end.promise.then(() => response.end('ok'))]);
    const first = fetch(rig.url);
    await until(() => rig.gateway.size === 1);
    const closed = rig.gateway.close(60_000);
    const refused = await fetch(rig.url);
    assert.equal(refused.status, 503, 'a new one');
    assert.equal(refused.headers.get('connection'), 'close', 'connection');
    end.open();
    const reply = await first;
    assert.equal(reply.headers.get('connection'), 'close', 'connection');
    assert.equal(await reply.text(), 'ok', 'the one under way');
    await closed;
    await instances[0]!.whenEmpty();
  });

  it('what is not over in time is cut off', async (t) => {
    const { rig, instances } = await Rig.start(t, [
      (got, response) => {
        if (got.url === '/half') response.write('half');
      },
    ]);
    const silent = fetch(rig.url);
    const half = await fetch(`${rig.url}/half`);
    await until(() => rig.gateway.size === 2);
    await rig.gateway.close(50);
    assert.equal(await codeOf(await silent), 'overloaded');
    await assert.rejects(half.text(), 'cut off');
    await instances[0]!.whenEmpty();
    assert.equal(rig.records.length, 2, 'records');
  });
});

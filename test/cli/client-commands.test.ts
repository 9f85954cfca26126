// client-commands.test.ts -- what the commands ask of the API, and what they make of its replies

import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { type CliWorld, runCommand } from '../support/captured-terminal.ts';
import { freePort } from '../support/free-port.ts';
import { Peer } from '../support/peer.ts';

interface Seen {
  readonly call: string;
  readonly body: unknown;
  readonly headers: IncomingMessage['headers'];
}

type Reply = readonly [status: number, body?: unknown, headers?: Record<string, string>];

let peers: Peer[] = [];
afterEach(async () => {
  for (const peer of peers) await peer.close();
  peers = [];
});

/** An API that gives these replies in turn, and notes what it was asked. */
async function fakeApi(...replies: Reply[]): Promise<{ seen: Seen[]; env: Record<string, string> }> {
  const seen: Seen[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const body = text === '' ? undefined : JSON.parse(text);
    seen.push({ call: `${request.method} ${request.url}`, body, headers: request.headers });
    const [status, value, headers = {}] = replies[seen.length - 1] ?? [500];
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(value === undefined ? '' : JSON.stringify(value));
  };
  const peer = await Peer.listen(createServer((request, response) => void answer(request, response)));
  peers.push(peer);
  return { seen, env: { ROLLCALL_HTTP: `http://127.0.0.1:${peer.port}` } };
}

function error(code: string, message: string, details: unknown = []): unknown {
  return { error: { code, message, details } };
}

const CART_1 = {
  ...{ id: 'cart-1', service: 'cart', address: '10.0.0.7', port: 80, weight: 1, tags: ['blue'] },
  ...{ status: 'healthy', reason: 'no checks' },
};

interface Row {
  readonly what: string;
  readonly argv: string;
  readonly replies: readonly Reply[];
  readonly calls: readonly string[];
  readonly bodies?: readonly unknown[];
  readonly world?: CliWorld;
  readonly out?: string;
  readonly err?: string;
  readonly code?: number;
}

const ROWS: readonly Row[] = [
  {
    what: 'services, page by page',
    argv: 'services',
    replies: [
      [
        200,
        {
          services: [{ name: 'a', instances: 2, healthy: 1, tags: ['x', 'y'], strategy: 'random', index: 4 }],
          next: 'a',
        },
      ],
      [
        200,
        { services: [{ name: 'b', instances: 1, healthy: 1, tags: [], strategy: 'weighted', index: 5 }], next: null },
      ],
    ],
    calls: ['GET /v1/services?limit=500', 'GET /v1/services?limit=500&after=a'],
    out: 'SERVICE  HEALTHY  INSTANCES  STRATEGY  TAGS\na        1        2          random    x,y\nb        1        1          weighted\n',
  },
  {
    what: 'no services',
    argv: 'services',
    replies: [[200, { services: [], next: null }]],
    calls: ['GET /v1/services?limit=500'],
    out: 'no services\n',
  },
  {
    what: 'services as JSON',
    argv: 'services --json',
    replies: [[200, { services: [], next: null }]],
    calls: ['GET /v1/services?limit=500'],
    out: '[]\n',
  },
  {
    what: 'instances of one service',
    argv: 'instances cart --status healthy --tag blue --tag v2',
    replies: [[200, { service: 'cart', index: 3, instances: [CART_1] }]],
    calls: ['GET /v1/services/cart?status=healthy&tag=blue&tag=v2'],
    out: 'ID      SERVICE  ADDRESS   PORT  WEIGHT  STATUS   TAGS  REASON\ncart-1  cart     10.0.0.7  80    1       healthy  blue  no checks\n',
  },
  {
    what: 'instances of all services, one of them gone meanwhile',
    argv: 'instances --json',
    replies: [
      [200, { services: [{ name: 'a' }, { name: 'cart' }], next: null }],
      [404, error('unknown_service', 'no service a')],
      [200, { service: 'cart', index: 3, instances: [CART_1] }],
    ],
    calls: ['GET /v1/services?limit=500', 'GET /v1/services/a', 'GET /v1/services/cart'],
    out: `${JSON.stringify([CART_1], null, 2)}\n`,
  },
  {
    what: 'register with an id',
    argv: 'register cart --id cart-1 --address 10.0.0.7 --port 80 --tag blue --tag v2 --meta a=b=c --meta d= --weight 0 --zone z --ttl 1s --lease-ttl 30s --named-port admin=81 --named-port log=82/udp --check-http /health --check-tcp --check-interval 1s --check-timeout 500ms',
    replies: [[201, CART_1]],
    calls: ['PUT /v1/services/cart/instances/cart-1'],
    bodies: [
      {
        ...{ address: '10.0.0.7', port: 80, tags: ['blue', 'v2'], meta: { a: 'b=c', d: '' }, weight: 0, zone: 'z' },
        ...{ ttl: '1s', leaseTtl: '30s' },
        ports: { admin: { port: 81, proto: 'tcp' }, log: { port: 82, proto: 'udp' } },
        checks: [
          { type: 'http', url: '/health', interval: '1s', timeout: '500ms' },
          { type: 'tcp', interval: '1s', timeout: '500ms' },
        ],
      },
    ],
    out: 'registered cart-1 at 10.0.0.7:80, healthy\n',
  },
  {
    what: 'register without an id',
    argv: 'register cart --address 10.0.0.7 --port 80',
    replies: [[201, CART_1]],
    calls: ['POST /v1/services/cart/instances'],
    bodies: [{ address: '10.0.0.7', port: 80 }],
  },
  {
    what: 'register from standard input, options winning',
    argv: 'register cart --file - --port 81',
    world: { input: '{"id":"cart-1","address":"10.0.0.7","port":80,"meta":{"a":"b"}}' },
    replies: [[200, CART_1]],
    calls: ['PUT /v1/services/cart/instances/cart-1'],
    bodies: [{ id: 'cart-1', address: '10.0.0.7', port: 81, meta: { a: 'b' } }],
    out: 'replaced cart-1 at 10.0.0.7:80, healthy\n',
  },
  {
    what: 'a name that has to be encoded',
    argv: 'deregister a/b?c a:b@c',
    replies: [[204], [204]],
    calls: ['DELETE /v1/instances/a%2Fb%3Fc', 'DELETE /v1/instances/a%3Ab%40c'],
    out: 'deregistered a/b?c\nderegistered a:b@c\n',
  },
  {
    what: 'drain',
    argv: 'drain cart-1',
    replies: [[200, { status: 'draining', safeAfter: '2027-01-01T00:00:05.000Z' }]],
    calls: ['POST /v1/instances/cart-1/drain'],
    out: 'cart-1 is draining and may be stopped after 2027-01-01T00:00:05.000Z\n',
  },
  {
    what: "drain until it is safe, by the server's clock",
    argv: 'drain cart-1 --wait',
    replies: [
      [200, { status: 'draining', safeAfter: '2007-01-01T00:00:00.100Z' }, { date: 'Mon, 01 Jan 2007 00:00:00 GMT' }],
    ],
    calls: ['POST /v1/instances/cart-1/drain'],
    out: 'cart-1 is draining and may be stopped now\n',
  },
  {
    what: 'end a drain',
    argv: 'drain cart-1 --undo',
    replies: [[200, CART_1]],
    calls: ['DELETE /v1/instances/cart-1/drain'],
    out: 'cart-1 is no longer draining\n',
  },
  {
    what: 'end an ejection',
    argv: 'readmit cart-1',
    replies: [[200, CART_1]],
    calls: ['DELETE /v1/instances/cart-1/ejection'],
    out: 'cart-1 is not ejected\n',
  },
  {
    what: 'maintenance',
    argv: 'maintenance cart-1 on --reason disk',
    replies: [[200, CART_1]],
    calls: ['PUT /v1/instances/cart-1/maintenance'],
    bodies: [{ enabled: true, reason: 'disk' }],
    out: 'maintenance of cart-1 is on\n',
  },
  {
    what: 'maintenance over',
    argv: 'maintenance cart-1 off',
    replies: [[200, CART_1]],
    calls: ['PUT /v1/instances/cart-1/maintenance'],
    bodies: [{ enabled: false }],
  },
  {
    what: 'a policy',
    argv: 'policy get cart',
    replies: [[200, { strategy: 'random', maxAnswers: 3 }]],
    calls: ['GET /v1/services/cart/policy'],
    out: 'KEY         VALUE\nstrategy    random\nmaxAnswers  3\n',
  },
  {
    what: 'a policy changed, the rest kept',
    argv: 'policy set cart --ttl 9s --json',
    replies: [
      [200, { strategy: 'random', ttl: '1s' }, { etag: '"7"' }],
      [200, { strategy: 'random', ttl: '9s' }],
    ],
    calls: ['GET /v1/services/cart/policy', 'PUT /v1/services/cart/policy'],
    bodies: [undefined, { strategy: 'random', ttl: '9s' }],
    out: `${JSON.stringify({ strategy: 'random', ttl: '9s' }, null, 2)}\n`,
  },
  {
    what: 'the first policy of a service',
    argv: 'policy set cart --strategy weighted --max-answers 2',
    replies: [
      [404, error('unknown_policy', 'none')],
      [201, { strategy: 'weighted', maxAnswers: 2 }],
    ],
    calls: ['GET /v1/services/cart/policy', 'PUT /v1/services/cart/policy'],
    bodies: [undefined, { strategy: 'weighted', maxAnswers: 2 }],
  },
  {
    what: 'a whole policy',
    argv: 'policy set cart --file -',
    world: { input: '{"ttl":"2s"}' },
    replies: [[200, { ttl: '2s' }]],
    calls: ['PUT /v1/services/cart/policy'],
    bodies: [{ ttl: '2s' }],
  },
  {
    what: 'a policy deleted',
    argv: 'policy delete cart',
    replies: [[204]],
    calls: ['DELETE /v1/services/cart/policy'],
    out: 'the policy of cart is deleted\n',
  },
  {
    what: 'an error, with its details',
    argv: 'register cart --address x --port 80',
    replies: [
      [
        400,
        error('invalid', 'instance: bad\u001b[2J', [
          { path: 'address', message: 'must be\nan address' },
          { path: '', message: 'whole' },
        ]),
      ],
    ],
    calls: ['POST /v1/services/cart/instances'],
    code: 1,
    err: 'invalid: instance: bad\n  address: must be an address\n  whole\n',
  },
  {
    what: 'an error that is none of ours',
    argv: 'services',
    replies: [[502]],
    calls: ['GET /v1/services?limit=500'],
    code: 1,
    err: 'bad_reply: URL answers with status 502 and no reason: is it a Rollcall server?\n',
  },
];

describe('client commands', () => {
  for (const { what, argv, replies, calls, bodies, world, out, err = '', code = 0 } of ROWS) {
    it(what, async () => {
      const { seen, env } = await fakeApi(...replies);
      const run = await runCommand(argv.split(' '), { env, ...world });
      assert.equal(run.err.replace(env.ROLLCALL_HTTP!, 'URL'), err);
      assert.equal(run.code, code);
      assert.deepEqual(
        seen.map(({ call }) => call),
        calls,
      );
      if (bodies !== undefined)
        assert.deepEqual(
          seen.map(({ body }) => body),
          bodies,
        );
      if (out !== undefined) assert.equal(run.out, out);
    });
  }

  it('do not overwrite a policy that somebody else has changed meanwhile', async () => {
    const { seen, env } = await fakeApi(
      [200, { ttl: '1s' }, { etag: '"7"' }],
      [412, error('precondition_failed', 'changed')],
    );
    const run = await runCommand(['policy', 'set', 'cart', '--ttl', '9s'], { env });
    assert.equal(seen[1]!.headers['if-match'], '"7"');
    assert.deepEqual([run.code, run.err], [1, 'precondition_failed: changed\n']);
  });

  it('show the token of the option, else that of the environment, else none', async () => {
    const none: Reply = [200, { services: [], next: null }];
    const { seen, env } = await fakeApi(none, none, none);
    const withToken = { ...env, ROLLCALL_TOKEN: 'one' };
    await runCommand(['services', '--token', 'two'], { env: withToken });
    await runCommand(['services'], { env: withToken });
    await runCommand(['services'], { env });
    assert.deepEqual(
      seen.map(({ headers }) => headers.authorization),
      ['Bearer two', 'Bearer one', undefined],
    );
  });

  it('prefer --http to the environment, and take an address without http://', async () => {
    const { seen, env } = await fakeApi([200, { services: [], next: null }]);
    const address = env.ROLLCALL_HTTP!.replace('http://', '');
    await runCommand(['services', '--http', address], { env: { ROLLCALL_HTTP: 'http://127.0.0.1:1' } });
    assert.equal(seen.length, 1);
  });

  it('say when nobody is there', async () => {
    const port = await freePort();
    const run = await runCommand(['services', '--http', `127.0.0.1:${port}`]);
    assert.equal(run.code, 1);
    assert.match(run.err, /^unreachable: cannot reach http:\/\/127\.0\.0\.1:\d+: the connection was refused \(is the/);
  });

  it('say when something else is there', async () => {
    const peer = await Peer.listen(createTcpServer((socket) => socket.end('SSH-2.0-x\r\n')));
    peers.push(peer);
    const run = await runCommand(['services', '--http', `127.0.0.1:${peer.port}`]);
    assert.equal(run.code, 1);
    assert.match(run.err, /^unreachable: /);
    const web = await Peer.listen(createServer((_, response) => response.end('<html>')));
    peers.push(web);
    const page = await runCommand(['services', '--http', `127.0.0.1:${web.port}`]);
    assert.match(page.err, /^bad_reply: .* answers something else than JSON/);
  });

  it('draw tables on a terminal', async () => {
    const { env } = await fakeApi([200, { service: 'cart', index: 3, instances: [CART_1] }]);
    const run = await runCommand(['instances', 'cart'], { env, isTerminal: true });
    assert.ok(run.out.includes('\u001b[32mhealthy\u001b[39m'));
  });
});

describe('rollcall instances --watch', () => {
  it('prints at once, waits by index, prints what has changed', async () => {
    const draining = { ...CART_1, status: 'draining' };
    const state = (index: number, instance: object): Reply => [200, { service: 'cart', index, instances: [instance] }];
    const { seen, env } = await fakeApi(state(3, CART_1), state(4, CART_1), state(5, draining), [
      500,
      error('internal', 'x'),
    ]);
    const run = await runCommand(['instances', 'cart', '--watch', '--json'], { env });
    assert.deepEqual(
      seen.map(({ call }) => call),
      ['', '?index=3&wait=30s', '?index=4&wait=30s', '?index=5&wait=30s'].map(
        (query) => `GET /v1/services/cart${query}`,
      ),
    );
    const lines = run.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)[0].status);
    assert.deepEqual(lines, ['healthy', 'draining']);
    assert.equal(run.code, 1);
  });
});

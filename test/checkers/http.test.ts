// http.test.ts -- the http check against real servers, http and https

import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createTcpServer, type Server } from 'node:net';
import { after, describe, it } from 'node:test';
import { HttpChecker } from '../../src/checkers/http.ts';
import type { CheckSpec, Expectation, Outcome } from '../../src/health/check-spec.ts';
import { type Behaviour, PROBE_OPTIONS, type Subject, testChecker } from '../conformance/checkers.ts';
import { makeCertificate } from '../support/certificate.ts';
import { freePort } from '../support/free-port.ts';
import { Peer } from '../support/peer.ts';
import { checkSpec, probeTarget } from '../support/probe-target.ts';
import { babblingServer, dribblingServer, resettingServer, silentServer, TLS_RECORD } from '../support/unruly-peer.ts';

const options = PROBE_OPTIONS;
const certificate = makeCertificate();
after(() => certificate.remove());

const LISTENERS: Readonly<Partial<Record<Behaviour, RequestListener>>> = {
  passing: (_, response) => response.end('fine'),
  critical: (_, response) => response.writeHead(500).end('broken \u202e\u0007'),
  // Headers and the beginning of a body, then nothing: the deadline must hold in the middle of an answer too.
  hanging: (_, response) => void response.writeHead(200, { 'content-length': 4000 }).write('one moment'),
  dribbling: (_, response) => {
    response.writeHead(200, { 'content-length': 4000 });
    const timer = setInterval(() => response.write('a'), 5);
    response.once('close', () => clearInterval(timer));
  },
  flooding: (_, response) => {
    const more = () => {
      while (!response.destroyed && response.write('\u00e4'.repeat(10_000)));
    };
    response.on('drain', more);
    more();
  },
};

const at = (scheme: 'http' | 'https') => (host: string, port: number) => {
  const url = `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}/health`;
  return checkSpec('http', { url, ...(scheme === 'https' ? { tls: { caFile: certificate.certFile } } : {}) });
};

function starter(scheme: 'http' | 'https') {
  return async (behaviour: Behaviour, address: string): Promise<Subject> => {
    if (behaviour === 'absent') {
      const port = await freePort();
      return { check: at(scheme)(address, port), port, released: async () => {}, close: async () => {} };
    }
    const peer = await Peer.listen(serverFor(scheme, behaviour), address);
    const check = at(scheme)(address, peer.port);
    return { check, port: peer.port, released: () => peer.released(), close: () => peer.close() };
  };
}

function serverFor(scheme: 'http' | 'https', behaviour: Behaviour): Server {
  if (behaviour === 'silent') return silentServer();
  if (behaviour === 'resetting') return resettingServer();
  if (behaviour === 'babbling') return babblingServer();
  if (scheme === 'https' && behaviour === 'dribbling') return dribblingServer(TLS_RECORD);
  const listener = LISTENERS[behaviour]!;
  return scheme === 'http' ? createServer(listener) : createHttpsServer({ ...certificate }, listener);
}

testChecker('http', { create: (given) => new HttpChecker(given), start: starter('http'), at: at('http') });
testChecker('https', { create: (given) => new HttpChecker(given), start: starter('https'), at: at('https') });

/** Probe a server that answers with `listener` once for each of `checks`. */
async function probeServer(listener: RequestListener, parts: (url: string) => Partial<CheckSpec>, times = 1) {
  const peer = await Peer.listen(createServer(listener));
  const checker = new HttpChecker(options);
  const target = probeTarget(checkSpec('http', parts(`http://127.0.0.1:${peer.port}`)));
  try {
    const results = [];
    for (let i = 0; i < times; i++) results.push(await checker.probe(target));
    return { result: results.at(-1)!, results, accepted: peer.accepted, port: peer.port };
  } finally {
    await checker.close();
    await peer.close();
  }
}

describe('http check: what is expected', () => {
  const cases: readonly (readonly [number, string, Expectation | undefined, Outcome])[] = [
    [200, '', undefined, 'passing'],
    [204, '', undefined, 'passing'],
    [299, '', undefined, 'passing'],
    [300, '', undefined, 'critical'],
    [404, '', undefined, 'critical'],
    [429, '', undefined, 'warning'],
    [503, '', undefined, 'critical'],
    [404, '', { status: [200, 404] }, 'passing'],
    [200, '', { status: [204] }, 'critical'],
    [418, '', { status: ['400-420'] }, 'passing'],
    [429, '', { status: ['200-299'] }, 'critical'],
    [200, 'status: UP', { body: 'UP$' }, 'passing'],
    [200, 'status: DOWN', { body: 'UP$' }, 'critical'],
    [503, 'status: UP', { body: 'UP$' }, 'critical'],
    [503, 'status: UP', { status: [503], body: 'UP$' }, 'passing'],
    [200, 'x', { body: '(' }, 'critical'],
    [200, 'x', { status: ['300-200'] }, 'critical'],
    [200, `${'a'.repeat(4096)}b`, { body: 'b' }, 'critical'],
    [200, `${'a'.repeat(4000)}b`, { body: '(a*)*b' }, 'passing'],
  ];
  for (const [status, body, expect, outcome] of cases) {
    it(`${status} ${JSON.stringify(body.slice(-12))} against ${JSON.stringify(expect)} is ${outcome}`, async () => {
      const { result } = await probeServer(
        (_, response) => response.writeHead(status).end(body),
        (url) => ({ url, ...(expect === undefined ? {} : { expect }) }),
      );
      assert.equal(result.outcome, outcome, result.output);
    });
  }
});

describe('http check: a body that does not end', () => {
  const endless: RequestListener = (_, response) => void response.writeHead(200).write('{"up":true}');
  const huge: RequestListener = (_, response) => void response.writeHead(200, { 'content-length': 9e9 }).write('ab');
  const cases: readonly (readonly [string, RequestListener, Partial<CheckSpec>, Outcome])[] = [
    ['chunked, the status is enough', endless, {}, 'passing'],
    ['chunked, with a status asked for', endless, { expect: { status: [204] } }, 'critical'],
    ['chunked, with a load in a header', endless, { load: { header: 'x-load' } }, 'passing'],
    ['long, the status is enough', huge, {}, 'passing'],
    ['chunked, and a pattern to find', endless, { expect: { body: 'down' } }, 'critical'],
    ['chunked, and a value to find', endless, { expect: { json: { up: true } } }, 'critical'],
  ];
  for (const [title, listener, parts, outcome] of cases) {
    it(`${title}: ${outcome}`, async () => {
      const isWaited = outcome === 'critical' && parts.expect?.status === undefined;
      const timeoutMs = isWaited ? 100 : 60_000;
      const { results, accepted } = await probeServer(listener, (url) => ({ url, timeoutMs, ...parts }), 2);
      assert.deepEqual(
        results.map((result) => result.outcome),
        [outcome, outcome],
        results[0]?.output,
      );
      assert.equal(accepted, 2, 'connections that still carry an answer are not kept');
    });
  }
});

describe('http check: the request', () => {
  it('follows no redirect', async () => {
    const asked: (string | undefined)[] = [];
    const { result, port } = await probeServer(
      (request, response) => {
        asked.push(request.url);
        response.writeHead(302, { location: '/inside' }).end();
      },
      (url) => ({ url: `${url}/outside` }),
    );
    assert.deepEqual(asked, ['/outside']);
    assert.equal(result.outcome, 'critical');
    assert.equal(result.output, `HTTP GET http://127.0.0.1:${port}/outside: 302 Found (expected 200-299)`);
  });

  it('carries method, path, query, headers and body', async () => {
    const { result } = await probeServer(
      async (request, response) => {
        let body = '';
        for await (const chunk of request) body += chunk;
        response.end(`${request.method} ${request.url} ${request.headers['x-probe']} ${request.headers.host} ${body}`);
      },
      (url) => ({ url: `${url}/a?b=1`, method: 'POST', headers: { 'X-Probe': 'yes', Host: 'cart' }, body: 'ping' }),
    );
    assert.match(result.output, /\/a\?\.\.\.: 200 OK, body: POST \/a\?b=1 yes cart ping$/);
  });

  it('shows no secret of its headers, even when it is echoed', async () => {
    const { result } = await probeServer(
      (request, response) => response.end(`${request.headers.authorization} ${request.headers['x-api-key']}`),
      (url) => ({ url, headers: { 'X-Api-Key': 'k-12345', Authorization: 'Basic Y2Fyb2w6czNjcjN0' } }),
    );
    assert.match(result.output, /, body: \*\*\* \*\*\*$/);
    assert.doesNotMatch(result.output, /k-12345|Y2Fyb2w6czNjcjN0/);
  });

  it('is refused with credentials in its URL, which are not shown', async () => {
    const url = 'http://carol:s3cr3t@127.0.0.1:1/';
    const result = await new HttpChecker(options).probe(probeTarget(checkSpec('http', { url })));
    assert.deepEqual(
      [result.outcome, result.output],
      ['critical', 'refused: the url of a check must not hold credentials'],
    );
  });

  it('a header that cannot be sent is critical and does not show its value', async () => {
    const { result } = await probeServer(
      (_, response) => response.end(),
      (url) => ({ url, headers: { Authorization: 'Bearer top\nsecret' } }),
    );
    assert.equal(result.outcome, 'critical');
    assert.doesNotMatch(result.output, /top|secret/);
  });

  it('refuses other schemes', async () => {
    const result = await new HttpChecker(options).probe(probeTarget(checkSpec('http', { url: 'file:///etc/passwd' })));
    assert.deepEqual(
      [result.outcome, result.output],
      ['critical', 'refused: an http check takes http: and https: URLs only'],
    );
  });

  it('an endless body is read no further than 4 KiB, and the status decides', async () => {
    const startedMs = performance.now();
    const { result } = await probeServer(LISTENERS.flooding!, (url) => ({ url, timeoutMs: 5000 }));
    assert.equal(result.outcome, 'passing');
    assert.ok(performance.now() - startedMs < 2000, 'long before the deadline');
  });

  it('control characters of a body do not reach the output', async () => {
    const { result } = await probeServer(
      (_, response) => response.end('a\u001b[2Jb\r\nc'),
      (url) => ({ url }),
    );
    assert.match(result.output, /body: a\ufffd\[2Jb\nc$/);
  });
});

describe('http check: connections', () => {
  it('are kept alive between probes of an address', async () => {
    const { accepted, results } = await probeServer(
      (_, response) => response.end('x'),
      (url) => ({ url }),
      5,
    );
    assert.deepEqual(new Set(results.map((result) => result.outcome)), new Set(['passing']));
    assert.equal(accepted, 1);
  });

  it('leave nothing behind on the ones that are used again', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error) => void warnings.push(warning);
    process.on('warning', note);
    await probeServer(
      (_, response) => response.end('x'),
      (url) => ({ url }),
      30,
    );
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', note);
    assert.deepEqual(warnings, []);
  });

  it('are made anew for a name, whose addresses may change', async () => {
    const { accepted } = await probeServer(
      (_, response) => response.end('x'),
      (url) => ({ url: url.replace('127.0.0.1', 'localhost') }),
      3,
    );
    assert.equal(accepted, 3);
  });

  it('that the server closed without a word are replaced within the same probe', async () => {
    // Answers promise to keep the connection; whatever comes second on one is answered with a reset.
    const peer = await Peer.listen(
      createTcpServer((socket) => {
        socket.once('data', () => {
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
          socket.once('data', () => socket.resetAndDestroy());
        });
      }),
    );
    const checker = new HttpChecker(options);
    const target = probeTarget(checkSpec('http', { url: `http://127.0.0.1:${peer.port}/` }));
    for (let i = 0; i < 3; i++) assert.equal((await checker.probe(target)).outcome, 'passing');
    assert.equal(peer.accepted, 3);
    await checker.close();
    await peer.close();
  });

  it('a server that is no HTTP server is critical', async () => {
    for (const greeting of ['SSH-2.0-x\r\n', 'HTTP/1.1 200\r\nContent-Length: -1\r\n\r\n', '']) {
      const peer = await Peer.listen(createTcpServer((socket) => void socket.end(greeting)));
      const checker = new HttpChecker(options);
      const result = await checker.probe(probeTarget(checkSpec('http', { url: `http://127.0.0.1:${peer.port}/` })));
      assert.equal(result.outcome, 'critical', result.output);
      await checker.close();
      await peer.close();
    }
  });

  it('a connection is gone after its server died, and the next probe says so', async () => {
    const peer = await Peer.listen(createServer((_, response) => response.end('x')));
    const checker = new HttpChecker(options);
    const target = probeTarget(checkSpec('http', { url: `http://127.0.0.1:${peer.port}/` }));
    assert.equal((await checker.probe(target)).outcome, 'passing');
    await peer.close();
    const result = await checker.probe(target);
    assert.equal(result.outcome, 'critical');
    assert.match(result.output, /ECONNREFUSED/);
    await checker.close();
  });
});

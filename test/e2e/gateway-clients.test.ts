// gateway-clients.test.ts -- programs that people have talk to the gateway of the built server

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type BuiltServer, startBuiltServer } from '../support/built-server.ts';
import { makeCertificate } from '../support/certificate.ts';
import { SERVICE, startInstances } from '../support/gateway-server.ts';
import { requireTools, run } from '../support/tools.ts';

const ROUTES = [
  { prefix: '/site', strip: true, service: 'site' },
  { prefix: '/', service: SERVICE },
];

/** What the page of the browser reports, in this order. */
const PAGE_REPORT = ['page h2', 'fetch 200 cart-0', 'post 200 {"bytes":70000,', 'websocket echo', 'fetched by h2'];

/** The image holds up the `load` event, and with it the browser's end, until the report is there. */
const PAGE = `<!doctype html><title>Shop</title><img src="/site/hold"><pre id="report"></pre><script>
(async () => {
  const report = ['page ' + performance.getEntriesByType('navigation')[0].nextHopProtocol];
  try {
    const reply = await fetch('/work');
    report.push('fetch ' + reply.status + ' ' + (await reply.text()));
    const posted = await fetch('/sink', { method: 'POST', body: 'b'.repeat(70000) });
    report.push('post ' + posted.status + ' ' + (await posted.text()));
    report.push('websocket ' + (await new Promise((resolve) => {
      const socket = new WebSocket('wss://' + location.host + '/echo');
      socket.onopen = () => socket.send('echo');
      socket.onmessage = ({ data }) => resolve(data);
      socket.onerror = () => resolve('failed');
    })));
    report.push('fetched by ' + performance.getEntriesByName(location.origin + '/work')[0].nextHopProtocol);
  } catch (error) {
    report.push('error ' + error);
  }
  document.getElementById('report').textContent = report.join('\\n');
  await fetch('/site/done', { method: 'POST' });
})();
</script>`;

test('clients of HTTP/1.1', async (t) => {
  const server = await startBuiltServer(t, {
    config: { ...QUIET, gateway: { listen: ['127.0.0.1:0'], routes: ROUTES } },
  });
  await startInstances(t, server, [0, 0]);
  const url = `http://127.0.0.1:${server.gateway.port}`;

  await t.test('curl, which offers HTTP/2 by Upgrade, and uses its connection again', async (t) => {
    if (!(await requireTools(t, { curl: 'curl' }))) return;
    const format = '%{http_code} %{http_version} %{num_connects}\\n';
    const each = ['-s', '--http2', '-o', '/dev/null', '-w', format];
    const { stdout } = await run('curl', [...each, `${url}/work`, '--next', ...each, `${url}/work`]);
    assert.equal(stdout, '200 1.1 1\n200 1.1 0\n');
  });

  await t.test('curl, which waits for 100 (Continue) before it sends', async (t) => {
    if (!(await requireTools(t, { curl: 'curl' }))) return;
    const args = ['-sv', '-H', 'Expect: 100-continue', '-T', '-', `${url}/sink`];
    const { stdout, stderr } = await run('curl', args, { input: 'a'.repeat(300_000) });
    assert.equal(JSON.parse(stdout).bytes, 300_000);
    assert.match(stderr, /< HTTP\/1\.1 100 Continue/);
  });

  await t.test('fetch, with a body that it streams', async () => {
    const parts = new Blob(['one ', 'two ', 'three']).stream();
    const reply = await fetch(`${url}/sink`, { method: 'POST', body: parts, duplex: 'half' } as RequestInit);
    assert.equal(((await reply.json()) as { bytes: number }).bytes, 13);
  });

  await t.test('wrk, and all that it counts is counted', async (t) => {
    if (!(await requireTools(t, { wrk: 'wrk' }))) return;
    const before = await passed(server);
    const { stdout, stderr } = await run('wrk', ['-t1', '-c16', '-d2s', `${url}/work`], { timeoutMs: 30_000 });
    const count = Number(/(\d+) requests in/.exec(stdout)?.[1]);
    assert.ok(count > 0, `${stdout}${stderr}`);
    assert.doesNotMatch(stdout, /Socket errors|Non-2xx/);
    // At its end wrk goes away from requests that are under way.
    const counted = (await passed(server)) - before;
    assert.ok(counted >= count && counted <= count + 16, `${counted} counted, ${count} made`);
  });
});

test('clients of HTTP/2 over TLS', async (t) => {
  if (!(await requireTools(t, { openssl: 'openssl' }))) return;
  const certificate = makeCertificate();
  t.after(() => certificate.remove());
  const tls = { certFile: certificate.certFile, keyFile: certificate.keyFile };
  const gateway = { listen: ['127.0.0.1:0'], tls, routes: ROUTES };
  const server = await startBuiltServer(t, { config: { ...QUIET, gateway } });
  await startInstances(t, server, [0]);
  const url = `https://127.0.0.1:${server.gateway.port}`;

  for (const [flag, version] of [
    ['--http2', '2'],
    ['--http1.1', '1.1'],
  ] as const) {
    await t.test(`curl ${flag}`, async (t) => {
      if (!(await requireTools(t, { curl: 'curl' }))) return;
      const args = ['-s', '--cacert', certificate.certFile, flag, '-w', ' %{http_code} %{http_version}'];
      assert.equal((await run('curl', [...args, `${url}/work`])).stdout, `cart-0 200 ${version}`);
      const body = { input: 'a'.repeat(300_000) };
      assert.match((await run('curl', [...args, '-T', '-', `${url}/sink`], body)).stdout, /^\{"bytes":300000,.* 200 /);
    });
  }

  await t.test('h2load, many requests on each connection', async (t) => {
    if (!(await requireTools(t, { h2load: 'nghttp2-client' }))) return;
    const { stdout } = await run('h2load', ['-n', '2000', '-c', '4', '-m', '20', `${url}/work`], { timeoutMs: 30_000 });
    assert.match(stdout, /2000 succeeded, 0 failed, 0 errored, 0 timeout/);
    assert.match(stdout, /status codes: 2000 2xx/);
  });

  await t.test('Chromium: a page, fetch and a WebSocket', async (t) => {
    if (!(await requireTools(t, { chromium: 'chromium' }))) return;
    await server.register('site', 'site-1', { address: '127.0.0.1', port: await startSite(t) });
    const folder = mkdtempSync(join(tmpdir(), 'rollcall-chromium-'));
    t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
    // It does without a sandbox as root, and without much of /dev/shm in a container.
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'];
    const own = [`--user-data-dir=${folder}`, '--ignore-certificate-errors', '--no-proxy-server', '--dump-dom'];
    const { stdout, stderr } = await run('chromium', [...flags, ...own, `${url}/site/`], { timeoutMs: 40_000 });
    const report = /<pre id="report">([^<]*)/.exec(stdout)?.[1]?.split('\n') ?? [];
    const isRight = PAGE_REPORT.every((line, i) => report[i]?.startsWith(line) === true);
    assert.ok(isRight, `${JSON.stringify(report)}\n${stderr.slice(-2000)}`);
  });
});

const QUIET = { store: { kind: 'memory' }, log: { level: 'warn' } };

/** Requests that the metrics tell of. */
async function passed(server: BuiltServer): Promise<number> {
  const { body } = await server.api('GET', '/metrics');
  const lines = String(body).matchAll(/^rollcall_gateway_requests_total\{[^}]*\} (\d+)$/gm);
  return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Serves the page; returns its port. */
async function startSite(t: TestContext): Promise<number> {
  let held: ServerResponse | undefined;
  const server = createServer((request, response) => {
    if (request.url === '/') response.setHeader('content-type', 'text/html').end(PAGE);
    else if (request.url === '/hold') held = response;
    else {
      request.resume();
      response.end();
      if (request.url === '/done') held?.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

// balancers.test.ts -- HAProxy in front, telling by PROXY headers who asks: answers are for the client, not for HAProxy

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startBuiltServer } from '../support/built-server.ts';
import { makeCertificate } from '../support/certificate.ts';
import { freePort } from '../support/free-port.ts';
import { requireTools, run, spawnServer } from '../support/tools.ts';

const NAME = 'cart-service.service.local';
const [FRIEND, STRANGER] = ['127.0.0.7', '127.0.0.8'];

test('behind HAProxy, over TCP and TLS, routing by network sees the real client', async (t) => {
  const tools = { haproxy: 'haproxy', kdig: 'knot-dnsutils', openssl: 'openssl' };
  if (!(await requireTools(t, tools))) return;
  const certificate = makeCertificate();
  t.after(() => certificate.remove());
  const tls = { listen: ['127.0.0.1:0'], certFile: certificate.certFile, keyFile: certificate.keyFile };
  const server = await startBuiltServer(t, { config: { dns: { tls, proxyProtocol: { from: ['127.0.0.1'] } } } });
  await server.register('cart-service', 'cart-1', { address: '10.1.0.1', port: 8080 });
  await server.register('cart-service', 'cart-2', { address: '10.1.0.2', port: 8080, tags: ['canary'] });
  const route = { match: { tags: ['canary'] }, client: [`${FRIEND}/32`] };
  const { status } = await server.api('PUT', '/v1/services/cart-service/policy', { routes: [route] });
  assert.equal(status < 300, true, `the policy is accepted: ${status}`);
  const { dns } = (await server.api('GET', '/v1/status')).body;
  const [tcpPort, tlsPort, statsPort] = [await freePort(), await freePort(), await freePort()];
  const file = join(server.folder, 'haproxy.cfg');
  // The check begins with a header of the command LOCAL: HAProxy asks for nobody.
  writeFileSync(
    file,
    `defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen dns
  bind 127.0.0.1:${tcpPort}
  server one 127.0.0.1:${server.dns.port} send-proxy-v2 check check-send-proxy inter 100ms
listen dot
  bind 127.0.0.1:${tlsPort}
  server one ${dns.tls[0]} send-proxy-v2
frontend stats
  mode http
  bind 127.0.0.1:${statsPort}
  stats enable
  stats uri /
`,
  );
  const csv = async (): Promise<string> => {
    const reply = await fetch(`http://127.0.0.1:${statsPort}/;csv`).catch(() => undefined);
    return (await reply?.text()) ?? '';
  };
  await spawnServer(t, 'haproxy', ['-db', '-f', file], { ready: async () => /^dns,one,/m.test(await csv()) });
  const ask = async (port: number, client: string, ...words: string[]): Promise<string> => {
    const options = ['+short', '+retry=0', '+time=5', '-b', client, '-p', String(port), ...words];
    return (await run('kdig', ['@127.0.0.1', ...options, NAME])).stdout.trim();
  };
  const secured = ['+tls', `+tls-ca=${certificate.certFile}`, '+tls-hostname=localhost'];
  for (const [what, port, words] of [
    ['TCP', tcpPort, ['+tcp']],
    ['TLS', tlsPort, secured],
  ] as const) {
    assert.equal(await ask(port, FRIEND, ...words), '10.1.0.2', `${what}: the network of the route`);
    assert.equal(await ask(port, STRANGER, ...words), '10.1.0.1', `${what}: another network`);
    const straight = what === 'TCP' ? server.dns.port : Number(String(dns.tls[0]).replace(/^.*:/, ''));
    assert.equal(await ask(straight, FRIEND, ...words), '10.1.0.2', `${what}: past HAProxy, without a header`);
  }
  // Status of the server line: the checks pass, at least after the queries did.
  assert.match(await csv(), /^dns,one,.*,UP,/m);
});

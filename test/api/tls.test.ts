// tls.test.ts -- the API over TLS: certificates of both sides, and another one while it runs

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type RequestOptions, request } from 'node:https';
import { after, before, describe, it } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { type ApiServer, openApiServer } from '../support/api-server.ts';
import { type Certificate, makeCertificate } from '../support/certificate.ts';

let own: Certificate;
let client: Certificate;
let server: ApiServer;
before(async () => {
  own = makeCertificate();
  client = makeCertificate();
  server = await openApiServer({ tls: { cert: own.cert, key: own.key, clientCa: client.cert } });
});
after(async () => {
  await server.close();
  own.remove();
  client.remove();
});

async function ask(options: RequestOptions): Promise<{ status: number; fingerprint: string }> {
  const sent = request(`${server.url}/v1/services`, { agent: false, ca: own.cert, ...options });
  sent.end(options.method === 'POST' ? '{}' : undefined);
  const [reply] = await once(sent, 'response');
  reply.resume();
  const { fingerprint } = (reply.socket as TLSSocket).getPeerCertificate();
  await once(reply, 'end');
  return { status: reply.statusCode, fingerprint };
}

describe('TLS', () => {
  const identity = () => ({ cert: client.cert, key: client.key });

  it('lets in clients with a certificate of the authority', async () => {
    assert.equal((await ask(identity())).status, 200);
  });

  it('lets in nobody else', async () => {
    await assert.rejects(ask({}));
    await assert.rejects(ask({ cert: own.cert, key: own.key }));
    await assert.rejects(ask({ ...identity(), minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' }));
    assert.equal(await server.raw('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'), '');
  });

  it('counts an Origin as its own only with https', async () => {
    const from = (origin: string) =>
      ask({
        ...identity(),
        method: 'POST',
        path: '/v1/services/cart/instances',
        headers: { origin, 'content-type': 'application/json' },
      });
    assert.equal((await from(server.url)).status, 400);
    assert.equal((await from(server.url.replace('https', 'http'))).status, 403);
  });

  it('changes its certificate for new connections', async () => {
    const before = await ask(identity());
    const next = makeCertificate();
    const tls = { cert: next.cert, key: next.key, clientCa: client.cert };
    const prepared = await server.api.prepare({
      listen: [{ address: '127.0.0.1', port: 0 }],
      tls,
      maxBodyBytes: 65_536,
    });
    prepared.take();
    const after = await ask({ ...identity(), ca: next.cert });
    assert.notEqual(after.fingerprint, before.fingerprint);
    await assert.rejects(ask({ ca: next.cert }));
    next.remove();
  });
});

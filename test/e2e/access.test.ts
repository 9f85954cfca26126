// access.test.ts -- tokens as `rollcall token` makes them, and TLS with client certificates, over the wire

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { runRollcall, startBuiltServer, writeConfig } from '../support/built-server.ts';
import { type Certificate, makeCertificate } from '../support/certificate.ts';
import { requireTools } from '../support/tools.ts';

const CART = { address: '10.1.0.1', port: 8080 };

interface MadeToken {
  readonly id: string;
  readonly token: string;
  readonly hash: string;
  readonly allow: readonly string[];
}

async function makeToken(id: string, ...allow: string[]): Promise<MadeToken> {
  const scopes = allow.flatMap((scope) => ['--allow', scope]);
  const { exitCode, stdout, stderr } = await runRollcall(['token', '--json', '--id', id, ...scopes]);
  assert.equal(exitCode, 0, stderr);
  return JSON.parse(stdout);
}

/** What goes into the configuration: everything but the token itself. */
function entry({ id, hash, allow }: MadeToken): object {
  return { id, hash, allow };
}

test('tokens open what their scopes say, and nothing else', async (t) => {
  const [cart, reader, operator] = await Promise.all([
    makeToken('cart', 'services:write:cart-*'),
    makeToken('reader', 'services:read:*'),
    makeToken('operator', 'operator'),
  ]);
  const server = await startBuiltServer(t, { config: { auth: { tokens: [cart, reader, operator].map(entry) } } });
  const as = (token: string | undefined) => async (method: string, path: string, body?: unknown) => {
    const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return (await server.api(method, path, body, headers)).status;
  };
  const put = ['PUT', '/v1/services/cart-service/instances/cart-1', CART] as const;

  await t.test('none, or an unknown one', async () => {
    for (const token of [undefined, 'guessed', `${cart.token}x`, cart.hash]) {
      assert.equal(await as(token)(...put), 401);
      assert.equal(await as(token)('GET', '/v1/services/cart-service'), 401);
      assert.equal(await as(token)('POST', '/v1/reload'), 401);
      assert.equal(await as(token)('GET', '/healthz'), 200);
      assert.equal(await as(token)('GET', '/readyz'), 200);
    }
  });
  await t.test('a writer of some services', async () => {
    assert.equal(await as(cart.token)(...put), 201);
    assert.equal(await as(cart.token)('PUT', '/v1/services/other-service/instances/other-1', CART), 403);
    assert.equal(await as(cart.token)('PUT', '/v1/services/cart-service/policy', { strategy: 'random' }), 403);
    assert.equal(await as(cart.token)('POST', '/v1/reload'), 403);
    assert.deepEqual(await server.addresses('cart-service.service.local'), ['10.1.0.1']);
  });
  await t.test('a reader', async () => {
    assert.equal(await as(reader.token)('GET', '/v1/services/cart-service'), 200);
    assert.equal(await as(reader.token)(...put), 403);
    assert.equal(await as(reader.token)('DELETE', '/v1/instances/cart-1'), 403);
  });
  await t.test('an operator', async () => {
    assert.equal(await as(operator.token)('POST', '/v1/reload'), 200);
    assert.equal(await as(operator.token)('GET', '/v1/status'), 200);
  });
  await t.test('the header of Consul', async () => {
    const { status } = await server.api('GET', '/v1/services/cart-service', undefined, {
      'x-consul-token': reader.token,
    });
    assert.equal(status, 200);
  });
  await t.test('the commands, by option and by environment', async () => {
    const args = ['instances', 'cart-service', '--json', '--http', server.url];
    const refused = await runRollcall(args);
    assert.equal(refused.exitCode, 1);
    assert.match(refused.stderr, /unauthorized/);
    const byOption = await runRollcall([...args, '--token', reader.token]);
    assert.equal(JSON.parse(byOption.stdout)[0].id, 'cart-1');
    const byEnvironment = await runRollcall(args, { env: { ROLLCALL_TOKEN: reader.token } });
    assert.equal(byEnvironment.stdout, byOption.stdout);
  });
  await t.test('taken out of the configuration, it is refused', async () => {
    writeConfig(server.folder, { auth: { tokens: [entry(operator)] } });
    assert.equal(await as(operator.token)('POST', '/v1/reload'), 200);
    assert.equal(await as(cart.token)(...put), 401);
    assert.deepEqual(await server.addresses('cart-service.service.local'), ['10.1.0.1']);
  });
  assert.ok(![cart, reader, operator].some(({ token }) => server.stderr().includes(token)), 'a token is in the log');
});

test('what `rollcall token` prints for people is a configuration', async (t) => {
  const { stdout } = await runRollcall(['token', '--id', 'ops', '--allow', 'operator']);
  const token = /^token: (\S+)$/m.exec(stdout)?.[1];
  const yaml = stdout.slice(stdout.indexOf('auth:'));
  const { parse } = await import('yaml');
  const server = await startBuiltServer(t, { config: parse(yaml) });
  assert.equal((await server.api('GET', '/v1/status', undefined, { authorization: `Bearer ${token}` })).status, 200);
  assert.equal((await server.api('GET', '/v1/status')).status, 401);
});

test('without tokens only callers that are surely local are let in', async (t) => {
  const server = await startBuiltServer(t);
  const status = async (headers: Record<string, string>) =>
    (await server.api('GET', '/v1/services', undefined, headers)).status;
  assert.equal(await status({}), 200);
  assert.equal(await status({ 'x-forwarded-for': '203.0.113.9' }), 403);
  assert.equal(await status({ forwarded: 'for=203.0.113.9' }), 403);
  const cross = { origin: 'https://evil.example' };
  const write = await server.api('PUT', '/v1/services/cart-service/instances/cart-1', CART, cross);
  assert.equal(write.status, 403);
});

interface Identity {
  readonly cert: string;
  readonly key: string;
}

/** A request by HTTPS; the status, or the code of the error. */
async function secureStatus(port: number, server: Certificate, client?: Identity): Promise<string> {
  const call = request({ port, host: '127.0.0.1', path: '/v1/services', ca: server.cert, agent: false, ...client });
  const reply = once(call, 'response') as Promise<[IncomingMessage]>;
  call.end();
  try {
    const [response] = await reply;
    response.resume();
    return String(response.statusCode);
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code ?? String(thrown);
  }
}

async function makeCertificates(
  t: TestContext,
): Promise<[own: Certificate, known: Certificate, stranger: Certificate]> {
  const all = [makeCertificate(), makeCertificate(), makeCertificate()] as const;
  t.after(() => all.forEach((each) => void each.remove()));
  return [...all];
}

test('TLS, with and without client certificates, and a new certificate by reload', async (t) => {
  if (!(await requireTools(t, { openssl: 'openssl' }))) return;
  const [own, known, stranger] = await makeCertificates(t);
  const files = { certFile: own.certFile, keyFile: own.keyFile };

  await t.test('without', async (each) => {
    const server = await startBuiltServer(each, { config: { http: { tls: files } } });
    assert.equal(await secureStatus(server.http.port, own), '200');
    assert.match(await secureStatus(server.http.port, stranger), /SELF_SIGNED|UNABLE_TO_VERIFY|SIGNATURE/);
    await assert.rejects(server.api('GET', '/healthz'), 'plain HTTP is no way in');

    writeConfig(server.folder, { http: { tls: { certFile: stranger.certFile, keyFile: stranger.keyFile } } });
    const told = server.logged(/reloaded/);
    server.kill('SIGHUP');
    await told;
    assert.equal(await secureStatus(server.http.port, stranger), '200');
  });

  await t.test('a certificate that cannot be used changes nothing', async (each) => {
    const server = await startBuiltServer(each, { config: { http: { tls: files } } });
    const broken = join(server.folder, 'broken.pem');
    writeFileSync(broken, 'no certificate');
    for (const [tls, error] of [
      [{ ...files, certFile: broken }, /rollcall\.yaml:\d+:\d+: http\.tls\.certFile/],
      [{ ...files, keyFile: broken }, /rollcall\.yaml:\d+:\d+: http\.tls\.keyFile/],
      [{ ...files, keyFile: known.keyFile }, /http\.tls\.keyFile: does not belong to the certificate/],
      [{ ...files, clientCaFile: broken }, /http\.tls\.clientCaFile/],
    ] as const) {
      writeConfig(server.folder, { dns: { listen: ['127.0.0.7:0'] }, http: { tls } });
      const told = server.logged(/reload failed/);
      server.kill('SIGHUP');
      await told;
      assert.match(server.stderr(), error);
      assert.deepEqual(await server.addresses('service.local'), []);
      assert.equal(await secureStatus(server.http.port, own), '200');
    }
    const { exitCode, stdout } = await runRollcall(['check'], { cwd: server.folder });
    assert.equal(exitCode, 1);
    assert.match(stdout, /clientCaFile/);
  });

  await t.test('client certificates are asked for from a reload on, and TLS is turned off by one', async (each) => {
    const server = await startBuiltServer(each, { config: { http: { tls: files } } });
    assert.equal(await secureStatus(server.http.port, own), '200');
    const reload = async (tls: object | undefined): Promise<void> => {
      writeConfig(server.folder, { http: tls === undefined ? {} : { tls } });
      const told = server.logged(/reloaded/);
      server.kill('SIGHUP');
      await told;
    };
    await reload({ ...files, clientCaFile: known.certFile });
    assert.equal(await secureStatus(server.http.port, own, known), '200');
    assert.match(await secureStatus(server.http.port, own, stranger), /ALERT|ECONNRESET|EPROTO|ERR_SSL/);
    await reload(undefined);
    assert.equal((await server.api('GET', '/healthz')).status, 200);
  });

  await t.test('with', async (each) => {
    const tls = { ...files, clientCaFile: known.certFile };
    const server = await startBuiltServer(each, { config: { http: { tls } } });
    assert.equal(await secureStatus(server.http.port, own, known), '200');
    for (const client of [undefined, stranger]) {
      assert.match(await secureStatus(server.http.port, own, client), /ALERT|ECONNRESET|EPROTO|ERR_SSL/);
    }
    assert.equal((await server.stop()).exitCode, 0);
  });
});

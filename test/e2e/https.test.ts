// https.test.ts -- real clients ask by HTTPS: dig, kdig, curl and our own

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMessage, encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { formatRecord } from '../../src/dns/presentation.ts';
import { runRollcall, startBuiltServer } from '../support/built-server.ts';
import { makeCertificate } from '../support/certificate.ts';
import { parseQuestion } from '../support/name-server.ts';
import { requireTools, run } from '../support/tools.ts';

const NAME = 'cart-service.service.local';
const SERVICES = [{ service: 'cart-service', address: '127.0.0.1', port: 8080 }];

test('dig, kdig, curl and rollcall query by HTTPS', async (t) => {
  const tools = { dig: 'bind9-dnsutils', kdig: 'knot-dnsutils', curl: 'curl', openssl: 'openssl' };
  if (!(await requireTools(t, tools))) return;
  const own = makeCertificate();
  t.after(() => own.remove());
  const { certFile, keyFile } = own;
  const server = await startBuiltServer(t, { config: { http: { tls: { certFile, keyFile } }, services: SERVICES } });
  const { address, port } = server.http;
  const url = `https://${address}:${port}/dns-query`;
  const tlsEnv = { NODE_EXTRA_CA_CERTS: certFile };

  for (const [command, ...options] of [
    ['dig', '+https', '+tries=1'],
    ['dig', '+https-get', '+tries=1'],
    ['kdig', '+https', `+tls-ca=${certFile}`],
    ['kdig', '+https', '+https-get', `+tls-ca=${certFile}`],
  ] as const) {
    await t.test(`${command} ${options.join(' ')}`, async () => {
      const { stdout, stderr } = await run(command, [`@${address}`, '-p', `${port}`, ...options, NAME, 'A']);
      assert.match(stdout, /status: NOERROR/, stdout + stderr);
      assert.match(stdout, /^cart-service\S+\s+5\s+IN\s+A\s+127\.0\.0\.1$/m);
      assert.match(stdout, command === 'dig' ? /SERVER: .*\(HTTPS/ : /HTTP session \(HTTP\/2-/);
    });
  }

  await t.test('curl resolves by it, and fetches over HTTP/2', async () => {
    const target = `https://${NAME}:${port}/healthz`;
    const options = ['-sS', '-k', '--noproxy', '*', '-4', '--http2', '--doh-insecure', '--doh-url', url];
    const { stdout, stderr } = await run('curl', [
      ...options,
      '-w',
      ' %{http_version} %{remote_ip}',
      '-o',
      '/dev/null',
      target,
    ]);
    assert.equal(stdout.trim(), `2 127.0.0.1`, stderr);
  });

  for (const version of ['--http1.1', '--http2']) {
    await t.test(`curl posts a message with ${version}, as browsers do`, async () => {
      const input = encodeMessage(queryMessage(0, parseQuestion(`${NAME}. A`)));
      const type = 'application/dns-message';
      const headers = ['-H', `content-type: ${type}`, '-H', `accept: ${type}`];
      const { stdout, stderr } = await run(
        'sh',
        [
          '-c',
          'curl "$@" | base64',
          'sh',
          '-sS',
          version,
          '--noproxy',
          '*',
          '--cacert',
          certFile,
          ...headers,
          '--data-binary',
          '@-',
          url,
        ],
        { input },
      );
      const reply = decodeMessage(Buffer.from(stdout, 'base64'));
      assert.deepEqual(reply.answers.map(formatRecord), [`${NAME}. 5 IN A 127.0.0.1`], stderr);
    });
  }

  await t.test('rollcall query', async () => {
    for (const argv of [
      ['--server', url],
      ['--server', `https://${address}:${port}`],
      ['--https', '--server', `${address}:${port}`],
    ]) {
      const { stdout, stderr, exitCode } = await runRollcall(['query', NAME, ...argv, '--json'], { env: tlsEnv });
      assert.equal(exitCode, 0, stderr);
      const { transport, answers, server: asked } = JSON.parse(stdout);
      assert.deepEqual([transport, answers[0].data, asked], ['https', '127.0.0.1', url]);
    }
    const distrusting = await runRollcall(['query', NAME, '--server', url]);
    assert.equal(distrusting.exitCode, 1);
    assert.match(distrusting.stderr, /^unreachable: cannot ask https:.* self-signed/);
  });

  await t.test('is counted', async () => {
    const { stdout } = await run('curl', [
      '-sS',
      '--noproxy',
      '*',
      '--cacert',
      certFile,
      `https://${address}:${port}/metrics`,
    ]);
    assert.match(stdout, /^rollcall_dns_queries_total\{proto="https",type="A",rcode="NOERROR"\} [1-9]/m);
  });
});

test('without TLS, for a proxy in front that has it', async (t) => {
  const server = await startBuiltServer(t, { config: { services: SERVICES } });
  const { stdout, stderr, exitCode } = await runRollcall(['query', NAME, '--server', server.url]);
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /127\.0\.0\.1[\s\S]*by https/);
});

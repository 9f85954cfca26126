// edns-clients.test.ts -- EDNS options with clients and servers of other makes: dig, kdig, delv, and cookies that BIND and
// Knot make and take when they share a secret with us

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { formatRcode } from '../../src/dns/codes.ts';
import { decodeMessage, encodeMessage, type Message, queryMessage } from '../../src/dns/message.ts';
import { UdpListener } from '../../src/net/udp.ts';
import { COOKIE_SECRET, cookieOf, cookieOption } from '../support/cookies.ts';
import { freePort } from '../support/free-port.ts';
import { NameServer, parseQuestion } from '../support/name-server.ts';
import { requireTools, run, spawnServer } from '../support/tools.ts';

const CLIENT = '0102030405060708';
const PATIENCE_MS = 10_000;

/** A server of ours on UDP, which goes by the real time. */
async function openOwn(t: TestContext): Promise<{ server: NameServer; port: number }> {
  const settings = { cookieSecrets: [COOKIE_SECRET], nsid: 'eu-1' };
  const server = await NameServer.open({ settings, clientSubnetFrom: ['127.0.0.1'] });
  await server.registerMany('web', 3);
  const listener = await UdpListener.open(
    { address: '127.0.0.1', port: 0 },
    {
      answer: (query, transport, out, client) => {
        server.handler.setTime(systemClock);
        return server.handler.respond(query, transport, out, client);
      },
      log: silentLogger,
    },
  );
  t.after(() => listener.close());
  return { server, port: listener.endpoint.port };
}

/** Ask with a cookie from 127.0.0.1. */
async function ask(port: number, cookie: string, question = 'service.local. SOA'): Promise<Message> {
  const edns = { udpSize: 1232, extendedRcode: 0, version: 0, dnssecOk: false, options: [cookieOption(cookie)] };
  const socket = createSocket('udp4');
  try {
    socket.send(encodeMessage(queryMessage(7, parseQuestion(question), edns)), port, '127.0.0.1');
    const [reply] = await once(socket, 'message', { signal: AbortSignal.timeout(PATIENCE_MS) });
    return decodeMessage(reply as Buffer);
  } finally {
    socket.close();
  }
}

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-edns-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Each takes the cookies of the other, and renews none that is young; what is wrong with one they both find. */
async function assertShares(t: TestContext, theirPort: number): Promise<void> {
  const { server, port } = await openOwn(t);
  const theirs = cookieOf(await ask(theirPort, CLIENT))!;
  assert.equal(theirs?.length, 48);
  const byUs = await ask(port, theirs);
  assert.equal(server.handler.hasGoodCookie, true, 'we take theirs');
  assert.equal(cookieOf(byUs), theirs);
  const ours = cookieOf(await ask(port, CLIENT))!;
  const byThem = await ask(theirPort, ours);
  assert.notEqual(formatRcode(byThem.rcode), 'BADCOOKIE', 'they take ours');
  const broken = `${ours.slice(0, 47)}${ours.endsWith('0') ? '1' : '0'}`;
  assert.equal(formatRcode((await ask(theirPort, broken)).rcode), 'BADCOOKIE', 'they look at it');
  await ask(port, broken);
  assert.equal(server.handler.hasGoodCookie, false);
}

describe('EDNS with programs of other makes', () => {
  it('dig: a cookie it finds good, the name of the server, a client subnet', async (t) => {
    if (!(await requireTools(t, { dig: 'bind9-dnsutils' }))) return;
    const { port } = await openOwn(t);
    const args = [
      '@127.0.0.1',
      '-p',
      `${port}`,
      '+tries=1',
      '+cookie',
      '+nsid',
      '+subnet=10.1.0.0/24',
      'web.service.local',
      'A',
    ];
    const { stdout } = await run('dig', args);
    assert.match(stdout, /; COOKIE: [0-9a-f]{48} \(good\)/);
    assert.match(stdout, /; NSID: .*\("eu-1"\)/);
    assert.match(stdout, /; CLIENT-SUBNET: 10\.1\.0\.0\/24\/0/);
    assert.match(stdout, /status: NOERROR/);
    const again = await run('dig', [...args.slice(0, 4), '+cookie=0102030405060708', 'web.service.local', 'A']);
    const cookie = /; COOKIE: ([0-9a-f]{48})/.exec(again.stdout)![1]!;
    const third = await run('dig', [...args.slice(0, 4), `+cookie=${cookie}`, 'web.service.local', 'A']);
    assert.match(third.stdout, new RegExp(`; COOKIE: ${cookie}`));
  });

  it('dig: unknown versions, flags and options, and a key that nobody knows', async (t) => {
    if (!(await requireTools(t, { dig: 'bind9-dnsutils' }))) return;
    const { port } = await openOwn(t);
    const dig = async (...more: readonly string[]): Promise<string> =>
      (await run('dig', ['@127.0.0.1', '-p', `${port}`, '+tries=1', ...more, 'web.service.local', 'A'])).stdout;
    assert.match(await dig('+edns=1', '+noednsnegotiation'), /status: BADVERS/);
    assert.match(await dig('+edns=5'), /status: NOERROR/, 'dig comes again with what we speak');
    assert.match(await dig('+ednsflags=0x4040'), /flags:; udp: 1232/);
    assert.match(await dig('+ednsopt=65001:abcd'), /status: NOERROR/);
    assert.match(
      await dig('+header-only'),
      /status: NOERROR(?:.|\n)*; COOKIE: [0-9a-f]{48} \(good\)/,
      'a cookie alone',
    );
    assert.match(await dig('+header-only', '+nocookie'), /status: FORMERR/);
    assert.match(await dig('-y', 'hmac-sha256:nobody:MDEyMzQ1Njc='), /NOTAUTH(?:.|\n)*BADKEY/);
  });

  it('kdig: cookies and the name of the server', async (t) => {
    if (!(await requireTools(t, { kdig: 'knot-dnsutils' }))) return;
    const { port } = await openOwn(t);
    const { stdout } = await run('kdig', [
      '@127.0.0.1',
      '-p',
      `${port}`,
      '+retry=0',
      '+cookie',
      '+nsid',
      'web.service.local',
      'A',
    ]);
    assert.match(stdout, /status: NOERROR/);
    assert.match(stdout, /;; COOKIE: [0-9A-F]{48}/i);
    assert.match(stdout, /"eu-1"/);
  });

  it('delv, which sends a cookie with everything', async (t) => {
    if (!(await requireTools(t, { delv: 'bind9-dnsutils' }))) return;
    const { port } = await openOwn(t);
    const { stdout, stderr } = await run('delv', [
      '@127.0.0.1',
      '-p',
      `${port}`,
      '+noroot',
      '-i',
      'web.service.local',
      'A',
    ]);
    assert.match(stdout, /web\.service\.local\.\s+\d+\s+IN\s+A\s+10\.0\.0\.\d/, stderr);
  });

  it('BIND: a secret in common', async (t) => {
    if (!(await requireTools(t, { named: 'bind9' }))) return;
    const folder = temporaryFolder(t);
    const port = await freePort();
    const file = join(folder, 'named.conf');
    writeFileSync(
      file,
      `options { directory "${folder}"; pid-file none; session-keyfile none; recursion no; dnssec-validation no;
        listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; };
        cookie-algorithm siphash24; cookie-secret "${COOKIE_SECRET}"; answer-cookie yes; require-server-cookie yes; };
      controls { };\n`,
    );
    await spawnServer(t, 'named', ['-g', '-n', '1', '-c', file], { ready: / running$/m });
    await assertShares(t, port);
  });

  it('Knot: a secret in common', async (t) => {
    if (!(await requireTools(t, { knotd: 'knot' }))) return;
    const folder = temporaryFolder(t);
    const port = await freePort();
    const file = join(folder, 'knot.conf');
    writeFileSync(
      file,
      `server:\n  listen: 127.0.0.1@${port}\n  rundir: ${folder}\n  udp-workers: 1\n  tcp-workers: 1
log:\n  - target: stderr\n    any: info
database:\n  storage: ${folder}
mod-cookies:\n  - id: default\n    secret: 0x${COOKIE_SECRET}\n    badcookie-slip: 1
template:\n  - id: default\n    storage: ${folder}\n    global-module: mod-cookies/default\n`,
    );
    await spawnServer(t, 'knotd', ['-c', file], { ready: /server started/ });
    await assertShares(t, port);
  });
});

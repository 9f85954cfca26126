// transport.test.ts -- sizes, truncation, TCP and spelling, seen by programs that know how an answer should look

import assert from 'node:assert/strict';
import { Resolver } from 'node:dns/promises';
import { type TestContext, test } from 'node:test';
import { type BuiltServer, startBuiltServer } from '../support/built-server.ts';
import { openNamespace } from '../support/namespace.ts';
import { requireTools, run } from '../support/tools.ts';

const NAME = 'wide-service.service.local';
/** Addresses of 16 octets each: more than fit in 512 octets, and with 100 more than in 1,232. */
const INSTANCES = 100;

async function startWide(t: TestContext): Promise<BuiltServer> {
  const server = await startBuiltServer(t, { config: { dns: { maxAnswers: INSTANCES } } });
  const operations = Array.from({ length: INSTANCES }, (_, i) =>
    server.register('wide-service', `wide-${i}`, { address: `10.1.${i >> 4}.${i & 15}`, port: 8080 }),
  );
  await Promise.all(operations);
  return server;
}

interface Dug {
  readonly text: string;
  readonly status: string;
  readonly flags: readonly string[];
  readonly answers: readonly string[];
  /** Octets of the reply. */
  readonly size: number;
  readonly isTcp: boolean;
}

async function dig(server: BuiltServer, ...words: string[]): Promise<Dug> {
  const { address, port } = server.dns;
  const { exitCode, stdout, stderr } = await run('dig', ['-r', `@${address}`, '-p', `${port}`, '+tries=1', ...words]);
  assert.equal(exitCode, 0, stdout + stderr);
  // In front of it stands the query, when +qr asks for that.
  const reply = stdout.slice(stdout.indexOf(';; Got answer'));
  const section = /;; ANSWER SECTION:\n([\s\S]*?)\n\n/.exec(reply)?.[1] ?? '';
  return {
    text: stdout,
    status: /status: (\w+)/.exec(reply)?.[1] ?? '',
    flags: /;; flags:([^;]*);/.exec(reply)?.[1]?.trim().split(' ') ?? [],
    answers: section.split('\n').filter((line) => line !== ''),
    size: Number(/MSG SIZE {2}rcvd: (\d+)/.exec(stdout)?.[1]),
    isTcp: /Truncated, retrying in TCP mode|\(TCP\)/.test(stdout),
  };
}

test('what does not fit is cut, marked and fetched by TCP', async (t) => {
  if (!(await requireTools(t, { dig: 'bind9-dnsutils', kdig: 'knot-dnsutils', drill: 'ldnsutils' }))) return;
  const server = await startWide(t);

  for (const [options, limit] of [
    [['+noedns'], 512],
    [['+bufsize=512'], 512],
    [['+bufsize=1232'], 1232],
    [['+bufsize=4096'], 1232],
    [['+bufsize=100'], 512],
  ] as const) {
    await t.test(`dig ${options} is told at most ${limit} octets, with TC`, async () => {
      const cut = await dig(server, '+ignore', ...options, NAME, 'A');
      assert.ok(cut.flags.includes('tc'), cut.text);
      assert.ok(cut.size <= limit, `${cut.size} octets`);
      assert.ok(cut.size > limit - 100, `only ${cut.size} octets`);
      assert.ok(cut.answers.length > 0 && cut.answers.length < INSTANCES);
    });
    await t.test(`dig ${options} fetches the rest by TCP`, async () => {
      const whole = await dig(server, ...options, NAME, 'A');
      assert.ok(whole.isTcp, whole.text);
      assert.ok(!whole.flags.includes('tc'));
      assert.equal(new Set(whole.answers).size, INSTANCES);
    });
  }

  await t.test('dig +tcp is told all at once', async () => {
    const whole = await dig(server, '+tcp', NAME, 'SRV');
    assert.equal(whole.answers.length, INSTANCES);
    assert.ok(!whole.flags.includes('tc'));
  });

  await t.test('one TCP connection carries several questions', async () => {
    const { address, port } = server.dns;
    const questions = [NAME, 'A', NAME, 'SRV', 'nobody.service.local', 'A'];
    const { exitCode, stdout } = await run('dig', [
      ...['-r', `@${address}`, '-p', `${port}`, '+tcp', '+keepopen'],
      ...questions,
    ]);
    assert.equal(exitCode, 0);
    assert.deepEqual(
      [...stdout.matchAll(/status: (\w+)/g)].map(([, status]) => status),
      ['NOERROR', 'NOERROR', 'NXDOMAIN'],
    );
  });

  await t.test('kdig, drill and Node fetch the rest by TCP as well', async () => {
    const { address, port } = server.dns;
    const kdig = await run('kdig', [`@${address}`, '-p', `${port}`, '+short', NAME, 'A']);
    assert.equal(kdig.stdout.trim().split('\n').length, INSTANCES);
    const drill = await run('drill', ['-a', '-p', `${port}`, NAME, `@${address}`, 'A']);
    assert.equal(drill.stdout.match(/^wide-service\S+\s+\d+\s+IN\s+A\s/gm)?.length, INSTANCES);
    const resolver = new Resolver({ timeout: 2000, tries: 1 });
    resolver.setServers([`${address}:${port}`]);
    assert.equal((await resolver.resolve4(NAME)).length, INSTANCES);
  });
});

test('an answer that fits is not cut, however small the client', async (t) => {
  if (!(await requireTools(t, { dig: 'bind9-dnsutils' }))) return;
  const server = await startBuiltServer(t);
  for (let i = 0; i < 20; i++)
    await server.register('wide-service', `w-${i}`, { address: `10.1.0.${i}`, port: 8080, tags: ['v1'] });
  // A choice of eight is no truncation (contract section 2), and lost additionals are none either (RFC 2181 section 9).
  for (const type of ['A', 'SRV']) {
    const reply = await dig(server, '+ignore', '+noedns', NAME, type);
    assert.equal(reply.answers.length, 8, reply.text);
    assert.ok(!reply.flags.includes('tc'), reply.text);
    assert.ok(reply.size <= 512);
  }
});

test('the spelling of the question comes back, and EDNS is answered as it was asked', async (t) => {
  if (!(await requireTools(t, { dig: 'bind9-dnsutils', kdig: 'knot-dnsutils', drill: 'ldnsutils' }))) return;
  const server = await startBuiltServer(t);
  await server.register('cart-service', 'cart-1', { address: '127.0.0.2', port: 8080 });
  const { address, port } = server.dns;
  const odd = 'CaRt-sErViCe.SeRvIcE.lOcAl';

  await t.test('0x20', async () => {
    const reply = await dig(server, '+qr', odd, 'A');
    assert.equal(reply.text.match(/^;CaRt-sErViCe\.SeRvIcE\.lOcAl\.\s+IN\s+A$/gm)?.length, 2, reply.text);
    assert.match(reply.answers[0]!, /^CaRt-sErViCe\.SeRvIcE\.lOcAl\.\s+5\s+IN\s+A\s+127\.0\.0\.2$/);
    assert.ok(reply.flags.includes('aa') && reply.flags.includes('rd') && !reply.flags.includes('ra'));
    // Both take a reply only when the question in it is theirs.
    assert.match((await run('kdig', [`@${address}`, '-p', `${port}`, odd])).stdout, /127\.0\.0\.2/);
    assert.match((await run('drill', ['-p', `${port}`, odd, `@${address}`])).stdout, /127\.0\.0\.2/);
  });

  await t.test('an unknown EDNS version', async () => {
    const reply = await dig(server, '+edns=1', '+noednsnegotiation', odd, 'A');
    assert.equal(reply.status, 'BADVERS');
    assert.match(reply.text, /EDNS: version: 0,/);
  });

  await t.test('unknown EDNS options and flags', async () => {
    const reply = await dig(server, '+ednsopt=65001:00ff', '+ednsflags=0x1fff', '+nsid', '+dnssec', odd, 'A');
    assert.equal(reply.status, 'NOERROR');
    assert.match(reply.text, /EDNS: version: 0, flags: do; udp: 1232/);
    assert.ok(!/MBZ/.test(reply.text.slice(reply.text.indexOf('Got answer'))), reply.text);
  });

  await t.test('no EDNS in, none out', async () => {
    assert.doesNotMatch((await dig(server, '+noedns', odd, 'A')).text, /EDNS: version/);
  });

  await t.test('names that are not ours', async () => {
    const reply = await dig(server, 'example.com', 'A');
    assert.equal(reply.status, 'REFUSED');
    assert.ok(!reply.flags.includes('aa'));
  });
});

test('behind a wildcard the reply comes from the address that was asked', async (t) => {
  if (!(await requireTools(t, { dig: 'bind9-dnsutils', ip: 'iproute2' }))) return;
  const prefix = await openNamespace(t, {});
  if (prefix === undefined) return;
  const enter = async (...words: string[]) => {
    const [command = '', ...args] = [...prefix, ...words];
    const { exitCode, stdout, stderr } = await run(command, args);
    assert.equal(exitCode, 0, `${words.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  };
  const addresses = ['10.99.0.1', '10.99.0.2', '2001:db8::1', '2001:db8::2'];
  for (const address of addresses) {
    const length = address.includes(':') ? 128 : 32;
    await enter('ip', 'address', 'add', `${address}/${length}`, 'dev', 'lo', ...(length === 128 ? ['nodad'] : []));
  }
  await startBuiltServer(t, {
    prefix,
    config: {
      dns: { listen: ['0.0.0.0:5300', '[::]:5300'] },
      services: [{ service: 'cart-service', address: '10.1.0.1', port: 8080 }],
    },
  });
  for (const address of ['127.0.0.1', '::1', ...addresses]) {
    for (const transport of ['+notcp', '+tcp']) {
      await t.test(`${address} ${transport}`, async () => {
        // dig says "reply from unexpected source", and fails, when it is another.
        const name = 'cart-service.service.local';
        const text = await enter('dig', '-r', `@${address}`, '-p', '5300', '+short', '+tries=1', transport, name, 'A');
        assert.equal(text, '10.1.0.1\n');
      });
    }
  }
});

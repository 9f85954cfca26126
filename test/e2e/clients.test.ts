// clients.test.ts -- programs that ask DNS questions find a service's healthy instances, by UDP and by TCP

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CLASS, RCODE, TYPE } from '../../src/dns/codes.ts';
import { decodeMessage, encodeMessage, type Message, queryMessage } from '../../src/dns/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { type Address, startBuiltServer } from '../support/built-server.ts';
import { requireTools, run } from '../support/tools.ts';
import { ToyInstance } from '../support/toy-instance.ts';

type RecordType = 'A' | 'AAAA' | 'SRV';

interface Client {
  readonly name: string;
  readonly tools: Readonly<Record<string, string>>;
  /** The data of the answer's records: addresses, or `port target` for SRV. */
  ask(server: Address, name: string, type: RecordType): Promise<string[]>;
}

const CHECK = { interval: '200ms', timeout: '100ms', rise: 1, fall: 2 };
const NAME = 'cart-service.service.local';

const CLIENTS: readonly Client[] = [
  dig('dig'),
  dig('dig +tcp', '+tcp'),
  dig('dig +noedns', '+noedns'),
  dig('dig +bufsize=512', '+bufsize=512'),
  kdig('kdig'),
  kdig('kdig +tcp', '+tcp'),
  drill('drill'),
  drill('drill -t', '-t'),
  { name: 'node:dns', tools: {}, ask: askByNode },
];

function dig(name: string, ...options: string[]): Client {
  const ask: Client['ask'] = async (server, question, type) =>
    readShort(
      await stdoutOf('dig', ['-r', `@${server.address}`, '-p', `${server.port}`, '+short', ...options, question, type]),
    );
  return { name, tools: { dig: 'bind9-dnsutils' }, ask };
}

function kdig(name: string, ...options: string[]): Client {
  const ask: Client['ask'] = async (server, question, type) =>
    readShort(
      await stdoutOf('kdig', [`@${server.address}`, '-p', `${server.port}`, '+short', ...options, question, type]),
    );
  return { name, tools: { kdig: 'knot-dnsutils' }, ask };
}

/** drill has no short form: the answer section is read. */
function drill(name: string, ...options: string[]): Client {
  const ask: Client['ask'] = async (server, question, type) => {
    const text = await stdoutOf('drill', [
      ...[...options, '-p', `${server.port}`],
      ...[question, `@${server.address}`, type],
    ]);
    const lines = text.split(';; AUTHORITY')[0]!.split('\n');
    const data = lines.filter((line) => !line.startsWith(';')).map((line) => line.split(/\s+/).slice(4).join(' '));
    return readShort(data.join('\n'));
  };
  return { name, tools: { drill: 'ldnsutils' }, ask };
}

async function stdoutOf(command: string, args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await run(command, args);
  assert.equal(exitCode, 0, `${command}: ${stdout}${stderr}`);
  return stdout;
}

/** One record's data a line; of SRV, the port and the target. */
function readShort(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/^\d+ \d+ (\d+) (\S+?)\.?$/, '$1 $2'))
    .sort();
}

async function askByNode(server: Address, name: string, type: RecordType): Promise<string[]> {
  const resolver = new Resolver({ timeout: 2000, tries: 1 });
  resolver.setServers([`${server.address}:${server.port}`]);
  if (type === 'A') return (await resolver.resolve4(name)).sort();
  if (type === 'AAAA') return (await resolver.resolve6(name)).sort();
  return (await resolver.resolveSrv(name)).map(({ port, name: target }) => `${port} ${target}`).sort();
}

test('every client finds the healthy instances and sees one leave after its process is killed', async (t) => {
  const server = await startBuiltServer(t);
  const [first, second, sixth] = await Promise.all([
    ToyInstance.start(t, '127.0.0.2'),
    ToyInstance.start(t, '127.0.0.3'),
    ToyInstance.start(t, '::1'),
  ]);
  await server.register('cart-service', 'cart-1', first.registration(CHECK));
  await server.register('cart-service', 'cart-2', second.registration(CHECK));
  await server.register('cart-service', 'cart-6', sixth.registration(CHECK));
  await server.until('cart-service', (all) => all.every(({ status }) => status === 'healthy'));

  const srv = (toy: ToyInstance, label: string) => `${toy.port} ${label}.addr.service.local`;
  const onSixth = srv(sixth, '0-0-0-0-0-0-0-1');
  await askAll(t, server.dns, 'finds three', {
    A: ['127.0.0.2', '127.0.0.3'],
    AAAA: ['::1'],
    SRV: [srv(first, '127-0-0-2'), srv(second, '127-0-0-3'), onSixth].sort(),
  });

  await second.kill();
  await server.untilStatus('cart-service', 'cart-2', 'unhealthy');
  await askAll(t, server.dns, 'sees one gone', {
    A: ['127.0.0.2'],
    AAAA: ['::1'],
    SRV: [srv(first, '127-0-0-2'), onSixth].sort(),
  });

  await second.restart();
  await server.untilStatus('cart-service', 'cart-2', 'healthy');
  assert.deepEqual(await server.addresses(NAME), ['127.0.0.2', '127.0.0.3']);
});

async function askAll(
  t: TestContext,
  server: Address,
  what: string,
  expected: Readonly<Record<RecordType, string[]>>,
): Promise<void> {
  for (const { name, tools, ask } of CLIENTS) {
    await t.test(`${name} ${what}`, async (each) => {
      if (!(await requireTools(each, tools))) return;
      assert.deepEqual(await ask(server, NAME, 'A'), expected.A);
      assert.deepEqual(await ask(server, NAME, 'AAAA'), expected.AAAA);
      assert.deepEqual(await ask(server, NAME, 'SRV'), expected.SRV);
      assert.deepEqual(await ask(server, `_cart-service._tcp.service.local`, 'SRV'), expected.SRV);
    });
  }
}

test('the target of an SRV record has the address of the instance', async (t) => {
  const server = await startBuiltServer(t);
  await server.register('cart-service', 'cart-1', { address: '127.0.0.2', port: 8080 });
  for (const { name, tools, ask } of CLIENTS) {
    await t.test(name, async (each) => {
      if (!(await requireTools(each, tools))) return;
      const [record] = await ask(server.dns, NAME, 'SRV');
      const [port, target] = record!.split(' ');
      assert.equal(port, '8080');
      assert.deepEqual(await ask(server.dns, target!, 'A'), ['127.0.0.2']);
    });
  }
});

test('A and AAAA side by side on one socket, as C libraries ask, get a reply each', async (t) => {
  const server = await startBuiltServer(t);
  await server.register('cart-service', 'cart-1', { address: '10.1.0.1', port: 8080 });
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  const replies = new Map<number, Message>();
  const name = parseName(`${NAME}.`);
  const wanted = 200;
  const all = new Promise<void>((resolve) => {
    socket.on('message', (octets, from) => {
      assert.deepEqual([from.address, from.port], [server.dns.address, server.dns.port]);
      const reply = decodeMessage(octets);
      assert.ok(!replies.has(reply.id), `a second reply to ${reply.id}`);
      if (replies.set(reply.id, reply).size === wanted) resolve();
    });
  });
  for (let id = 0; id < wanted; id++) {
    const type = id % 2 === 0 ? TYPE.A : TYPE.AAAA;
    socket.send(encodeMessage(queryMessage(id, { name, type, class: CLASS.IN })), server.dns.port, server.dns.address);
  }
  await Promise.race([all, sleep(10_000, undefined, { ref: false })]);
  assert.equal(replies.size, wanted);
  for (const [id, { rcode, answers, questions }] of replies) {
    // No IPv6 address is no error: it would make musl give up on the IPv4 ones.
    assert.deepEqual([rcode, answers.length], [RCODE.NOERROR, id % 2 === 0 ? 1 : 0]);
    assert.equal(questions[0]?.type, id % 2 === 0 ? TYPE.A : TYPE.AAAA);
  }
});

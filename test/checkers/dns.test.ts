// dns.test.ts -- the dns check against UDP servers

import assert from 'node:assert/strict';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { Packet } from 'dns2';
import { DnsChecker } from '../../src/checkers/dns.ts';
import { type Behaviour, PROBE_OPTIONS, type Subject, testChecker } from '../conformance/checkers.ts';
import { checkSpec, probeTarget } from '../support/probe-target.ts';

type Handler = (query: Buffer, reply: (octets: Buffer) => void) => void;

interface Server {
  readonly port: number;
  close(): Promise<void>;
}

async function listen(handler: Handler, address = '127.0.0.1'): Promise<Server> {
  const socket: Socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  let isClosed = false;
  socket.on('message', (query: Buffer, from: RemoteInfo) =>
    handler(query, (octets) => {
      if (!isClosed) socket.send(octets, from.port, from.address, () => {});
    }),
  );
  // Replies to a probe that gave up come back as errors.
  socket.on('error', () => {});
  socket.bind(0, address);
  await once(socket, 'listening');
  return {
    port: socket.address().port,
    close: async () => {
      isClosed = true;
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    },
  };
}

/** The query turned into a response with this code and these answers, in RDATA as hexadecimal. */
function answerTo(
  query: Buffer,
  rcode: number,
  records: readonly (readonly [type: number, rdata: string])[] = [],
): Buffer {
  const octets = Buffer.from(query);
  octets[2] = 0x81;
  octets[3] = 0x80 | rcode;
  octets.writeUInt16BE(records.length, 6);
  const answers = records.map(([type, rdata]) => {
    const data = Buffer.from(rdata, 'hex');
    const head = Buffer.alloc(12);
    head.writeUInt16BE(0xc00c, 0);
    head.writeUInt16BE(type, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt32BE(60, 6);
    head.writeUInt16BE(data.length, 10);
    return Buffer.concat([head, data]);
  });
  return Buffer.concat([octets, ...answers]);
}

const A: readonly [number, string] = [1, '0a000001'];
const WITH_TC = (query: Buffer) => {
  const octets = answerTo(query, 0);
  octets[2]! |= 0x02;
  return octets;
};

const HANDLERS: Readonly<Partial<Record<Behaviour, Handler>>> = {
  passing: (query, reply) => reply(answerTo(query, 0, [A])),
  critical: (query, reply) => reply(answerTo(query, 3)),
  silent: () => {},
  // Replies to other questions, one after the other.
  dribbling: (query, reply) => {
    const other = answerTo(query, 0, [A]);
    other[0]! ^= 0xff;
    let left = 200;
    const timer = setInterval(() => {
      reply(other);
      if (--left === 0) clearInterval(timer);
    }, 5);
  },
  flooding: (query, reply) => {
    for (let i = 0; i < 50; i++) reply(Buffer.concat([answerTo(query, 0, [A]), Buffer.alloc(60_000)]));
  },
  babbling: (_, reply) => reply(Buffer.from('SSH-2.0-x\r\n')),
};

const at = (host: string, port: number) =>
  checkSpec('dns', { url: `dns://${host.includes(':') ? `[${host}]` : host}:${port}/cart.example` });

async function start(behaviour: Behaviour, address: string): Promise<Subject> {
  const server = await listen(HANDLERS[behaviour] ?? (() => {}), address);
  const { port } = server;
  if (behaviour === 'absent') await server.close();
  return {
    check: at(address, port),
    port,
    released: async () => {},
    close: async () => {
      if (behaviour !== 'absent') await server.close();
    },
  };
}

testChecker('dns', {
  create: (given) => new DnsChecker(given),
  start,
  at,
  skips: { hanging: 'a datagram is there or not', resetting: 'there is no connection to reset' },
});

async function probe(handler: Handler, question = 'cart.example') {
  const server = await listen(handler);
  const checker = new DnsChecker(PROBE_OPTIONS);
  try {
    const check = checkSpec('dns', { url: `dns://127.0.0.1:${server.port}/${question}`, timeoutMs: 1000 });
    const { outcome, output } = await checker.probe(probeTarget(check));
    return { outcome, said: output.replace(/^DNS 127\.0\.0\.1:\d+ /, '') };
  } finally {
    await checker.close();
    await server.close();
  }
}

describe('dns check', () => {
  const cases: readonly (readonly [string, (query: Buffer) => Buffer, 'passing' | 'critical', RegExp])[] = [
    ['an address', (query) => answerTo(query, 0, [A]), 'passing', /^cart\.example\. A: NOERROR, 1 record$/],
    ['two', (query) => answerTo(query, 0, [A, A]), 'passing', /NOERROR, 2 records$/],
    ['an alias and an address', (query) => answerTo(query, 0, [[5, 'c00c'], A]), 'passing', /NOERROR, 1 record$/],
    ['an alias alone', (query) => answerTo(query, 0, [[5, 'c00c']]), 'critical', /NOERROR without an answer$/],
    ['nothing', (query) => answerTo(query, 0), 'critical', /NOERROR without an answer$/],
    ['NXDOMAIN', (query) => answerTo(query, 3), 'critical', /NXDOMAIN$/],
    ['SERVFAIL with an address', (query) => answerTo(query, 2, [A]), 'critical', /SERVFAIL$/],
    ['REFUSED', (query) => answerTo(query, 5), 'critical', /REFUSED$/],
    ['a code nobody knows', (query) => answerTo(query, 12), 'critical', /RCODE 12$/],
    ['a reply cut off', WITH_TC, 'passing', /NOERROR, more than fits a datagram$/],
    ['FORMERR without the question', (query) => formErr(query), 'critical', /FORMERR$/],
    [
      'more than a datagram may hold',
      (query) => Buffer.concat([answerTo(query, 0, [A]), Buffer.alloc(500)]),
      'critical',
      /a reply of \d+ octets, 512 are allowed$/,
    ],
    ['a record cut off', (query) => answerTo(query, 0, [A]).subarray(0, -2), 'critical', /malformed/],
    ['another question', (query) => otherName(answerTo(query, 0, [A])), 'critical', /timed out/],
    ['a query', (query) => query, 'critical', /timed out/],
  ];
  for (const [title, answer, outcome, expected] of cases) {
    it(`${title} is ${outcome}`, async () => {
      const found = await probe((query, reply) => reply(answer(query)));
      assert.equal(found.outcome, outcome, found.said);
      assert.match(found.said, expected);
    });
  }

  it('asks for the name and type of its URL, and takes a reply in other case', async () => {
    const asked: { name: string; type: number | undefined }[] = [];
    const found = await probe((query, reply) => {
      const [question] = Packet.parse(query).questions;
      asked.push({ name: question!.name, type: question!.type });
      const answer = answerTo(query, 0, [[28, '00'.repeat(16)]]);
      reply(Buffer.from(answer.toString('latin1').replace('cart', 'CART'), 'latin1'));
    }, 'cart.example.?type=aaaa');
    assert.deepEqual(asked, [{ name: 'cart.example', type: 28 }]);
    assert.equal(found.outcome, 'passing', found.said);
  });

  it('the right reply counts although a wrong one came first', async () => {
    const found = await probe((query, reply) => {
      const forged = answerTo(query, 3);
      forged[1]! ^= 1;
      reply(forged);
      reply(answerTo(query, 0, [A]));
    });
    assert.equal(found.outcome, 'passing', found.said);
  });
});

function formErr(query: Buffer): Buffer {
  const octets = answerTo(query, 1).subarray(0, 12);
  octets.writeUInt16BE(0, 4);
  return octets;
}

function otherName(reply: Buffer): Buffer {
  reply[13] = 'x'.charCodeAt(0);
  return reply;
}

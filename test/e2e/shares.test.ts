// shares.test.ts -- first answers are shared out as the policy says and as `explain` tells, by UDP shards and TCP

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { TYPE } from '../../src/dns/codes.ts';
import { decodeMessage, encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { type BuiltServer, startBuiltServer } from '../support/built-server.ts';

const NAME = 'cart.service.local';
const WEIGHTS = [1, 2, 3, 4];
const QUERIES = 4000;
/** Questions under way at a time. */
const WINDOW = 40;
const TOLERANCE = 0.02;
const CODE_OF_NOTHING = 65_001;

type Exchange = (query: Uint8Array) => Promise<Uint8Array>;

/** With an option that nobody knows a question takes the general path. */
function encode(id: number, isOdd: boolean): Uint8Array {
  const question = { name: parseName(`${NAME}.`), type: TYPE.A, class: 1 };
  const options = [{ code: CODE_OF_NOTHING, data: Uint8Array.of(1) }];
  const edns = isOdd ? { udpSize: 1232, extendedRcode: 0, version: 0, dnssecOk: false, options } : undefined;
  return encodeMessage(queryMessage(id, question, edns));
}

/** Which address is first, in parts of all answers. */
async function firstShares(exchange: Exchange, isOdd = false): Promise<Map<string, number>> {
  const shares = new Map<string, number>();
  for (let sent = 0; sent < QUERIES; sent += WINDOW) {
    const replies = await Promise.all(Array.from({ length: WINDOW }, (_, i) => exchange(encode(sent + i, isOdd))));
    for (const reply of replies) {
      const first = decodeMessage(reply).answers[0]!.rdata.join('.');
      shares.set(first, (shares.get(first) ?? 0) + 1 / QUERIES);
    }
  }
  return shares;
}

/** Replies find their question by the id. */
class Waiting {
  readonly #byId = new Map<number, (reply: Uint8Array) => void>();

  reply(query: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve) => this.#byId.set((query[0]! << 8) | query[1]!, resolve));
  }

  arrived(reply: Uint8Array): void {
    const id = (reply[0]! << 8) | reply[1]!;
    this.#byId.get(id)?.(reply);
    this.#byId.delete(id);
  }
}

/** From several ports, so that each shard gets some. */
async function byUdp({ dns }: BuiltServer, ask: (exchange: Exchange) => Promise<void>): Promise<void> {
  const waiting = new Waiting();
  const sockets = Array.from({ length: 8 }, () => createSocket('udp4'));
  try {
    for (const socket of sockets) {
      socket.on('message', (reply) => waiting.arrived(reply));
      socket.bind(0, '127.0.0.1');
      await once(socket, 'listening');
    }
    let next = 0;
    await ask((query) => {
      const replied = waiting.reply(query);
      const send = (): void => sockets[next++ % sockets.length]!.send(query, dns.port, dns.address);
      send();
      return replied;
    });
  } finally {
    for (const socket of sockets) socket.close();
  }
}

async function byTcp({ dns }: BuiltServer, ask: (exchange: Exchange) => Promise<void>): Promise<void> {
  const waiting = new Waiting();
  const socket = connect(dns.port, dns.address);
  let received = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const end = 2 + received.readUInt16BE(0);
      waiting.arrived(received.subarray(2, end));
      received = received.subarray(end);
    }
  });
  try {
    await ask((query) => {
      const replied = waiting.reply(query);
      socket.write(Buffer.concat([Buffer.from([query.length >> 8, query.length & 0xff]), query]));
      return replied;
    });
  } finally {
    socket.destroy();
  }
}

const POLICIES: readonly (readonly [policy: object, shares: readonly number[]])[] = [
  [{ strategy: 'round-robin' }, [0.25, 0.25, 0.25, 0.25]],
  [{ strategy: 'weighted' }, [0.1, 0.2, 0.3, 0.4]],
  [{ strategy: 'weighted', maxAnswers: 2 }, [0.1, 0.2, 0.3, 0.4]],
];

test('first answers have the shares of the policy by every way, and explain tells the same', async (t) => {
  const server = await startBuiltServer(t, { config: { dns: { workers: 2 } } });
  for (const [i, weight] of WEIGHTS.entries()) {
    await server.register('cart', `cart-${i + 1}`, { address: `10.0.0.${i + 1}`, port: 80, weight });
  }
  for (const [policy, wanted] of POLICIES) {
    await server.api('PUT', '/v1/services/cart/policy', policy);
    const { status, body } = await server.api('GET', `/v1/explain?name=${NAME}`);
    assert.equal(status, 200);
    const told = new Map<string, number>(
      body.instances.map((each: { address: string; share: number }) => [each.address, each.share]),
    );
    const check = (way: string, shares: ReadonlyMap<string, number>): void => {
      for (const [i, share] of wanted.entries()) {
        const address = `10.0.0.${i + 1}`;
        const text = `${JSON.stringify(policy)} ${way}: ${address} has ${shares.get(address)}, explained as ${told.get(address)}`;
        assert.ok(Math.abs((shares.get(address) ?? 0) - share) < TOLERANCE, text);
        assert.ok(Math.abs((shares.get(address) ?? 0) - told.get(address)!) < TOLERANCE, text);
      }
    };
    await byUdp(server, async (exchange) => check('by UDP', await firstShares(exchange)));
    await byUdp(server, async (exchange) => check('by UDP, the general path', await firstShares(exchange, true)));
    await byTcp(server, async (exchange) => check('by TCP', await firstShares(exchange)));
  }
});

// shares.test.ts -- answers are shared out as the policy says and as `explain` tells, by UDP shards and TCP

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { hash } from '../../src/balance/hash.ts';
import { seededRandom } from '../../src/base/random.ts';
import { TYPE } from '../../src/dns/codes.ts';
import { decodeMessage, encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { hashClient } from '../../src/routing/client-hash.ts';
import { chiSquareDeviation, drawOnce, LIKELY } from '../conformance/strategies.ts';
import { type BuiltServer, startBuiltServer } from '../support/built-server.ts';
import { clientAt } from '../support/routing.ts';

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
const ONE_CLIENT: readonly string[] = new Array<string>(8).fill('127.0.0.1');

/** Each question from the next of the addresses. */
async function byUdp(
  { dns }: BuiltServer,
  ask: (exchange: Exchange) => Promise<void>,
  clients = ONE_CLIENT,
): Promise<void> {
  const waiting = new Waiting();
  const sockets = clients.map(() => createSocket('udp4'));
  try {
    for (const [i, socket] of sockets.entries()) {
      socket.on('message', (reply) => waiting.arrived(reply));
      socket.bind(0, clients[i]);
      await once(socket, 'listening');
    }
    let next = 0;
    await ask((query) => {
      const replied = waiting.reply(query);
      sockets[next++ % sockets.length]!.send(query, dns.port, dns.address);
      return replied;
    });
  } finally {
    for (const socket of sockets) socket.close();
  }
}

async function byTcp(
  { dns }: BuiltServer,
  ask: (exchange: Exchange) => Promise<void>,
  client = '127.0.0.1',
): Promise<void> {
  const waiting = new Waiting();
  const socket = connect({ port: dns.port, host: dns.address, localAddress: client });
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

/** Chance is allowed its share. */
const RANDOM_TOLERANCE = 0.035;
const POLICIES: readonly (readonly [policy: object, shares: readonly number[], tolerance?: number])[] = [
  [{ strategy: 'round-robin' }, [0.25, 0.25, 0.25, 0.25]],
  [{ strategy: 'weighted' }, [0.1, 0.2, 0.3, 0.4]],
  [{ strategy: 'weighted', maxAnswers: 2 }, [0.1, 0.2, 0.3, 0.4]],
  [{ strategy: 'random', maxAnswers: 2 }, [0.25, 0.25, 0.25, 0.25], RANDOM_TOLERANCE],
  [{ routes: [{ match: { tags: ['canary'] }, percent: 12.5 }] }, [0.875 / 3, 0.875 / 3, 0.875 / 3, 0.125]],
];

async function startWithInstances(t: TestContext): Promise<BuiltServer> {
  const server = await startBuiltServer(t, { config: { dns: { workers: 2 } } });
  for (const [i, weight] of WEIGHTS.entries()) {
    const tags = i === WEIGHTS.length - 1 ? ['canary'] : [];
    await server.register('cart', `cart-${i + 1}`, { address: `10.0.0.${i + 1}`, port: 80, weight, tags });
  }
  return server;
}

test('first answers have the shares of the policy by every way, and explain tells the same', async (t) => {
  const server = await startWithInstances(t);
  for (const [policy, wanted, tolerance = TOLERANCE] of POLICIES) {
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
        assert.ok(Math.abs((shares.get(address) ?? 0) - share) < tolerance, text);
        assert.ok(Math.abs((shares.get(address) ?? 0) - told.get(address)!) < tolerance, text);
      }
    };
    await byUdp(server, async (exchange) => check('by UDP', await firstShares(exchange)));
    await byUdp(server, async (exchange) => check('by UDP, the general path', await firstShares(exchange, true)));
    await byTcp(server, async (exchange) => check('by TCP', await firstShares(exchange)));
  }
});

/** Who is listed for each client, by UDP, in another way where the option makes it one, and by TCP. */
async function listsByWay(server: BuiltServer, clients: readonly string[]): Promise<readonly string[][]> {
  const listed = async (exchange: Exchange, id: number, isOdd = false): Promise<string> => {
    const { answers } = decodeMessage(await exchange(encode(id, isOdd)));
    return answers.map(({ rdata }) => rdata.join('.')).join(' ');
  };
  const ways: string[][] = [[], [], []];
  for (const [way, isOdd] of [false, true].entries()) {
    await byUdp(
      server,
      async (exchange) => {
        for (const id of clients.keys()) ways[way]!.push(await listed(exchange, id, isOdd));
      },
      clients,
    );
  }
  for (const [id, client] of clients.entries()) {
    await byTcp(server, async (exchange) => void ways[2]!.push(await listed(exchange, id)), client);
  }
  return ways;
}

test('clients have the same candidates by every way, and those that they should have', async (t) => {
  const server = await startWithInstances(t);
  const random = seededRandom(127);
  const octet = (): number => 1 + random.below(250);
  const clients = Array.from({ length: 250 }, () => `127.${octet()}.${octet()}.${octet()}`);
  const candidates = WEIGHTS.map((weight, i) => ({ key: `10.0.0.${i + 1}`, weight }));
  await server.api('PUT', '/v1/services/cart/policy', { strategy: 'hash' });
  const plan = hash(candidates);
  const expected = clients.map((client) => {
    const order = drawOnce(plan, 8, 0, random, hashClient(clientAt(client).octets()));
    return order.map((index) => candidates[index]!.key).join(' ');
  });
  for (const lists of await listsByWay(server, clients)) assert.deepEqual(lists, expected);
  const firsts = candidates.map(({ key }) => expected.filter((list) => list.startsWith(key)).length);
  assert.ok(chiSquareDeviation(firsts, WEIGHTS) < LIKELY, `${firsts}`);

  await server.api('PUT', '/v1/services/cart/policy', { strategy: 'subset', maxAnswers: 2 });
  const few = expected.map((list) => list.split(' ').slice(0, 2).sort().join(' '));
  for (const lists of await listsByWay(server, clients)) {
    assert.deepEqual(
      lists.map((list) => list.split(' ').sort().join(' ')),
      few,
    );
  }
});

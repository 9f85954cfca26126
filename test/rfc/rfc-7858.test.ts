// rfc-7858.test.ts -- DNS over TLS: what sessions, messages and their ends owe to clients (RFC 7858)

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectPlain, createServer } from 'node:net';
import { after, afterEach, describe, it } from 'node:test';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { silentLogger } from '../../src/base/log.ts';
import { decodeMessage, encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { FORWARD } from '../../src/nameserver/verdict.ts';
import type { Answerer, Deferred } from '../../src/net/answerer.ts';
import { ConnectionTable, STREAM_LIMITS } from '../../src/net/connection-table.ts';
import { TcpListener } from '../../src/net/tcp.ts';
import { TlsGreeter } from '../../src/net/tls-greeter.ts';
import { makeCertificate } from '../support/certificate.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { NameServer, parseQuestion } from '../support/name-server.ts';
import { Peer } from '../support/peer.ts';
import { framed, StreamClient } from '../support/stream-client.ts';

const LOOPBACK = { address: '127.0.0.1', port: 0 };
const certificate = makeCertificate();
after(() => certificate.remove());
const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

const nameServer = await NameServer.open();
await nameServer.registerMany('cart', 3);

/** Questions with `up` in front are left to the test. */
async function setUp(answer: Answerer = nameServer.handler.respond.bind(nameServer.handler)) {
  const clock = new FakeClock();
  const table = new ConnectionTable(clock, STREAM_LIMITS);
  const replies: ((message: Uint8Array) => void)[] = [];
  const deferred: Deferred = {
    forward: (_query, _transport, _client, reply) => void replies.push(reply),
    transfer: () => [][Symbol.iterator]() as never,
  };
  const greeter = new TlsGreeter(clock, certificate);
  const options = { answer, deferred, clock, log: silentLogger, table };
  const secure = await TcpListener.open(LOOPBACK, { ...options, tls: greeter });
  const plain = await TcpListener.open(LOOPBACK, options);
  opened.push(async () => {
    const closed = [secure.close(), plain.close()];
    await clock.advance(2000);
    await Promise.all(closed);
    greeter.close();
  });
  const dial = async (more: ConnectionOptions = {}): Promise<TLSSocket> => {
    const socket = connect({ ...where(secure), ca: certificate.cert, ...more });
    socket.on('error', () => {});
    opened.push(() => socket.destroy());
    await once(socket, 'secureConnect');
    return socket;
  };
  const open = async (): Promise<StreamClient> => StreamClient.over(await dial());
  return { clock, table, secure, plain, replies, dial, open };
}

function where({ endpoint }: TcpListener): { host: string; port: number } {
  return { host: endpoint.address, port: endpoint.port };
}

function query(id: number, question: string): Buffer {
  return Buffer.from(encodeMessage(queryMessage(id, parseQuestion(question))));
}

/** Answers with the query itself; leaves to somebody else what begins with `up`. */
const echo: Answerer = (asked, _transport, out) => {
  if (asked[0] === 0x75) return FORWARD;
  out.set(asked);
  return asked.length;
};

/** Contents of records of application data among octets of TLS, by their lengths. */
function dataRecords(octets: Buffer): number[] {
  const lengths: number[] = [];
  for (let at = 0; at + 5 <= octets.length; at += 5 + octets.readUInt16BE(at + 3)) {
    if (octets[at] === 23) lengths.push(octets.readUInt16BE(at + 3));
  }
  return lengths;
}

describe('RFC 7858', () => {
  it('on its port nothing is answered in clear text (3.1)', async () => {
    const { secure, table } = await setUp();
    const socket = connectPlain(where(secure));
    opened.push(() => socket.destroy());
    socket.on('error', () => {});
    let heard = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      heard = Buffer.concat([heard, chunk]);
    });
    socket.write(framed(query(7, 'cart.service.local. A')));
    await once(socket, 'close');
    // An alert may be all there is.
    assert.ok(heard.length === 0 || heard[0] === 21, heard.toString('hex'));
    assert.deepEqual([table.size, table.droppedCount('handshake')], [0, 1]);
  });

  it('replies are those of TCP, octet for octet, behind two octets of length (3.3)', async () => {
    const { open, plain } = await setUp();
    const [secured, clear] = [await open(), await StreamClient.connect(plain.endpoint)];
    opened.push(() => clear.socket.destroy());
    for (const question of ['service.local. SOA', 'nobody.service.local. A', 'example.org. A', 'service.local. NS']) {
      const octets = framed(query(7, question));
      secured.socket.write(octets);
      clear.socket.write(octets);
      const reply = await secured.next();
      assert.ok(reply !== undefined, question);
      assert.equal(reply, await clear.next(), question);
    }
  });

  it('length and message go to TLS together, in one record (3.3)', async () => {
    const { secure } = await setUp(echo);
    const heard: Buffer[] = [];
    // In between, to see what goes over the wire.
    const tap = await Peer.listen(
      createServer((client) => {
        const server = connectPlain(where(secure)).on('data', (chunk: Buffer) => heard.push(chunk));
        client.pipe(server).pipe(client);
        server.on('error', () => client.destroy());
      }),
    );
    opened.push(() => tap.close());
    const tls = connect({ host: '127.0.0.1', port: tap.port, ca: certificate.cert, maxVersion: 'TLSv1.2' });
    opened.push(() => tls.destroy());
    await once(tls, 'secureConnect');
    const client = StreamClient.over(tls);
    for (const text of ['one', 'two', 'x'.repeat(5000)]) {
      client.socket.write(framed(text));
      assert.equal(await client.next(), text);
    }
    assert.equal(dataRecords(Buffer.concat(heard)).length, 3);
  });

  it('queries are pipelined, and none waits for the reply of another (3.3)', async () => {
    const { open, replies } = await setUp(echo);
    const client = await open();
    client.socket.write(Buffer.concat(['up 1', 'a', 'up 2', 'b'].map(framed)));
    assert.deepEqual([await client.next(), await client.next()], ['a', 'b']);
    replies[1]!(Buffer.from('second'));
    replies[0]!(Buffer.from('first'));
    assert.deepEqual([await client.next(), await client.next()], ['second', 'first'], 'in whatever order they come');
  });

  it('each reply has the id of its query (3.3)', async () => {
    const { open } = await setUp();
    const client = await open();
    const ids = Array.from({ length: 200 }, (_, i) => (i * 331) & 0xffff);
    client.socket.write(Buffer.concat(ids.map((id) => framed(query(id, 'cart.service.local. A')))));
    for (const id of ids) {
      const reply = decodeMessage(Buffer.from((await client.next()) ?? '', 'latin1'));
      assert.deepEqual([reply.id, reply.answers.length], [id, 3]);
    }
  });

  it('a connection is used again and again, and closed in order when it is idle (3.4)', async () => {
    const { clock, dial, table } = await setUp(echo);
    const socket = await dial();
    const client = StreamClient.over(socket);
    for (let i = 0; i < 5; i++) {
      client.socket.write(framed(`query ${i}`));
      assert.equal(await client.next(), `query ${i}`);
      await clock.advance(STREAM_LIMITS.idleTimeoutMs - 1000);
    }
    assert.equal(table.count('tls'), 1);
    await clock.advance(2000);
    assert.equal(await client.next(), undefined);
    // 'end' without an error is a close_notify or a FIN, never a reset.
    assert.equal(await client.closed(), undefined);
  });

  it('clients may go at any time, even in the midst of their replies (3.4)', async () => {
    const { open, table } = await setUp(echo);
    const staying = await open();
    for (let i = 0; i < 5; i++) {
      const leaving = await open();
      leaving.socket.write(Buffer.concat(Array(500).fill(framed('x'.repeat(1000)))));
      await leaving.next();
      leaving.socket.destroy();
      await leaving.closed();
    }
    staying.socket.write(framed('still here'));
    assert.equal(await staying.next(), 'still here');
    while (table.size > 1) await new Promise((resolve) => setTimeout(resolve, 5));
  });

  it('a session is resumed with a ticket, and says the same (3.4)', async () => {
    const { dial } = await setUp(echo);
    const first = await dial();
    const [ticket] = (await once(first, 'session')) as [Buffer];
    first.destroy();
    const second = await dial({ session: ticket });
    assert.equal(second.isSessionReused(), true);
    const client = StreamClient.over(second);
    client.socket.write(framed('again'));
    assert.equal(await client.next(), 'again');
  });
});

// gateway-siege.ts -- slow readers and writers, clients that go away and an instance that does, beside honest requests

import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import type { Address } from './built-server.ts';
import { openDescriptors, startGatewayServer, startInstances } from './gateway-server.ts';
import { HttpLoad } from './http-load.ts';
import { MemoryWatch } from './siege-server.ts';

export interface GatewaySiegeOptions {
  readonly seconds: number;
  /** Of each, all the time. */
  readonly slowReaders: number;
  readonly slowWriters: number;
  /** At once; each goes away in the middle and comes again. */
  readonly aborting: number;
}

export interface GatewaySiegeResult {
  readonly honest: number;
  readonly honestFailed: number;
  readonly slow: number;
  /** Of the slow readers and writers, those that did not get all of their reply, or another one. */
  readonly slowFailed: readonly string[];
  /** Clients that went away in the middle. */
  readonly aborted: number;
  /** Requests whose connection the instance reset, before the reply's head or in the middle of its body. */
  readonly resets: number;
  /** What those got instead of what they should have. */
  readonly resetsWrong: readonly string[];
  readonly growthMib: number;
  readonly descriptorsBefore: number;
  readonly descriptorsAfter: number;
  /** It was there to the end, and stopped in order. */
  readonly exitCode: number | null;
}

interface Scope {
  after(cleanup: () => unknown): void;
}

const HONEST_PER_SECOND = 100;
const SLOW_REPLY_BYTES = 8 * 1024 * 1024;
const SLOW_BODY_BYTES = 4096;
const DRIP_BYTES = 8;
const DRIP_MS = 50;
const RESET_AFTER_BYTES = 65_536;
const LONG_BYTES = 10_000_000;
const CLOSING_MS = 20_000;

export async function besiegeGateway(scope: Scope, options: GatewaySiegeOptions): Promise<GatewaySiegeResult> {
  // One instance only: it must not be taken out because of what it is told to do.
  const { server, gateway } = await startGatewayServer(scope, {
    outliers: 'off',
    limits: { maxConnections: 4000 },
    timeout: '2m',
  });
  // The connection that our own calls of the API keep is there before and after.
  await server.api('GET', '/healthz');
  const descriptorsBefore = openDescriptors(server.pid);
  await startInstances(scope, server, [5]);
  const memory = new MemoryWatch(scope, server.pid);
  const honest = new HttpLoad(scope, gateway, { method: 'GET', path: '/work', perSecond: HONEST_PER_SECOND });
  const untilMs = performance.now() + options.seconds * 1000;
  const [slow, aborted, resets] = await Promise.all([
    Promise.all([
      ...Array.from({ length: options.slowReaders }, () => readSlowly(gateway, untilMs)),
      ...Array.from({ length: options.slowWriters }, () => writeSlowly(gateway, untilMs)),
    ]),
    Promise.all(Array.from({ length: options.aborting }, (_, at) => abortAgainAndAgain(gateway, at, untilMs))),
    resetAgainAndAgain(scope, gateway, untilMs),
  ]);
  const exchanges = await honest.stop();
  const growthMib = memory.end();
  await server.api('DELETE', '/v1/instances/cart-0');
  const deadlineMs = performance.now() + CLOSING_MS;
  while (openDescriptors(server.pid) > descriptorsBefore && performance.now() < deadlineMs) await sleep(50);
  const descriptorsAfter = openDescriptors(server.pid);
  const { exitCode } = await server.stop();
  return {
    honest: exchanges.length,
    honestFailed: exchanges.filter(({ status }) => status !== 200).length,
    slow: slow.length,
    slowFailed: slow.filter((trouble) => trouble !== ''),
    aborted: aborted.reduce((sum, each) => sum + each, 0),
    ...resets,
    ...{ growthMib, descriptorsBefore, descriptorsAfter, exitCode },
  };
}

/** Takes a bit of the reply now and then, and all the rest in the end. Tells what was wrong, or nothing. */
async function readSlowly(gateway: Address, untilMs: number): Promise<string> {
  const client = new RawClient(gateway, `GET /source?bytes=${SLOW_REPLY_BYTES} HTTP/1.1\r\nhost: x\r\n\r\n`);
  while (performance.now() < untilMs && !client.isOver) {
    client.socket.pause();
    await sleep(DRIP_MS);
    client.socket.resume();
    await client.more();
  }
  return await client.outcome(SLOW_REPLY_BYTES);
}

/** Sends a few octets now and then, and all the rest in the end. Tells what was wrong, or nothing. */
async function writeSlowly(gateway: Address, untilMs: number): Promise<string> {
  const head = `POST /sink HTTP/1.1\r\nhost: x\r\ncontent-length: ${SLOW_BODY_BYTES}\r\n\r\n`;
  const client = new RawClient(gateway, head);
  let left = SLOW_BODY_BYTES;
  while (performance.now() < untilMs && left > DRIP_BYTES && !client.isOver) {
    client.socket.write('x'.repeat(DRIP_BYTES));
    left -= DRIP_BYTES;
    await sleep(DRIP_MS);
  }
  client.socket.write('x'.repeat(left));
  return await client.outcome(undefined, `"bytes":${SLOW_BODY_BYTES},`);
}

/** Goes away in the middle of a reply, or of a body, again and again; how often. */
async function abortAgainAndAgain(gateway: Address, at: number, untilMs: number): Promise<number> {
  let times = 0;
  while (performance.now() < untilMs) {
    const isReading = (at + times) % 2 === 0;
    const request = isReading
      ? `GET /source?bytes=${LONG_BYTES} HTTP/1.1\r\nhost: x\r\n\r\n`
      : `POST /sink HTTP/1.1\r\nhost: x\r\ncontent-length: ${LONG_BYTES}\r\n\r\n${'x'.repeat(10_000)}`;
    const client = new RawClient(gateway, request);
    await (isReading ? client.more() : sleep(10));
    // Half of them with a reset.
    if (times % 4 < 2) client.socket.destroy();
    else client.socket.resetAndDestroy();
    times++;
    await sleep(5);
  }
  return times;
}

/** Before the head of a reply the gateway says 502; in the middle of a body it can but break off. */
async function resetAgainAndAgain(
  scope: Scope,
  { address, port }: Address,
  untilMs: number,
): Promise<{ resets: number; resetsWrong: string[] }> {
  const pool = new Pool(`http://${address}:${port}`, { connections: 4 });
  scope.after(() => pool.destroy());
  const outcome = async (method: 'GET' | 'POST', path: string): Promise<string> => {
    const { statusCode, body } = await pool.request({ method, path });
    const end = await body.arrayBuffer().then(
      () => 'whole',
      () => 'broken off',
    );
    return `${statusCode} ${end}`;
  };
  const cases = [
    ['GET', '/reset', '502 whole'],
    ['POST', '/reset', '502 whole'],
    ['GET', `/source?bytes=${LONG_BYTES}&reset=${RESET_AFTER_BYTES}`, '200 broken off'],
    ['GET', `/source?bytes=${LONG_BYTES}&reset=${RESET_AFTER_BYTES}&chunked`, '200 broken off'],
  ] as const;
  let resets = 0;
  const resetsWrong: string[] = [];
  while (performance.now() < untilMs) {
    for (const [method, path, wanted] of cases) {
      resets++;
      const got = await outcome(method, path).catch((error: Error) => error.message);
      if (got !== wanted) resetsWrong.push(`${method} ${path}: ${got}, not ${wanted}`);
    }
    await sleep(10);
  }
  await pool.destroy();
  return { resets, resetsWrong };
}

/** A client by hand: one request on a connection of its own. */
class RawClient {
  readonly socket: Socket;
  isOver = false;
  readonly #closed: Promise<void>;
  /** The head and the first octets of the body. */
  #beginning = '';
  #bytes = 0;

  constructor({ address, port }: Address, request: string) {
    this.socket = connect({ host: address, port });
    this.socket.write(request);
    this.socket.on('data', (octets) => {
      if (this.#beginning.length < 1024) this.#beginning += octets.toString('latin1');
      this.#bytes += octets.length;
    });
    this.socket.on('error', () => {});
    this.#closed = new Promise((resolve) => {
      this.socket.once('close', () => {
        this.isOver = true;
        resolve();
      });
    });
  }

  /** Resolves when something more has come, or nothing will. */
  async more(): Promise<void> {
    const came = new Promise<void>((resolve) => {
      this.socket.once('data', () => resolve());
    });
    await Promise.race([came, this.#closed]);
  }

  /** Read to the end of the reply, of so many octets, and close. Says what was wrong, or nothing. */
  async outcome(bodyBytes: number | undefined, wanted = ''): Promise<string> {
    const headBytes = (): number => this.#beginning.indexOf('\r\n\r\n') + 4;
    const isWhole = (): boolean =>
      headBytes() >= 4 &&
      (bodyBytes === undefined ? this.#beginning.includes('}') : this.#bytes >= headBytes() + bodyBytes);
    this.socket.resume();
    while (!this.isOver && !isWhole()) await this.more();
    this.socket.destroy();
    await this.#closed;
    if (!this.#beginning.startsWith('HTTP/1.1 200 ')) return this.#beginning.split('\r\n')[0] || 'no reply';
    if (!isWhole()) return `broken off after ${this.#bytes} octets`;
    return this.#beginning.includes(wanted) ? '' : this.#beginning.slice(headBytes());
  }
}

// answer-runs-crew.ts -- the process that asks servers at a steady rate and keeps what they answered; see answer-runs.ts

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { RCODE } from '../../src/dns/codes.ts';
import { decodeMessage } from '../../src/dns/message.ts';
import { type AnswerLoadOptions, type AnswerReport, type AnswerRun, preciseNowMs } from './answer-runs.ts';
import { reportAtEnd } from './crew.ts';
import { percentile } from './query-load.ts';
import { queryOctets } from './query-text.ts';

const TICK_MS = 2;
/** When this process was held up, it asks no more than this at once: its own buffers would overflow. */
const MAX_AT_ONCE = 128;
const PATIENCE_MS = 1000;
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
const IDS = 65_536;
const RCODES = Object.fromEntries(Object.entries(RCODE).map(([name, code]) => [code, name]));

const { servers, names, perSecond } = JSON.parse(process.argv[2]!) as AnswerLoadOptions;
const queries = names.map((name) => queryOctets(`${name}. A edns`, 0));

/** The questions to one server; an id belongs to the last question that had it. */
class Server {
  readonly #index: number;
  readonly #socket: Socket;
  /** By id: when it was sent; NaN: answered, or never asked. */
  readonly #sentMs = new Float64Array(IDS).fill(Number.NaN);
  readonly #nameOf = new Uint32Array(IDS);
  #next = 0;

  constructor(index: number, socket: Socket) {
    this.#index = index;
    this.#socket = socket;
    socket.on('message', (octets) => this.#take(octets));
    // Nobody listens: that shows in what is lost.
    socket.on('error', () => {});
  }

  ask(name: number): void {
    const id = this.#next++ % IDS;
    this.#noteLost(id);
    const query = Buffer.from(queries[name]!);
    query.writeUInt16BE(id, 0);
    this.#sentMs[id] = preciseNowMs();
    this.#nameOf[id] = name;
    this.#socket.send(query);
  }

  end(): void {
    for (let id = 0; id < IDS; id++) this.#noteLost(id);
    this.#socket.close();
  }

  /** What is on its way when the load is told to stop is not counted. */
  #noteLost(id: number): void {
    const sentMs = this.#sentMs[id]!;
    if (preciseNowMs() - sentMs > PATIENCE_MS) lost.push({ server: this.#index, sentMs });
  }

  #take(octets: Buffer): void {
    const receivedMs = preciseNowMs();
    const id = octets.readUInt16BE(0);
    const sentMs = this.#sentMs[id]!;
    if (Number.isNaN(sentMs)) return;
    this.#sentMs[id] = Number.NaN;
    times.push(receivedMs - sentMs);
    const name = names[this.#nameOf[id]!]!;
    const { rcode, answers } = decodeMessage(octets);
    const answer = [RCODES[rcode] ?? rcode, ...answers.map(({ rdata }) => rdata.join('.')).sort()].join(' ');
    const key = `${this.#index} ${name}`;
    const run = current.get(key);
    if (run?.answer === answer) {
      run.lastSentMs = Math.max(run.lastSentMs, sentMs);
      run.toMs = receivedMs;
      run.count++;
    } else {
      const next = {
        server: this.#index,
        name,
        answer,
        fromMs: sentMs,
        lastSentMs: sentMs,
        toMs: receivedMs,
        count: 1,
      };
      current.set(key, next);
      runs.push(next);
    }
  }
}

const lost: { server: number; sentMs: number }[] = [];
const runs: AnswerRun[] = [];
const current = new Map<string, AnswerRun>();
const times: number[] = [];
let asked = 0;
let unasked = 0;

const all = await Promise.all(
  servers.map(async ({ address, port }, index) => {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
    socket.connect(port, address);
    await once(socket, 'connect');
    return new Server(index, socket);
  }),
);
const startMs = performance.now();
setInterval(() => {
  const elapsed = Math.floor(((performance.now() - startMs) * perSecond) / 1000);
  unasked = Math.max(unasked, elapsed - asked - MAX_AT_ONCE);
  for (; asked < elapsed - unasked; asked++) {
    // Every server is asked for every name, also where one number divides the other.
    all[asked % all.length]!.ask(Math.floor(asked / all.length) % names.length);
  }
}, TICK_MS);

reportAtEnd((): AnswerReport => {
  for (const each of all) each.end();
  const worstMs = times.reduce((most, each) => Math.max(most, each), 0);
  return { asked, lost, runs, p99Ms: percentile(times, 0.99), worstMs };
});

// reload-storm.ts -- a server whose everything is changed while it is asked, and which is stopped while it is asked

import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { CLASS, TYPE } from '../../src/dns/codes.ts';
import { encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { type Address, type BuiltServer, makeServerFolder, startBuiltServer, writeConfig } from './built-server.ts';
import { type Certificate, makeCertificate } from './certificate.ts';
import { percentile, QueryLoad, readAnswer } from './query-load.ts';
import { SteadyStream } from './steady-stream.ts';

export interface StormOptions {
  readonly seconds: number;
  /** Over UDP. */
  readonly queriesPerSecond: number;
  readonly pauseMs: number;
  /** Where everything else is, with instances in it already. */
  readonly folder?: string;
}

/** Figures of one way of asking. */
export interface Asked {
  readonly asked: number;
  readonly lost: number;
  readonly p99Ms: number;
  readonly worstMs: number;
}

export interface StormResult {
  readonly changes: number;
  readonly refused: number;
  readonly udp: Asked;
  readonly tcp: Asked;
  readonly tls: Asked;
  /** Connections that ended while their listeners stayed. */
  readonly closed: number;
  /** Answers that were neither of before nor of after a change, or errors. */
  readonly wrong: readonly string[];
  readonly slowestReloadMs: number;
  readonly stop: {
    /** Asked before the signal, of all kinds, and not answered. */
    readonly asked: number;
    readonly lost: number;
    readonly tookMs: number;
    readonly exitCode: number | null;
  };
  /** What the next server says, on the same port, right after. */
  readonly answeredAgain: readonly string[];
}

const NAME = 'www.example.test';
const SERVICE = 'cart-service.service.local';
const INSTANCE = '10.1.0.1';
/** Questions in one piece, just before the server is told to stop. */
const LAST_BURST = 200;

/** Zone `generation` of `example.test`. */
function zone(generation: number): string {
  const address = addressOf(generation);
  return `$TTL 5\n@ SOA ns hostmaster ${generation} 15 5 604800 5\n@ NS ns\nns A 127.0.0.1\nwww A ${address}\nwww SRV 0 0 ${generation} www\n`;
}

function addressOf(generation: number): string {
  return `10.0.${generation >> 8}.${generation & 255}`;
}

interface Scope {
  after(cleanup: () => unknown): void;
}

/** Needs the `openssl` command. */
export async function storm(scope: Scope, options: StormOptions): Promise<StormResult> {
  const certificates = [makeCertificate(), makeCertificate()] as const;
  scope.after(() => certificates.forEach((each) => void each.remove()));
  const folder = options.folder ?? makeServerFolder(scope);
  const changing = new ChangingServer(folder, certificates);
  const server = await startBuiltServer(scope, { folder });
  changing.server = server;
  await server.register('cart-service', 'cart-1', { address: INSTANCE, port: 8080 });
  const tlsText: string = (await server.api('GET', '/v1/status')).body.dns.tls[0];
  const tls = { address: '127.0.0.1', port: Number(tlsText.split(':').at(-1)) };
  const loads = await Promise.all(
    [SERVICE, NAME].map((name) => QueryLoad.start(server.dns, name, options.queriesPerSecond / 2)),
  );
  const query = encodeMessage(queryMessage(7, { name: parseName(`${NAME}.`), type: TYPE.A, class: CLASS.IN }));
  const tcpStream = await SteadyStream.start('tcp', server.dns, query);
  const tlsStream = await SteadyStream.start('tls', tls, query);
  const endMs = performance.now() + options.seconds * 1000;
  while (performance.now() < endMs) {
    await changing.changeSomething(tls);
    await sleep(options.pauseMs);
  }
  const closed = [tcpStream, tlsStream].filter(({ isClosed }) => isClosed).length;
  tcpStream.burst(LAST_BURST);
  tlsStream.burst(LAST_BURST);
  // Written to the sockets by now, and read by the server or not.
  await sleep(0);
  const stoppedMs = performance.now();
  const { exitCode } = await server.stop();
  const exitedMs = performance.now();
  const again = await startAgain(scope, folder, server.dns);
  const answeredAgain = await again.addresses(SERVICE);
  await again.stop();
  await Promise.all([...loads, tcpStream, tlsStream].map((each) => each.stop()));

  const kinds = [loads.flatMap(({ exchanges }) => exchanges), tcpStream.exchanges, tlsStream.exchanges] as const;
  const [udpAsked, tcpAsked, tlsAsked] = kinds.map((each) => figures(each, stoppedMs));
  const atTheEnd = kinds.flat().filter(({ sentMs }) => sentMs < stoppedMs && sentMs > stoppedMs - 100);
  return {
    changes: changing.changes,
    refused: changing.refused,
    udp: udpAsked!,
    tcp: tcpAsked!,
    tls: tlsAsked!,
    closed,
    wrong: changing.wrongAmong(loads, [tcpStream, tlsStream], exitedMs),
    slowestReloadMs: changing.slowestMs,
    stop: {
      asked: atTheEnd.length,
      lost: atTheEnd.filter(({ reply }) => reply === undefined).length,
      tookMs: exitedMs - stoppedMs,
      exitCode,
    },
    answeredAgain,
  };
}

type Exchanges = readonly { sentMs: number; reply: { receivedMs: number; octets: Uint8Array } | undefined }[];

function figures(all: Exchanges, beforeMs: number): Asked {
  const exchanges = all.filter(({ sentMs }) => sentMs < beforeMs);
  const times = exchanges.flatMap(({ sentMs, reply }) => (reply === undefined ? [] : [reply.receivedMs - sentMs]));
  return {
    asked: exchanges.length,
    lost: exchanges.length - times.length,
    p99Ms: percentile(times, 0.99),
    worstMs: percentile(times, 1),
  };
}

class ChangingServer {
  server: BuiltServer | undefined;
  changes = 0;
  refused = 0;
  slowestMs = 0;
  readonly #folder: string;
  readonly #certificates: readonly [Certificate, Certificate];
  /** When which generation was written, and when it was in force. */
  readonly #generations: { writtenMs: number; inForceMs: number }[] = [];
  #certificate = 0;
  #round = 0;

  constructor(folder: string, certificates: readonly [Certificate, Certificate]) {
    this.#folder = folder;
    this.#certificates = certificates;
    this.#writeZone();
    this.#generations[0]!.inForceMs = 0;
    this.#putCertificate();
    this.#configure({});
  }

  /** One of the list, in turn. */
  async changeSomething(tls: Address): Promise<void> {
    const steps = [
      async () => {
        this.#writeZone();
        await this.#reload(200);
        this.#generations.at(-1)!.inForceMs = performance.now();
      },
      async () => {
        this.#certificate = 1 - this.#certificate;
        this.#putCertificate();
        await this.#reload(200);
        const served = await servedCertificate(tls);
        const { cert } = this.#certificates[this.#certificate]!;
        assert.equal(served, cert.replace(/-----[^-]+-----|\s/g, ''), 'the other certificate is not shown');
      },
      async () => {
        const { status } = await this.server!.api('PUT', '/v1/services/cart-service/policy', {
          maxAnswers: 1 + (this.changes % 4),
        });
        assert.equal(status, 200);
      },
      async () => {
        const more = ['127.0.0.5:0', '[::1]:0'];
        this.#configure({ listen: ['127.0.0.1:0', ...more] }, more);
        await this.#reload(200);
      },
      async () => {
        this.#configure({
          rateLimit: { responsesPerSecond: 5 },
          cookies: false,
          maxUdpSize: 512,
          reverse: ['10.0.0.0/8'],
        });
        await this.#reload(200);
      },
      async () => {
        this.#configure({ ttl: 7 });
        await this.#reload(400);
        this.#configure({ listen: ['127.0.0.1:0', '192.0.2.1:5300'] });
        await this.#reload(400);
        this.#configure({});
        await this.#reload(200);
      },
      async () => {
        this.#configure({
          domains: ['service.local', 'more.test'],
          forward: { to: ['127.0.0.1:9'] },
          tcp: { maxConnections: 64 },
          transfer: { to: ['loopback'] },
          proxyProtocol: { from: ['192.0.2.0/24'] },
        });
        await this.#reload(200);
      },
      async () => {
        this.#configure({ claimLocal: false });
        await Promise.all([this.#reload(200), this.#reload(200), this.#reload(200)]);
        this.server!.kill('SIGHUP');
      },
    ];
    this.changes++;
    await steps[this.#round++ % steps.length]!();
  }

  /** What was answered that nobody had said; `exitedMs`: what was asked later, another server answers. */
  wrongAmong(loads: readonly QueryLoad[], streams: readonly SteadyStream[], exitedMs: number): string[] {
    const wrong: string[] = [];
    const judge = (isZone: boolean, { sentMs, reply }: Exchanges[number], type: string): void => {
      if (reply === undefined || sentMs > exitedMs) return;
      const { rcode, data } = readAnswer(reply.octets);
      if (rcode !== 0 || data.length !== 1) wrong.push(`rcode ${rcode}, ${data.length} records`);
      else if (!isZone) {
        if (type === 'A' && data[0] !== INSTANCE) wrong.push(`${data[0]}`);
      } else if (!this.#isOfItsTime(data[0]!, type, sentMs, reply.receivedMs)) wrong.push(`${data[0]}`);
    };
    for (const each of loads[0]!.exchanges) judge(false, each, each.type);
    for (const each of loads[1]!.exchanges) judge(true, each, each.type);
    for (const each of streams.flatMap(({ exchanges }) => exchanges)) judge(true, each, 'A');
    return wrong;
  }

  #isOfItsTime(datum: string, type: string, sentMs: number, receivedMs: number): boolean {
    return this.#generations.some(({ writtenMs }, i) => {
      const text = type === 'A' ? addressOf(i + 1) : `0 0 ${i + 1} ${NAME}.`;
      const next = this.#generations[i + 1];
      return text === datum && writtenMs <= receivedMs && sentMs <= (next?.inForceMs ?? Number.POSITIVE_INFINITY);
    });
  }

  #writeZone(): void {
    this.#generations.push({ writtenMs: performance.now(), inForceMs: Number.POSITIVE_INFINITY });
    writeFileSync(join(this.#folder, 'zones/example.test.zone'), zone(this.#generations.length));
  }

  #putCertificate(): void {
    const { certFile, keyFile } = this.#certificates[this.#certificate]!;
    copyFileSync(certFile, join(this.#folder, 'cert.pem'));
    copyFileSync(keyFile, join(this.#folder, 'key.pem'));
  }

  #configure(dns: object, moreTls: readonly string[] = []): void {
    const tls = { listen: ['127.0.0.1:0', ...moreTls], certFile: 'cert.pem', keyFile: 'key.pem' };
    writeConfig(this.#folder, { dns: { tls, ...dns } });
  }

  async #reload(expected: number): Promise<void> {
    const startedMs = performance.now();
    const { status, body } = await this.server!.api('POST', '/v1/reload');
    assert.equal(status, expected, JSON.stringify(body));
    if (expected === 200) this.slowestMs = Math.max(this.slowestMs, performance.now() - startedMs);
    else this.refused++;
  }
}

/** The certificate that a new connection is shown, as base64. */
async function servedCertificate({ address, port }: Address): Promise<string> {
  const socket = connect({ host: address, port, rejectUnauthorized: false });
  try {
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    return socket.getPeerCertificate().raw.toString('base64');
  } finally {
    socket.destroy();
  }
}

/** Start once more where a server ran, on the same port; resolves when it answers. */
async function startAgain(scope: Scope, folder: string, { address, port }: Address): Promise<BuiltServer> {
  const config = JSON.parse(readFileSync(join(folder, 'rollcall.yaml'), 'utf8'));
  writeConfig(folder, { ...config, dns: { ...config.dns, listen: [`${address}:${port}`] } });
  return await startBuiltServer(scope, { folder });
}

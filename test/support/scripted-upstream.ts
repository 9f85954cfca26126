// scripted-upstream.ts -- a resolver that does as a test says: UDP and TCP (or TLS) on one port of loopback

import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { FLAG } from '../../src/dns/header.ts';
import { decodeMessage, encodeMessage, type Message } from '../../src/dns/message.ts';
import { formatName } from '../../src/dns/name.ts';
import { records } from './wire.ts';

/** A query as it came in. */
export interface Asked {
  readonly octets: Buffer;
  readonly message: Message;
  readonly transport: 'udp' | 'tcp';
  /** The port that it came from. */
  readonly port: number;
  /** Send octets back, as they are. */
  send(octets: Uint8Array): void;
  /** Send octets back from another port of the upstream's address; UDP only. */
  sendFromElsewhere(octets: Uint8Array): void;
}

export type Script = (asked: Asked) => void;

/** Reply with records in master-file text, after the question as it came. */
export function replyTo(
  { message }: Pick<Asked, 'message'>,
  answers = '',
  parts: { flags?: number; authorities?: string; additionals?: string } & Partial<
    Omit<Message, 'flags' | 'authorities' | 'additionals'>
  > = {},
): Uint8Array {
  const { flags, authorities = '', additionals = '', ...rest } = parts;
  return encodeMessage({
    ...message,
    rcode: 0,
    flags: FLAG.QR | FLAG.RD | FLAG.RA | (flags ?? 0),
    answers: records(answers),
    authorities: records(authorities),
    additionals: records(additionals),
    edns: { udpSize: 1232, extendedRcode: 0, version: 0, dnssecOk: message.edns?.dnssecOk === true, options: [] },
    ...rest,
  });
}

export class ScriptedUpstream {
  readonly asked: Asked[] = [];
  script: Script;
  readonly #udp: UdpSocket;
  readonly #elsewhere: UdpSocket;
  readonly #tcp: Server;
  readonly #open = new Set<Socket>();
  #isClosed = false;
  /** Connections accepted so far. */
  accepted = 0;

  private constructor(udp: UdpSocket, elsewhere: UdpSocket, tcp: Server, script: Script) {
    this.#udp = udp;
    this.#elsewhere = elsewhere;
    this.#tcp = tcp;
    this.script = script;
    udp.on('message', (octets, from) => this.#take(octets, from));
    tcp.on('connection', (socket: Socket) => {
      this.#open.add(socket);
      socket.once('close', () => this.#open.delete(socket));
    });
    tcp.on('tlsClientError', () => {});
  }

  static async start(
    scope: { after(cleanup: () => unknown): void },
    script: Script,
    tls?: { cert: string; key: string },
  ): Promise<ScriptedUpstream> {
    let upstream: ScriptedUpstream | undefined;
    const accept = (socket: Socket): void => upstream?.accept(socket);
    const tcp = tls === undefined ? createServer(accept) : createTlsServer({ ...tls, ALPNProtocols: ['dot'] }, accept);
    const udp = await listenBoth(tcp);
    const elsewhere = createSocket('udp4').bind(0, '127.0.0.1');
    await once(elsewhere, 'listening');
    upstream = new ScriptedUpstream(udp, elsewhere, tcp, script);
    scope.after(() => upstream.close());
    return upstream;
  }

  get port(): number {
    return (this.#tcp.address() as AddressInfo).port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** The names asked for so far, in lower case. */
  get names(): string[] {
    return this.asked.map(({ message }) => formatName(message.questions[0]!.name).toLowerCase());
  }

  get openConnections(): number {
    return this.#open.size;
  }

  /** Drop all connections. */
  hangUp(): void {
    for (const socket of this.#open) socket.destroy();
  }

  accept(socket: Socket): void {
    this.accepted++;
    socket.on('error', () => {});
    let pending = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
        const octets = pending.subarray(2, 2 + pending.readUInt16BE(0));
        pending = pending.subarray(2 + octets.length);
        const send = (reply: Uint8Array): void => {
          socket.write(Buffer.concat([Uint8Array.of(reply.length >> 8, reply.length & 255), reply]));
        };
        this.#run({
          octets: Buffer.from(octets),
          message: decodeMessage(octets),
          transport: 'tcp',
          port: socket.remotePort ?? 0,
          send,
          sendFromElsewhere: () => {},
        });
      }
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.hangUp();
    this.#udp.close();
    this.#elsewhere.close();
    await new Promise((resolve) => this.#tcp.close(resolve));
  }

  #take(octets: Buffer, { port, address }: RemoteInfo): void {
    this.#run({
      octets,
      message: decodeMessage(octets),
      transport: 'udp',
      port,
      // A test may end before its slow replies are due.
      send: (reply) => void (this.#isClosed || this.#udp.send(reply, port, address)),
      sendFromElsewhere: (reply) => this.#elsewhere.send(reply, port, address),
    });
  }

  #run(asked: Asked): void {
    this.asked.push(asked);
    this.script(asked);
  }
}

/** A port that is free for both. */
async function listenBoth(tcp: Server): Promise<UdpSocket> {
  for (let tries = 0; ; tries++) {
    tcp.listen(0, '127.0.0.1');
    await once(tcp, 'listening');
    const udp = createSocket('udp4').bind((tcp.address() as AddressInfo).port, '127.0.0.1');
    try {
      await once(udp, 'listening');
      return udp;
    } catch (error) {
      udp.close();
      if (tries > 20) throw error;
      await new Promise((resolve) => tcp.close(resolve));
    }
  }
}

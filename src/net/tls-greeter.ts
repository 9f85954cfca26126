// tls-greeter.ts -- the TLS side of DNS over TLS (RFC 7858): handshakes, resumption, and certificates that change
//
// One for all listeners, so that a session begun at one of them is resumed at another.

import { constants, randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { Clock, Timer } from '../base/clock.ts';

/** PEM texts; of certificates the server's own comes first, then those between it and a root. */
export interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
}

/** What a ticket was sealed with is worth keeping secret for as long; older tickets lead to a full handshake. */
const TICKET_KEYS_MS = 12 * 60 * 60 * 1000;
const TICKET_KEYS_BYTES = 48;
/** A backstop: connections are dropped before by their own clock. */
const HANDSHAKE_TIMEOUT_MS = 60_000;

type Greeted = (socket: TLSSocket | undefined) => void;

export class TlsGreeter {
  readonly #clock: Clock;
  readonly #server: Server;
  /** Handshakes under way, by the two ends of their connections. */
  readonly #waiting = new Map<string, Greeted>();
  #timer: Timer | undefined;

  constructor(clock: Clock, identity: TlsIdentity) {
    this.#clock = clock;
    // Never listens: connections are handed to it, when it is their turn and their PROXY header is off.
    this.#server = createServer({
      ...contextOptions(identity),
      ALPNProtocols: ['dot'],
      ticketKeys: randomBytes(TICKET_KEYS_BYTES),
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    });
    this.#server.on('secureConnection', (socket) => this.#settle(socket, socket));
    this.#server.on('tlsClientError', (_error, socket) => this.#settle(socket, undefined));
    this.#armTicketKeys();
  }

  /** Use another certificate from the next handshake on. Throws, with nothing changed, when it cannot be used. */
  setIdentity(identity: TlsIdentity): void {
    this.#server.setSecureContext({ ...contextOptions(identity), ticketKeys: this.#server.getTicketKeys() });
  }

  /** Make an accepted connection a secure one; `done` gets undefined when that fails, and nothing when it is dropped. */
  greet(socket: Socket, done: Greeted): void {
    const key = endsOf(socket);
    this.#waiting.set(key, done);
    socket.once('close', () => {
      if (this.#waiting.get(key) === done) this.#waiting.delete(key);
    });
    this.#server.emit('connection', socket);
  }

  close(): void {
    this.#timer?.cancel();
  }

  #settle(socket: TLSSocket, secured: TLSSocket | undefined): void {
    const key = endsOf(socket);
    const done = this.#waiting.get(key);
    this.#waiting.delete(key);
    done?.(secured);
  }

  #armTicketKeys(): void {
    this.#timer = this.#clock.after(TICKET_KEYS_MS, () => {
      this.#server.setTicketKeys(randomBytes(TICKET_KEYS_BYTES));
      this.#armTicketKeys();
    });
  }
}

/** What only one open connection has. */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

function contextOptions({ cert, key }: TlsIdentity): object {
  // Nobody who asks DNS questions has a reason to shake hands twice on one connection.
  return { cert, key, minVersion: 'TLSv1.2', secureOptions: constants.SSL_OP_NO_RENEGOTIATION };
}

// asker.ts -- asks for the addresses of a service over UDP, one question at a time, and never asks twice

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { CLASS, TYPE } from '../../src/dns/codes.ts';
import { decodeMessage, encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { parseName } from '../../src/dns/name.ts';
import type { Address } from '../support/built-server.ts';

const PATIENCE_MS = 3000;

export class Asker {
  readonly #socket: Socket = createSocket('udp4');
  #id = 0;

  static async open(server: Address): Promise<Asker> {
    const asker = new Asker();
    asker.#socket.connect(server.port, server.address);
    await once(asker.#socket, 'connect');
    return asker;
  }

  /** The A records of a name; rejects when no reply comes in time. */
  async addresses(name: string): Promise<string[]> {
    this.#id = (this.#id + 1) & 0xffff;
    const question = { name: parseName(name), type: TYPE.A, class: CLASS.IN };
    const reply = once(this.#socket, 'message', { signal: AbortSignal.timeout(PATIENCE_MS) });
    this.#socket.send(encodeMessage(queryMessage(this.#id, question)));
    const [octets] = (await reply) as [Buffer];
    const { id, answers } = decodeMessage(octets);
    if (id !== this.#id) throw new Error('a reply to another question');
    return answers.map(({ rdata }) => rdata.join('.'));
  }

  close(): void {
    this.#socket.close();
  }
}

// forwarding.ts -- a forwarder without a server around it, and a client of it

import { type Clock, systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { CLASS, parseType } from '../../src/dns/codes.ts';
import type { Edns } from '../../src/dns/edns.ts';
import { FLAG } from '../../src/dns/header.ts';
import { decodeMessage, encodeMessage, type Message, queryMessage } from '../../src/dns/message.ts';
import { isWithin, parseName } from '../../src/dns/name.ts';
import { AddressClient } from '../../src/nameserver/client.ts';
import type { Transport } from '../../src/nameserver/query-counters.ts';
import { Forwarder, type ForwarderSettings } from '../../src/net/forwarder.ts';
import { parseUpstream } from '../../src/net/upstream-address.ts';
import { FakeClock } from './fake-clock.ts';
import { type Asked, ScriptedUpstream } from './scripted-upstream.ts';

export interface ForwardAsk {
  readonly edns?: Partial<Edns> | false;
  readonly flags?: number;
  readonly transport?: Transport;
  readonly client?: string;
  readonly id?: number;
}

export type SettingsText = Partial<Omit<ForwarderSettings, 'to'>> & { readonly to: readonly string[] };

export function settingsOf({ to, ...rest }: SettingsText): ForwarderSettings {
  return {
    to: to.map((text) => parseUpstream(text)!),
    timeoutMs: 4000,
    cacheSize: 1000,
    staleMs: 86_400_000,
    stripPrivate: false,
    authorities: undefined,
    maxUdpSize: 1232,
    ...rest,
  };
}

export class TestForwarder {
  readonly forwarder: Forwarder;
  /** Transport, type and rcode of each answer. */
  readonly counted: [Transport, number, number][] = [];
  #lastId = 0x1000;

  constructor(scope: { after(cleanup: () => unknown): void }, settings: SettingsText, clock: Clock = systemClock) {
    const own = parseName('service.local.');
    this.forwarder = new Forwarder(settingsOf(settings), {
      clock,
      log: silentLogger,
      isOwn: (name) => isWithin(name, own),
      aliasesFor: () => undefined,
      optionsFor: () => ({ options: [], padBlock: 0 }),
      onAnswer: (...answer) => void this.counted.push(answer),
    });
    scope.after(() => this.forwarder.close());
  }

  /** Ask `name TYPE`; the octets of the reply. */
  askRaw(question: string, options: ForwardAsk = {}): Promise<Uint8Array> {
    const [name, type] = question.split(' ') as [string, string];
    const edns = { udpSize: 1232, extendedRcode: 0, version: 0, dnssecOk: false, options: [] };
    const id = options.id ?? ++this.#lastId;
    const asked = { name: parseName(name), type: parseType(type)!, class: CLASS.IN };
    const message = queryMessage(id, asked, options.edns === false ? undefined : { ...edns, ...options.edns });
    const query = encodeMessage({ ...message, flags: FLAG.RD | (options.flags ?? 0) });
    const client = new AddressClient(options.client ?? '127.0.0.1');
    return new Promise((resolve) => {
      this.forwarder.forward(query, options.transport ?? 'udp', client, resolve);
    });
  }

  async ask(question: string, options: ForwardAsk = {}): Promise<Message> {
    return decodeMessage(await this.askRaw(question, options));
  }
}

/** A forwarder with one upstream, on a clock that stands still; an upstream that has no reply says nothing. */
export async function startForwarding(
  scope: { after(cleanup: () => unknown): void },
  reply: (asked: Asked) => Uint8Array | undefined,
  settings: Partial<SettingsText> = {},
) {
  const clock = new FakeClock();
  const upstream = await ScriptedUpstream.start(scope, (asked) => {
    const message = reply(asked);
    if (message !== undefined) asked.send(message);
  });
  const server = new TestForwarder(scope, { to: [upstream.address], ...settings }, clock);
  /** Ask while time goes by. */
  const patiently = async (question: string): Promise<Message> => {
    const asking = server.ask(question);
    while (server.forwarder.waiting > 0) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      if (upstream.asked.length > 0) await clock.advance(500);
    }
    return await asking;
  };
  return { clock, upstream, server, patiently };
}

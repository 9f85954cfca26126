// check-answers.ts -- asks a server before it is timed: one that answers less, or something else, does other work

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { CLASS, RCODE, TYPE } from '../../src/dns/codes.ts';
import { FLAG } from '../../src/dns/header.ts';
import { decodeMessage, encodeMessage, type Message, queryMessage } from '../../src/dns/message.ts';
import { formatName, parseName } from '../../src/dns/name.ts';
import { formatRecord } from '../../src/dns/presentation.ts';
import type { ResourceRecord } from '../../src/dns/rrset.ts';
import type { BenchService, ZoneContent } from './zone-content.ts';

/** How many services are asked for, spread over the zone. */
const SAMPLE = 20;
/** Rollcall's default; the zones of other servers have fewer instances to a service. */
const MAX_ANSWERS = 8;
const TIMEOUT_MS = 1000;
const EDNS = { udpSize: 4096, extendedRcode: 0, version: 0, dnssecOk: false, options: [] };

/** Whether a server answers at all: a floor's echo does. */
export async function isAnswering(port: number, { apex, services }: ZoneContent): Promise<boolean> {
  return ask(port, `${services[0]?.label ?? 'ns'}.${apex}`, TYPE.A, false, 100).then(
    () => true,
    () => false,
  );
}

/** What a server is held to. */
export interface Expectation {
  readonly content: ZoneContent;
  /** Ask with EDNS, as the load does: answers must come whole in the room that it has. */
  readonly edns: boolean;
  /** Whether an address comes along for every SRV record. */
  readonly glue: boolean;
}

/**
 * Ask for A and SRV of some services and for a name that is not there. Throws at the first answer that is not what the
 * content says: the same addresses, the same SRV records, and an address for each of those.
 */
export async function checkAnswers(port: number, { content, edns, glue }: Expectation): Promise<void> {
  const { apex, services } = content;
  const step = Math.max(1, Math.floor(services.length / SAMPLE));
  for (let at = 0; at < services.length; at += step) {
    const service = services[at]!;
    const { label, instances } = service;
    const name = `${label}.${apex}`;
    const addresses = await ask(port, name, TYPE.A, edns);
    compare(`${name} A`, addresses, addresses.answers, service, ({ address }) => address);
    const pointers = await ask(port, name, TYPE.SRV, edns);
    compare(`${name} SRV`, pointers, pointers.answers, service, (each) => `0 1 ${each.port} ${each.target}.`);
    // Eight SRV records leave no room for all addresses where EDNS is off.
    if (!glue || instances.length > MAX_ANSWERS) continue;
    // An address of the server's own name may come as well.
    const targets = new Set(instances.map(({ target }) => `${target}.`));
    const along = pointers.additionals.filter((each) => targets.has(formatName(each.name)));
    compare(`${name} SRV, additional`, pointers, along, service, ({ address }) => address);
  }
  const missing = await ask(port, `nobody-0.${apex}`, TYPE.A, edns);
  assert.equal(missing.rcode, RCODE.NXDOMAIN, `nobody-0.${apex}: rcode ${missing.rcode}`);
}

function compare(
  what: string,
  { rcode, flags }: Message,
  records: readonly ResourceRecord[],
  { instances }: BenchService,
  expected: (instance: BenchService['instances'][number]) => string,
): void {
  assert.equal(rcode, RCODE.NOERROR, `${what}: rcode ${rcode}`);
  assert.equal(flags & FLAG.TC, 0, `${what}: truncated`);
  const found = records.map((record) => formatRecord(record).split(/\s+/).slice(4).join(' '));
  const all = instances.map(expected);
  const wanted = all.length <= MAX_ANSWERS ? all : all.filter((each) => found.includes(each));
  assert.equal(found.length, Math.min(all.length, MAX_ANSWERS), `${what}: ${found.length} records`);
  assert.deepEqual([...found].sort(), wanted.sort(), what);
}

async function ask(
  port: number,
  name: string,
  type: number,
  withEdns: boolean,
  timeoutMs = TIMEOUT_MS,
): Promise<Message> {
  const socket = createSocket('udp4');
  const question = { name: parseName(`${name}.`), type, class: CLASS.IN };
  const query = queryMessage(1, question, withEdns ? EDNS : undefined);
  try {
    socket.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.send(encodeMessage(query));
    const [octets] = await once(socket, 'message', { signal: AbortSignal.timeout(timeoutMs) });
    return decodeMessage(octets as Uint8Array);
  } finally {
    socket.close();
  }
}

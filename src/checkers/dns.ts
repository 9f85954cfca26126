// dns.ts -- the dns check: one question by UDP, to be answered with NOERROR and a record of the type asked for
//
// Question and reply are written and read by dns2, on a socket of our own: dns2's client can be neither stopped nor
// given the address that was judged for its second try by TCP, and it reads whatever comes. Its reader follows chains
// of pointers for seconds when a message is long, so nothing longer than 512 octets reaches it: without EDNS a reply
// is never longer (RFC 1035 section 4.2.1). One that is cut off (TC) proves as much as a whole one.

import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { Packet } from 'dns2';
import { formatEndpoint, type IpAddress } from '../base/ip.ts';
import type { ProbeResult } from '../health/check-spec.ts';
import { type DnsUrl, parseDnsUrl } from '../health/check-url.ts';
import type { Checker, ProbeTarget } from '../health/checker.ts';
import { type Finding, ProbeRuns } from './probe-runs.ts';
import type { ProbeSignal } from './probe-signal.ts';
import { type ProbeOptions, Resolver } from './resolver.ts';

const REPLY_LIMIT_BYTES = 512;
const HEADER_BYTES = 12;

/** Probes `type: dns` checks. */
export class DnsChecker implements Checker {
  readonly #resolver: Resolver;
  readonly #runs = new ProbeRuns();

  constructor(options: ProbeOptions) {
    this.#resolver = new Resolver(options);
  }

  probe({ check }: ProbeTarget): Promise<ProbeResult> {
    const url = parseDnsUrl(check.url ?? '');
    if (typeof url === 'string') {
      return this.#runs.run('DNS', check.timeoutMs, () => Promise.reject(new Error(`the url ${url}`)));
    }
    const { host, port, name, type } = url;
    const label = `DNS ${formatEndpoint({ address: host, port })} ${name}. ${type}`;
    return this.#runs.run(label, check.timeoutMs, async (signal) => {
      return judge(await askAny(await this.#resolver.permitted(host, port), url, signal), url, label);
    });
  }

  async close(): Promise<void> {
    this.#runs.close();
  }
}

/** Ask one address after the other, until one has an answer of any kind. */
async function askAny(addresses: readonly IpAddress[], url: DnsUrl, signal: ProbeSignal): Promise<Buffer> {
  let failure: unknown;
  for (const address of addresses) {
    try {
      return await ask(address, url, signal);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      failure = thrown;
    }
  }
  throw failure;
}

/** Send the question and wait for its reply; what else comes is passed over, for it may be forged or late. */
function ask(address: IpAddress, { name, type, port }: DnsUrl, signal: ProbeSignal): Promise<Buffer> {
  const query = new Packet();
  query.header.id = randomInt(65_536);
  query.header.rd = 1;
  // Its types ask for a method that its reader makes and its writer does not need.
  query.questions.push({ name, class: Packet.CLASS.IN, type: Packet.TYPE[type] } as Packet['questions'][number]);
  const octets = query.toBuffer();
  const socket = createSocket(address.family === 4 ? 'udp4' : 'udp6');
  return new Promise<Buffer>((resolve, reject) => {
    signal.onAbort(() => reject(signal.reason));
    socket.on('error', reject);
    socket.on('message', (reply) => {
      if (isReplyTo(octets, reply)) resolve(reply);
    });
    if (signal.aborted) return;
    // Connected, so that the system drops what others send and tells of a closed port.
    socket.connect(port, address.text, () => socket.send(octets, (error) => error !== null && reject(error)));
  }).finally(() => socket.close());
}

/** Same id, a response, and the question as it was asked: all of it in front of anything dns2 would have to read. */
function isReplyTo(query: Buffer, reply: Buffer): boolean {
  if (reply.length < HEADER_BYTES || reply.readUInt16BE(0) !== query.readUInt16BE(0) || reply[2]! < 0x80) return false;
  const questions = reply.readUInt16BE(4);
  // A server that could not read the question (FORMERR) need not repeat it.
  if (questions === 0) return reply.readUInt16BE(6) === 0;
  const asked = query.subarray(HEADER_BYTES);
  const repeated = reply.subarray(HEADER_BYTES, query.length);
  return questions === 1 && repeated.toString('latin1').toLowerCase() === asked.toString('latin1').toLowerCase();
}

const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];

function judge(reply: Buffer, { type }: DnsUrl, label: string): Finding {
  const code = reply[3]! & 0x0f;
  const rcode = RCODES[code] ?? `RCODE ${code}`;
  const critical = (what: string): Finding => ({ outcome: 'critical', output: `${label}: ${what}` });
  if (code !== 0) return critical(rcode);
  if ((reply[2]! & 0x02) !== 0) return { outcome: 'passing', output: `${label}: NOERROR, more than fits a datagram` };
  if (reply.length > REPLY_LIMIT_BYTES) return critical(`a reply of ${reply.length} octets, 512 are allowed`);
  const packet = Packet.parse(reply);
  const problem = packet.errors[0];
  if (problem !== undefined) return critical(`the reply is malformed: ${problem.message}`);
  const found = packet.answers.filter((record) => record.type === Packet.TYPE[type]);
  if (found.length === 0) return critical('NOERROR without an answer');
  const records = found.length === 1 ? '1 record' : `${found.length} records`;
  return { outcome: 'passing', output: `${label}: NOERROR, ${records}` };
}

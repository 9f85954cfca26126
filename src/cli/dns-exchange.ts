// dns-exchange.ts -- one question to one DNS server, and its reply
//
// dns2's UDP client asks what it can ask. What it cannot goes through our own codec and sockets: types it has no name
// for (SVCB), names with escapes, client subnets, and everything over TCP and TLS, where it has no timeout, no IPv6 and takes any id.

import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { UDPClient } from 'dns2';
import { CodedError, errorMessage } from '../base/errors.ts';
import { type Endpoint, formatEndpoint, type IpPrefix } from '../base/ip.ts';
import { clientSubnetQuery } from '../dns/client-subnet.ts';
import { CLASS, formatType } from '../dns/codes.ts';
import { FLAG } from '../dns/header.ts';
import { decodeMessage, encodeMessage, type Message, type Question, queryMessage } from '../dns/message.ts';
import { equalNames, type Name, parseName } from '../dns/name.ts';
import { WireError } from '../dns/wire-error.ts';
import { identityProblem } from '../net/certificate-identity.ts';
import { type DnsAnswer, fromMessage, fromPacket } from './dns-answer.ts';

/** What to ask, of whom. */
export interface DnsQuestion {
  /** Domain name, taken as absolute; throws a NameError when it is none. */
  readonly name: string;
  readonly type: number;
  /** A URL: by HTTPS, and no other way. */
  readonly server: Endpoint | string;
  /** TCP from the start; a truncated reply leads there anyway. */
  readonly tcp?: boolean;
  /** TLS, with a certificate for the server's address that Node trusts (NODE_EXTRA_CA_CERTS adds to that). */
  readonly tls?: boolean;
  /** For whom to ask (EDNS client subnet). */
  readonly subnet?: IpPrefix;
  readonly timeoutMs: number;
}

/** A reply, and the way it came. */
export interface DnsReply extends DnsAnswer {
  readonly transport: 'udp' | 'tcp' | 'tls' | 'https';
}

type PlainQuestion = DnsQuestion & { readonly server: Endpoint };

/** Types whose RDATA dns2 reads without loss. */
const DNS2_TYPES = new Set(['A', 'AAAA', 'NS', 'CNAME', 'SOA', 'PTR', 'MX', 'TXT', 'SRV', 'CAA']);

const UDP_SIZE = 1232;

/** Ask once. Throws CodedError `timeout`, `unreachable` or `bad_reply`. */
export async function askDns(question: DnsQuestion): Promise<DnsReply> {
  const name = parseName(question.name);
  const { server } = question;
  if (typeof server === 'string') return { ...(await askByHttps(question, server, name)), transport: 'https' };
  const plain = { ...question, server };
  if (question.tls) return { ...(await askByStream(plain, name)), transport: 'tls' };
  if (!question.tcp) {
    const answer = isForDns2(question) ? await askByDns2(plain) : await askByDgram(plain, name);
    if (!answer.flags.includes('tc')) return { ...answer, transport: 'udp' };
  }
  return { ...(await askByStream(plain, name)), transport: 'tcp' };
}

function isForDns2({ name, type, subnet }: DnsQuestion): boolean {
  return DNS2_TYPES.has(formatType(type)) && !name.includes('\\') && subnet === undefined;
}

async function askByDns2({ name, type, server, timeoutMs }: PlainQuestion): Promise<DnsAnswer> {
  const ask = UDPClient({
    dns: server.address,
    port: server.port,
    socketType: server.address.includes(':') ? 'udp6' : 'udp4',
    timeout: timeoutMs,
    retryOverTCP: false,
  });
  try {
    const packet = await ask(name.replace(/\.$/, ''), formatType(type));
    const problem = packet.errors[0];
    if (problem !== undefined) throw badReply(server, problem.message);
    const echoed = packet.questions[0];
    if (echoed?.type !== type || echoed.name.toLowerCase() !== name.replace(/\.$/, '').toLowerCase()) {
      throw badReply(server, 'it answers another question');
    }
    return fromPacket(packet);
  } catch (thrown) {
    if (thrown instanceof CodedError) throw thrown;
    const isLate = (thrown as NodeJS.ErrnoException).code === 'ETIMEDOUT';
    throw isLate ? late(server, timeoutMs) : unreachable(server, thrown);
  }
}

function askByDgram({ type, subnet, server, timeoutMs }: PlainQuestion, name: Name): Promise<DnsAnswer> {
  const query = newQuery(name, type, subnet);
  return new Promise((resolve, reject) => {
    const socket = createSocket(server.address.includes(':') ? 'udp6' : 'udp4');
    const timer = setTimeout(() => finish(() => reject(late(server, timeoutMs))), timeoutMs);
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      socket.removeAllListeners('message');
      socket.close();
      settle();
    };
    socket.once('error', (error) => finish(() => reject(unreachable(server, error))));
    socket.on('message', (bytes) => {
      // Any other id may be a stray or forged reply: the right one may still come.
      if (bytes.length < 2 || bytes.readUInt16BE(0) !== query.message.id) return;
      finish(() => settleReply(bytes, query, server, resolve, reject));
    });
    // Connected, so that the system drops what others send, and tells of a closed port.
    socket.connect(server.port, server.address, () => socket.send(query.bytes));
  });
}

function askByStream({ type, subnet, server, timeoutMs, tls }: PlainQuestion, name: Name): Promise<DnsAnswer> {
  const query = newQuery(name, type, subnet);
  return new Promise((resolve, reject) => {
    const socket = tls ? connectSecurely(server) : connect(server.port, server.address);
    let received = Buffer.alloc(0);
    const timer = setTimeout(() => finish(() => reject(late(server, timeoutMs))), timeoutMs);
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      socket.removeAllListeners('data');
      socket.removeAllListeners('end');
      socket.destroy();
      settle();
    };
    socket.once('error', (error) => finish(() => reject(unreachable(server, error))));
    socket.once('end', () => finish(() => reject(badReply(server, 'the connection ended before the reply'))));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      const bytes = received.subarray(2, 2 + received.readUInt16BE(0));
      finish(() => settleReply(bytes, query, server, resolve, reject));
    });
    const length = Buffer.alloc(2);
    length.writeUInt16BE(query.bytes.length);
    socket.write(Buffer.concat([length, query.bytes]));
  });
}

function connectSecurely({ address, port }: Endpoint): TLSSocket {
  return connectTls({
    host: address,
    port,
    ALPNProtocols: ['dot'],
    checkServerIdentity: (_, certificate) => identityProblem(address, certificate),
  });
}

async function askByHttps({ type, subnet, timeoutMs }: DnsQuestion, url: string, name: Name): Promise<DnsAnswer> {
  // With id 0, as caches like it (RFC 8484 section 4.1).
  const query = newQuery(name, type, subnet, 0);
  const { postDnsMessage } = await import('./https-exchange.ts');
  const bytes = await postDnsMessage(url, query.bytes, timeoutMs);
  return await new Promise((resolve, reject) => settleReply(bytes, query, url, resolve, reject));
}

interface Query {
  readonly message: Message;
  readonly question: Question;
  readonly bytes: Uint8Array;
}

function newQuery(name: Name, type: number, subnet: IpPrefix | undefined, id = randomInt(65536)): Query {
  const question = { name, type, class: CLASS.IN };
  const options = subnet === undefined ? [] : [clientSubnetQuery(subnet)];
  const edns = { udpSize: UDP_SIZE, extendedRcode: 0, version: 0, dnssecOk: false, options };
  const message = queryMessage(id, question, edns);
  return { message, question, bytes: encodeMessage(message) };
}

function settleReply(
  bytes: Uint8Array,
  query: Query,
  server: Endpoint | string,
  resolve: (answer: DnsAnswer) => void,
  reject: (error: Error) => void,
): void {
  try {
    const reply = decodeMessage(bytes);
    const echoed = reply.questions[0];
    const fits =
      reply.id === query.message.id &&
      (reply.flags & FLAG.QR) !== 0 &&
      // A server that could not read the question sends none back.
      (echoed === undefined || (echoed.type === query.question.type && equalNames(echoed.name, query.question.name)));
    if (!fits) throw badReply(server, 'it answers another question');
    resolve(fromMessage(reply));
  } catch (thrown) {
    if (thrown instanceof WireError) reject(badReply(server, thrown.message));
    else reject(thrown as Error);
  }
}

function late(server: Endpoint, timeoutMs: number): CodedError {
  return new CodedError('timeout', `${formatEndpoint(server)} has not answered within ${timeoutMs / 1000} seconds`);
}

function unreachable(server: Endpoint, thrown: unknown): CodedError {
  const isRefused = (thrown as NodeJS.ErrnoException).code === 'ECONNREFUSED';
  const reason = isRefused ? 'nobody listens there' : errorMessage(thrown);
  return new CodedError('unreachable', `cannot ask ${formatEndpoint(server)}: ${reason}`);
}

function badReply(server: Endpoint | string, reason: string): CodedError {
  const name = typeof server === 'string' ? server : formatEndpoint(server);
  return new CodedError('bad_reply', `the reply of ${name} is not in order: ${reason}`);
}

// scenario.ts -- runs the scenario files of test/nameserver/scenarios on a server without sockets
//
// A file is prose and paragraphs. Lines that begin with `#` are prose. A paragraph is commands, then `----`, then what
// they print; commands that print nothing need no `----`. Indented lines belong to the command above them.
//
//   domain NAME [ttl=5s] [negativeTtl=5s] [maxAnswers=8]     before anything else; default: service.local
//   server [maxUdpSize=N] [claimLocal] [seed=N] [unloaded]   before anything else
//   client-zone ZONE NETWORK ...                             before anything else
//   believe NETWORK ...                                      whose client subnet is believed; before anything else
//   reverse NETWORK ...                                      whose addresses have names; before anything else
//   zone                                                     serve the master file indented below; `zones none`: no file
//   register SERVICE ID ADDRESS:PORT [tags=a,b] [weight=N] [ttl=5s] [leaseTtl=5s] [checks=a,b] [zone=Z] [port.NAME=N[/udp]] [meta.KEY=VALUE]
//   deregister ID      drain ID | undrain ID      maintenance ID|service SERVICE on|off      eject ID | readmit ID
//   check ID OUTCOME [CHECK]                                 a check's outcome after rise and fall
//   heartbeat ID       advance 5s                 policy SERVICE [KEY=VALUE ...] | policy SERVICE none
//                                                            indented below: more of the policy, as JSON
//   load               stale on|off               status ID
//   query NAME TYPE [class=CH] [client=ADDRESS] [subnet=NETWORK] [edns[=SIZE]] [do] [tcp] [norec] [cd] [ad]
//   share NAME TYPE draws=N [client=ADDRESS]                 how often each record came first
//   share NAME TYPE clients=N [client=ADDRESS]               the same, of N clients from that address on
//   serial                                                   of every zone with dynamic names

import { setImmediate as settle } from 'node:timers/promises';
import { parseDuration } from '../../src/base/duration.ts';
import { CodedError } from '../../src/base/errors.ts';
import { type IpAddress, ipFromBytes, parseIp } from '../../src/base/ip.ts';
import { FLAG } from '../../src/dns/header.ts';
import { formatName } from '../../src/dns/name.ts';
import { soaSerial } from '../../src/dns/rdata/basic.ts';
import { formatRdata } from '../../src/dns/rdata/rdata.ts';
import type { Outcome } from '../../src/health/check-spec.ts';
import { currentSoa } from '../../src/nameserver/view.ts';
import { type DomainText, formatReply, NameServer, type NameServerOptions } from './name-server.ts';

/** A paragraph of a scenario file. */
export interface Paragraph {
  /** Prose in front, and the commands, as they stand in the file. */
  readonly lines: readonly string[];
  readonly expected: readonly string[];
  /** Of its first line, counted from 1. */
  readonly line: number;
}

/** Split a scenario file. */
export function readScenario(text: string): Paragraph[] {
  const paragraphs: { lines: string[]; expected: string[]; line: number }[] = [];
  let current: (typeof paragraphs)[number] | undefined;
  let isOutput = false;
  for (const [index, line] of text.trimEnd().split('\n').entries()) {
    if (line.trim() === '') {
      current = undefined;
      continue;
    }
    if (current === undefined) {
      current = { lines: [], expected: [], line: index + 1 };
      paragraphs.push(current);
      isOutput = false;
    }
    if (line === '----') isOutput = true;
    else (isOutput ? current.expected : current.lines).push(line);
  }
  return paragraphs;
}

/** The file again, with other outputs. */
export function writeScenario(paragraphs: readonly Paragraph[], outputs: readonly (readonly string[])[]): string {
  const blocks = paragraphs.map(({ lines }, i) => {
    const output = outputs[i]!;
    return [...lines, ...(output.length > 0 ? ['----', ...output] : [])].join('\n');
  });
  return `${blocks.join('\n\n')}\n`;
}

/** Words behind a command: `key=value` and bare ones. */
interface Words {
  readonly plain: readonly string[];
  readonly named: ReadonlyMap<string, string>;
  /** The indented lines. */
  readonly body: readonly string[];
}

/** Runs paragraphs one after the other; `run` returns what each prints. */
export class Scenario {
  #domains: DomainText[] = [];
  #zones: string[] = [];
  #clientZones: Record<string, readonly string[]> = {};
  #clientSubnetFrom: readonly string[] = [];
  #reverse: readonly string[] = [];
  #serverWords: Words | undefined;
  #server: NameServer | undefined;

  async run(paragraph: Paragraph): Promise<string[]> {
    const output: string[] = [];
    for (const { command, words } of commandsOf(paragraph)) output.push(...(await this.#perform(command, words)));
    if (this.#server !== undefined && this.#server.failures.length > 0) throw this.#server.failures[0];
    return output;
  }

  async #perform(command: string, words: Words): Promise<string[]> {
    const { plain, named, body } = words;
    switch (command) {
      case 'domain':
        this.#domains.push(readDomain(words));
        return [];
      case 'server':
        this.#serverWords = words;
        return [];
      case 'client-zone':
        this.#clientZones[plain[0]!] = plain.slice(1);
        return [];
      case 'believe':
        this.#clientSubnetFrom = plain;
        return [];
      case 'reverse':
        this.#reverse = plain;
        return [];
      case 'zone':
        this.#zones.push(`${body.map((line) => line.replace(/^ {2}/, '')).join('\n')}\n`);
        this.#server?.setZones(this.#zones);
        return [];
      case 'zones':
        this.#zones = [];
        this.#server?.setZones([]);
        return [];
      case 'query':
        return formatReply((await this.#open()).ask(questionOf(words), askOptions(words)));
      case 'share':
        return share(await this.#open(), questionOf(words), named);
      case 'serial':
        return serials(await this.#open());
      case 'load':
        await (await this.#open()).load();
        return [];
      case 'stale':
        (await this.#open()).handler.state.isStale = plain[0] === 'on';
        return [];
      default:
        return await act(await this.#open(), command, words);
    }
  }

  async #open(): Promise<NameServer> {
    if (this.#server !== undefined) return this.#server;
    const words = this.#serverWords;
    const options: NameServerOptions = {
      zones: this.#zones,
      ...(this.#domains.length > 0 ? { domains: this.#domains } : {}),
      settings: { maxUdpSize: Number(words?.named.get('maxUdpSize') ?? 1232) },
      claimLocal: words?.plain.includes('claimLocal') ?? false,
      seed: Number(words?.named.get('seed') ?? 1),
      clientZones: this.#clientZones,
      clientSubnetFrom: this.#clientSubnetFrom,
      reverse: this.#reverse,
    };
    const isUnloaded = words?.plain.includes('unloaded') ?? false;
    this.#server = isUnloaded ? NameServer.unloaded(options) : await NameServer.open(options);
    return this.#server;
  }
}

function* commandsOf({ lines, line: first }: Paragraph): Generator<{ command: string; words: Words }> {
  const commands: { text: string; body: string[] }[] = [];
  for (const line of lines) {
    if (line.startsWith('#')) continue;
    if (!line.startsWith(' ')) commands.push({ text: line, body: [] });
    else if (commands.length > 0) commands.at(-1)!.body.push(line);
    else throw new Error(`line ${first}: an indented line belongs to no command`);
  }
  for (const { text, body } of commands) {
    const [command, ...rest] = text.trim().split(/\s+/);
    // A key that holds `=` itself writes it `\\=`.
    const isNamed = (word: string) => /^(?:[\w.-]|\\=)+=/.test(word);
    const named = rest.filter(isNamed).map((word) => {
      const at = word.search(/(?<!\\)=/);
      return [word.slice(0, at).replaceAll('\\=', '='), word.slice(at + 1)] as const;
    });
    yield { command: command!, words: { plain: rest.filter((word) => !isNamed(word)), named: new Map(named), body } };
  }
}

function readDomain({ plain, named }: Words): DomainText {
  const seconds = (key: string) => parseDuration(named.get(key) ?? '5s')! / 1000;
  return {
    name: plain[0]!,
    ttlSeconds: seconds('ttl'),
    negativeTtlSeconds: seconds('negativeTtl'),
    maxAnswers: Number(named.get('maxAnswers') ?? 8),
  };
}

function questionOf({ plain, named }: Words): string {
  return `${plain[0]}${plain[0]!.endsWith('.') ? '' : '.'} ${named.get('class') ?? 'IN'} ${plain[1]}`;
}

function askOptions({ plain, named }: Words) {
  const has = (word: string) => plain.slice(2).includes(word);
  const udpSize = Number(named.get('edns') ?? 1232);
  const edns = has('edns') || has('do') || named.has('edns') ? { udpSize, dnssecOk: has('do') } : false;
  const flags = (has('norec') ? 0 : FLAG.RD) | (has('cd') ? FLAG.CD : 0) | (has('ad') ? FLAG.AD : 0);
  const [client, subnet] = [named.get('client'), named.get('subnet')];
  return {
    edns,
    flags,
    transport: has('tcp') ? 'tcp' : 'udp',
    ...(client === undefined ? {} : { client }),
    ...(subnet === undefined ? {} : { subnet }),
  } as const;
}

/** Commands that change the registry; what it refuses is printed. */
async function act(server: NameServer, command: string, words: Words): Promise<string[]> {
  const { registry } = server;
  const [first = '', second = '', third] = words.plain;
  try {
    switch (command) {
      case 'register':
        await server.register(first, second, instanceOf(words));
        return [];
      case 'deregister':
        await registry.deregister(first);
        return [];
      case 'drain':
      case 'undrain':
        await registry.setDraining(first, command === 'drain');
        return [];
      case 'eject':
        registry.eject(first, 'ejected by the gateway for 10s: 5 failures in a row', { kind: 'gateway' });
        return [];
      case 'readmit':
        registry.readmit(first, { kind: 'gateway' });
        return [];
      case 'maintenance':
        if (first === 'service') await registry.setServiceMaintenance(second, third === 'on' ? 'planned' : undefined);
        else await registry.setMaintenance(first, second === 'on' ? 'planned' : undefined);
        return [];
      case 'check':
        server.report(first, second as Outcome, third);
        return [];
      case 'heartbeat':
        registry.heartbeat(first, undefined);
        return [];
      case 'advance':
        await server.clock.advance(parseDuration(first)!);
        await settle();
        return [];
      case 'policy':
        await server.setPolicy(first, second === 'none' ? undefined : policyOf(words));
        return [];
      case 'status': {
        const state = registry.instance(first);
        return [state === undefined ? 'unknown' : `${state.status}: ${state.reason}`];
      }
    }
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    const details = error.details.map(({ path, message }) => `  ${path}: ${message}`);
    return [`error: ${error.code}`, ...details];
  }
  throw new Error(`unknown command '${command}'`);
}

function instanceOf({ plain, named }: Words): object {
  const at = plain[2]!.lastIndexOf(':');
  const address = plain[2]!.slice(0, at).replace(/^\[|\]$/g, '');
  const list = (key: string) => named.get(key)?.split(',');
  const group = <T>(prefix: string, read: (value: string) => T) =>
    Object.fromEntries(
      [...named]
        .filter(([key]) => key.startsWith(prefix))
        .map(([key, value]) => [key.slice(prefix.length), read(value)]),
    );
  const port = (value: string) => {
    const [number, proto = 'tcp'] = value.split('/');
    return { port: Number(number), proto };
  };
  const [weight, ttl, leaseTtl] = [named.get('weight'), named.get('ttl'), named.get('leaseTtl')];
  const zone = named.get('zone');
  return {
    address,
    port: Number(plain[2]!.slice(at + 1)),
    ports: group('port.', port),
    tags: list('tags') ?? [],
    meta: group('meta.', (value) => value),
    checks: (list('checks') ?? []).map((id) => ({ id, type: 'heartbeat' })),
    ...(weight === undefined ? {} : { weight: Number(weight) }),
    ...(ttl === undefined ? {} : { ttl }),
    ...(leaseTtl === undefined ? {} : { leaseTtl }),
    ...(zone === undefined ? {} : { zone }),
  };
}

function policyOf({ named, body }: Words): object {
  const numbers = new Set(['maxAnswers', 'minHealthyFraction', 'warningWeight']);
  const plain = Object.fromEntries([...named].map(([key, value]) => [key, numbers.has(key) ? Number(value) : value]));
  return body.length === 0 ? plain : { ...plain, ...(JSON.parse(body.join('\n')) as object) };
}

/** How often each record stood first, most often first. */
function share(server: NameServer, question: string, named: Words['named']): string[] {
  const counts = new Map<string, number>();
  const first = parseIp(named.get('client') ?? '127.0.0.1')!;
  const clients = Number(named.get('clients') ?? 0);
  for (let i = 0; i < (clients || Number(named.get('draws'))); i++) {
    const client = clients === 0 ? first.text : addressAfter(first, i);
    const record = server.ask(question, { transport: 'tcp', client }).answers[0];
    const text = record === undefined ? '(none)' : formatRdata(record.type, record.rdata);
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([text, count]) => `${count} ${text}`);
}

/** The address `count` behind another. */
function addressAfter({ bytes }: IpAddress, count: number): string {
  const next = Buffer.from(bytes);
  next.writeUInt32BE((next.readUInt32BE(next.length - 4) + count) >>> 0, next.length - 4);
  return ipFromBytes(next).text;
}

function serials(server: NameServer): string[] {
  return server.zones
    .filter(({ domain }) => domain !== undefined)
    .map((served) => {
      const soa = currentSoa(served, server.handler.state);
      return `${formatName(served.zone.apex)} ${soaSerial(soa.rdatas[0]!)}`;
    });
}

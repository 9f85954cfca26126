// query-counters.ts -- counts of queries and answers, cheap to count and rendered on scrape

import { Counter, type Registry } from 'prom-client';
import { ServiceLabels } from '../base/metrics.ts';
import { formatRcode, formatType } from '../dns/codes.ts';

/** How a query came in; the `proto` label. */
export type Transport = 'udp' | 'tcp' | 'tls' | 'https';

const TRANSPORTS: readonly Transport[] = ['udp', 'tcp', 'tls', 'https'];
/** Types beyond this many different ones share a label, so that a scan of all 65,536 does not swell the scrape. */
const MAX_TYPES = 64;
const OTHER_TYPE = 0xffff;

/** Counts in plain maps by a packed number; no strings are made until somebody scrapes. */
export class QueryCounters {
  /** By rcode * 2^20 + transport * 2^16 + type: at most 45 bits. */
  readonly #queries = new Map<number, number>();
  readonly #answers = new Map<string, Map<number, number>>();
  readonly #dropped = new Map<string, number>();
  readonly #types = new Set<number>();
  readonly #labels = new ServiceLabels();
  #unknownNames = 0;

  answered(transport: Transport, type: number, rcode: number, service: string | undefined): void {
    const counted = this.#boundedType(type);
    const key = rcode * 2 ** 20 + TRANSPORTS.indexOf(transport) * 2 ** 16 + counted;
    this.#queries.set(key, (this.#queries.get(key) ?? 0) + 1);
    if (service === undefined) return;
    const label = this.#labels.of(service);
    let byType = this.#answers.get(label);
    if (byType === undefined) {
      byType = new Map();
      this.#answers.set(label, byType);
    }
    byType.set(counted, (byType.get(counted) ?? 0) + 1);
  }

  dropped(reason: string): void {
    this.#dropped.set(reason, (this.#dropped.get(reason) ?? 0) + 1);
  }

  unknownName(): void {
    this.#unknownNames++;
  }

  /** Show the counts in a registry under the names of the contract. */
  expose(registry: Registry): void {
    const queries = new Counter({
      name: 'rollcall_dns_queries_total',
      help: 'DNS queries answered, by transport, type and rcode.',
      labelNames: ['proto', 'type', 'rcode'],
      registers: [registry],
      collect: () => {
        queries.reset();
        for (const [key, count] of this.#queries) {
          const rcode = formatRcode(Math.floor(key / 2 ** 20));
          const proto = TRANSPORTS[Math.floor(key / 2 ** 16) % 16]!;
          queries.inc({ proto, type: typeLabel(key % 2 ** 16), rcode }, count);
        }
      },
    });
    const answers = new Counter({
      name: 'rollcall_dns_answers_total',
      help: 'DNS answers made from a service, by service and type.',
      labelNames: ['service', 'type'],
      registers: [registry],
      collect: () => {
        answers.reset();
        for (const [service, byType] of this.#answers) {
          for (const [type, count] of byType) answers.inc({ service, type: typeLabel(type) }, count);
        }
      },
    });
    const dropped = new Counter({
      name: 'rollcall_dns_dropped_total',
      help: 'Datagrams and messages that deserved no reply, by reason.',
      labelNames: ['reason'],
      registers: [registry],
      collect: () => {
        dropped.reset();
        for (const [reason, count] of this.#dropped) dropped.inc({ reason }, count);
      },
    });
    const unknown = new Counter({
      name: 'rollcall_unknown_names_total',
      help: 'Answers that a name below a served zone does not exist.',
      registers: [registry],
      collect: () => {
        unknown.reset();
        unknown.inc(this.#unknownNames);
      },
    });
  }

  #boundedType(type: number): number {
    if (this.#types.has(type)) return type;
    if (this.#types.size >= MAX_TYPES) return OTHER_TYPE;
    this.#types.add(type);
    return type;
  }
}

function typeLabel(type: number): string {
  return type === OTHER_TYPE ? 'other' : type === 0 ? 'none' : formatType(type);
}

// forward-metrics.ts -- the metrics of forwarding, read from the forwarder on each scrape

import { Counter, Gauge, type Registry as MetricsRegistry } from 'prom-client';
import type { Forwarder } from '../net/forwarder.ts';

/** Exposed whether or not anything is forwarded: a reload may begin to. */
export function exposeForwardMetrics(metrics: MetricsRegistry, forwarder: Forwarder): void {
  const registers = [metrics];
  const queries = new Counter({
    name: 'rollcall_forward_queries_total',
    help: 'Queries to upstreams, by upstream and result.',
    labelNames: ['upstream', 'result'],
    registers,
    collect: () => {
      queries.reset();
      for (const { name, results } of forwarder.upstreams) {
        for (const [result, count] of results) queries.inc({ upstream: name, result }, count);
      }
    },
  });
  const answers = new Counter({
    name: 'rollcall_forward_answers_total',
    help: 'Answers for names outside every zone, by where they came from.',
    labelNames: ['source'],
    registers,
    collect: () => {
      answers.reset();
      for (const [source, count] of forwarder.answers) answers.inc({ source }, count);
    },
  });
  const wrong: Counter = new Counter({
    name: 'rollcall_forward_wrong_replies_total',
    help: 'Messages from upstreams that were no reply to what was asked.',
    registers,
    collect: (): void => {
      wrong.reset();
      wrong.inc(forwarder.wrongReplies);
    },
  });
  const gauge = (name: string, help: string, value: () => number): void => {
    const made: Gauge = new Gauge({ name, help, registers, collect: (): void => made.set(value()) });
  };
  gauge('rollcall_forward_in_flight', 'Questions that upstreams are asked now.', () => forwarder.questions);
  gauge('rollcall_forward_waiting', 'Clients that wait for upstreams.', () => forwarder.waiting);
  gauge('rollcall_forward_cache_entries', 'Replies of upstreams that are kept.', () => forwarder.cache.size);
  gauge('rollcall_forward_cache_bytes', 'Memory that the replies kept count for.', () => forwarder.cache.octets);
  const upstreamGauge = (
    name: string,
    help: string,
    value: (upstream: Forwarder['upstreams'][number]) => number,
  ): void => {
    const made = new Gauge({
      name,
      help,
      labelNames: ['upstream'],
      registers,
      collect: () => {
        made.reset();
        for (const each of forwarder.upstreams) made.set({ upstream: each.name }, value(each));
      },
    });
  };
  upstreamGauge('rollcall_forward_rtt_seconds', 'Smoothed round-trip time.', ({ rttMs }) => rttMs / 1000);
  upstreamGauge('rollcall_forward_upstream_up', '1 while the upstream answers.', ({ isUp }) => (isUp ? 1 : 0));
}

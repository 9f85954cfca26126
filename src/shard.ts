// shard.ts -- the composition root of a UDP shard: a replica of the registry, a query handler, and the loop
//
// It runs in a worker thread that never returns to its event loop, and shares nothing with the main thread but memory
// for turns, counts and flags. Whatever is thrown here ends the thread; the pool starts another in its place.

import { workerData } from 'node:worker_threads';
import { systemClock } from './base/clock.ts';
import { errorMessage } from './base/errors.ts';
import { systemRandom } from './base/random.ts';
import { buildView } from './nameserver/build-view.ts';
import type { Client } from './nameserver/client.ts';
import { Cursors } from './nameserver/cursors.ts';
import type { News } from './nameserver/news.ts';
import { BUSY } from './nameserver/outside-names.ts';
import { QueryHandler } from './nameserver/query.ts';
import { QueryCounters } from './nameserver/query-counters.ts';
import { DEFAULT_QUERY_SETTINGS, type QuerySettings } from './nameserver/query-settings.ts';
import { Replica } from './nameserver/replica.ts';
import { timedAnswers } from './nameserver/timed-answers.ts';
import { View } from './nameserver/view.ts';
import type { BatchAnswerer } from './net/answerer.ts';
import { proxiedBatch, TrustedProxies, withoutHeader } from './net/proxied-datagrams.ts';
import { ShardLoop } from './net/shard-loop.ts';
import { CONTROL, type ShardReport, type ShardStart } from './net/shard-pool.ts';
import { QuestionSender } from './net/shard-questions.ts';
import { loadSocketCalls } from './net/socket-calls.ts';
import type { ShardExtra } from './wiring/shards.ts';

const REPORT_EVERY_MS = 10_000;

const { control: memory, port, questions, extra } = workerData as ShardStart;
const { cursorMemory, counterMemory, limits } = extra as ShardExtra;
const control = new Int32Array(memory);
const calls = loadSocketCalls();
if (typeof calls === 'string') throw new Error(calls);

const replica = new Replica(new Cursors(cursorMemory));
const counters = new QueryCounters(counterMemory);
const handler = new QueryHandler(new View([]), {
  random: systemRandom,
  counters,
  limits,
  settings: DEFAULT_QUERY_SETTINGS,
  placeOf: (service) => replica.placeOf(service),
  onFailure: reportFailure,
});

let reportedMs = Number.NEGATIVE_INFINITY;

/** All failures are counted by the handler; a log line for each query would only make a flood worse. */
function reportFailure(error: unknown): void {
  const nowMs = systemClock.monotonicMs();
  if (nowMs - reportedMs < REPORT_EVERY_MS) return;
  reportedMs = nowMs;
  port.postMessage({ failure: errorMessage(error) } satisfies ShardReport);
}

const plainAnswer: BatchAnswerer = timedAnswers(
  (slot: Uint8Array, length: number, out, client: Client) => handler.respondInPlace(slot, length, 'udp', out, client),
  counters,
  systemClock,
);
let answer = plainAnswer;

/** PROXY headers are looked for only where somebody sends them. */
function answerBy({ proxyProtocolFrom = [] }: QuerySettings): BatchAnswerer {
  const trusted = new TrustedProxies(proxyProtocolFrom);
  return trusted.isEmpty ? plainAnswer : proxiedBatch(plainAnswer, trusted, () => counters.dropped('proxy'));
}

function takeNews(news: News): void {
  if (news.op === 'view' || news.op === 'settings') answer = answerBy(news.settings);
  if (news.op === 'view') handler.setView(buildView(news.plan, replica), news.settings);
  else if (news.op === 'settings') handler.setSettings(news.settings);
  else for (const service of replica.apply(news)) handler.view.serviceChanged(service);
}

const sender = new QuestionSender(port, questions);

new ShardLoop({
  calls,
  control,
  port,
  onNews: (news) => takeNews(news as News),
  onPortZero: () => counters.dropped('port'),
  onForward: (asked, out) => (sender.send(asked) ? 0 : handler.fail(withoutHeader(asked.query), 'udp', out, BUSY)),
  onBatch: () => {
    handler.setTime(systemClock);
    handler.state.serialOffset = Atomics.load(control, CONTROL.SERIAL) >>> 0;
    handler.state.isLoaded = Atomics.load(control, CONTROL.LOADED) === 1;
    handler.state.isStale = Atomics.load(control, CONTROL.STALE) === 1;
  },
  get answer() {
    return answer;
  },
}).run();
port.close();

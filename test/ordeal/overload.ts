// overload.ts -- three times what the server can answer, and a burst at once: what it answers, and when it is itself again

import type { BuiltServer } from '../support/built-server.ts';
import { holdToShare } from '../support/cpu-quota.ts';
import { normalMs, type OverloadResult, overload as overloadOf } from '../support/overload.ts';
import { startSiegeServer } from '../support/siege-server.ts';
import { findTool } from '../support/tools.ts';
import type { OrdealRow, Scope } from './ordeal-result.ts';
import { peakOf } from './peak.ts';

const SHARE_OF_CORE = 0.25;
const TIMES_PEAK = 3;
const SECONDS = 20;
const BURST_PER_SECOND = 200_000;
const PROMISED = { goodput: 0.8, normalWithinMs: 1000 };
const NAMES = ['cart-service.service.local.', 'web.service.local.', 'ns.example.test.'];
const PEAK_QUESTIONS = NAMES.map((name) => `${name} A`);

export async function overload(scope: Scope): Promise<OrdealRow[]> {
  const { server, how } = await heldServer(scope);
  const peak = await peakOf(server, PEAK_QUESTIONS);
  const questions = NAMES.map((name) => `${name} A edns`);
  const result = await overloadOf(scope, server, { questions, perSecond: peak * TIMES_PEAK, seconds: SECONDS });
  const { flood } = result;
  const goodput = flood.replies / flood.seconds / peak;
  const offered = Math.round(flood.sent / flood.seconds);
  return [
    {
      what: `answers a second while ${offered}/s are asked, of a peak of ${Math.round(peak)}/s; ${how}`,
      measured: `${Math.round(goodput * peak)} (${(goodput * 100).toFixed(0)} %)`,
      promised: `>= ${PROMISED.goodput * 100} %`,
      isKept: goodput >= PROMISED.goodput && offered >= peak * TIMES_PEAK * 0.9,
    },
    ...recoveryRows('overload', result),
  ];
}

export async function burst(scope: Scope): Promise<OrdealRow[]> {
  const { server, how } = await heldServer(scope);
  await peakOf(server, PEAK_QUESTIONS);
  const questions = NAMES.map((name) => `${name} A edns`);
  const result = await overloadOf(scope, server, { questions, perSecond: BURST_PER_SECOND, seconds: 1 });
  const sent = `${result.flood.sent} queries within ${result.flood.endedMs - result.flood.startedMs} ms; ${how}`;
  return recoveryRows(`burst of ${sent}`, result);
}

async function heldServer(scope: Scope): Promise<{ server: BuiltServer; how: string }> {
  if (findTool('dnsperf') === undefined) throw new Error('dnsperf is missing (npm run bench:peers)');
  const server = await startSiegeServer(scope);
  const isHeld = holdToShare(scope, server.pid, SHARE_OF_CORE);
  const how = isHeld ? `the server has ${SHARE_OF_CORE} of a core` : 'the server has a core (no control groups here)';
  return { server, how };
}

function recoveryRows(what: string, { before, after, recoveryMs, growthMib }: OverloadResult): OrdealRow[] {
  const limitMs = normalMs(before);
  return [
    {
      what: `${what}: time until honest queries are answered as before (growth of memory ${growthMib.toFixed(1)} MiB)`,
      measured: `${recoveryMs.toFixed(0)} ms`,
      promised: `< ${PROMISED.normalWithinMs} ms`,
      isKept: recoveryMs < PROMISED.normalWithinMs,
    },
    {
      what: `honest queries lost of ${after.asked}, from a second later on; p99 of these (before: ${before.p99Ms.toFixed(1)} ms)`,
      measured: `${after.lost}; ${after.p99Ms.toFixed(1)} ms`,
      promised: `0; <= ${limitMs.toFixed(0)} ms`,
      isKept: after.lost === 0 && after.p99Ms <= limitMs,
    },
  ];
}

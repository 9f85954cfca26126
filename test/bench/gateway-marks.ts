// gateway-marks.ts -- what Rollcall's gateway is held to beside others, and whether a run met it

import { MAIN_CASE } from './gateway-case.ts';
import type { GatewaySummary } from './gateway-sample.ts';

/** A ratio, or the number of errors, and what it may be. */
export interface GatewayMark {
  readonly what: string;
  readonly value: number;
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly isMet: boolean;
}

const LEAST_TIMES_RIVAL = 1.5;
const MOST_CPU_TIMES_REFERENCE = 5;
const MOST_P99_TIMES_REFERENCE = 2;

/** Every mark whose gateways were all measured. All but the errors are about the main case. */
export function findGatewayMarks(summaries: readonly GatewaySummary[]): GatewayMark[] {
  const main = summaries.filter(({ case: caseName }) => caseName === MAIN_CASE.name);
  const own = main.find(({ role }) => role === 'own');
  const reference = main.find(({ role }) => role === 'reference');
  const marks: GatewayMark[] = [];
  if (own !== undefined) {
    for (const rival of main.filter(({ role }) => role === 'rival')) {
      const value = own.perSecond.median / rival.perSecond.median;
      const what = `requests/s, Rollcall / ${rival.title}`;
      marks.push({ what, value, atLeast: LEAST_TIMES_RIVAL, isMet: value >= LEAST_TIMES_RIVAL });
    }
  }
  if (own !== undefined && reference !== undefined) {
    const [cpu, p99] = [own.cpuUs.median / reference.cpuUs.median, own.p99Us.median / reference.p99Us.median];
    marks.push(
      atMost(`CPU per request, Rollcall / ${reference.title}`, cpu, MOST_CPU_TIMES_REFERENCE),
      atMost(`p99 at half of Rollcall's peak, Rollcall / ${reference.title}`, p99, MOST_P99_TIMES_REFERENCE),
    );
  }
  const errors = summaries.reduce((sum, each) => sum + each.errors, 0);
  if (summaries.length > 0) marks.push(atMost('errors of all gateways in all cases', errors, 0));
  return marks;
}

function atMost(what: string, value: number, most: number): GatewayMark {
  return { what, value, atMost: most, isMet: value <= most };
}

// reply-limits.ts -- floods without cookies against response rate limiting: what goes out, and what others lose

import type { ProbeReport } from '../support/honest-probe.ts';
import {
  anyRatio,
  FLOODS,
  floodLimited,
  LIMIT,
  type LimitedFlood,
  startLimitingServer,
} from '../support/reply-limits.ts';
import type { OrdealRow, Scope } from './ordeal-result.ts';

const PER_SECOND = 10_000;
const SECONDS = 10;
const PROMISED = { octets: 10, any: 4, largest: 1232, largestWithoutEdns: 512 };

export async function replyLimits(scope: Scope): Promise<OrdealRow[]> {
  const server = await startLimitingServer(scope);
  const ratio = await anyRatio(server);
  const floods: LimitedFlood[] = [];
  for (const [i, name] of Object.keys(FLOODS).entries())
    floods.push(await floodLimited(scope, server, { name, network: i + 1, perSecond: PER_SECOND, seconds: SECONDS }));
  const most = (of: (flood: LimitedFlood) => number): number => Math.max(...floods.map(of));
  const largest = most(({ flood }) => flood.largest);
  const withoutEdns = most(({ flood }) => flood.largestWithoutEdns);
  return [
    ...floods.flatMap(rowsOf),
    lossRow(
      'clients in other networks',
      floods.map(({ neighbours }) => neighbours),
    ),
    lossRow(
      'a client with a cookie in the same network',
      floods.map(({ withCookie }) => withCookie),
    ),
    {
      what: 'octets of the longest reply to ANY for each octet of the question',
      measured: ratio.toFixed(1),
      promised: `<= ${PROMISED.any}`,
      isKept: ratio <= PROMISED.any,
    },
    {
      what: 'octets of the longest reply; to a question without EDNS',
      measured: `${largest}; ${withoutEdns}`,
      promised: `<= ${PROMISED.largest}; <= ${PROMISED.largestWithoutEdns}`,
      isKept: largest <= PROMISED.largest && withoutEdns <= PROMISED.largestWithoutEdns && withoutEdns > 0,
    },
  ];
}

function rowsOf({ name, isOneReply, flood }: LimitedFlood): OrdealRow[] {
  const ratio = flood.octetsReceived / flood.octetsSent;
  const rows = [
    {
      what: `flood of ${name}, ${PER_SECOND}/s from one /24: octets out for each octet in`,
      measured: ratio.toFixed(2),
      promised: `<= ${PROMISED.octets}`,
      isKept: ratio <= PROMISED.octets && flood.replies > 0,
    },
  ];
  if (!isOneReply) return rows;
  const perSecond = flood.whole / flood.seconds;
  const cut = flood.replies - flood.whole;
  const held = flood.sent - flood.whole;
  return [
    ...rows,
    {
      what: `flood of ${name}: whole replies a second; of the others, share that is cut instead of dropped`,
      measured: `${perSecond.toFixed(0)}; ${((cut / held) * 100).toFixed(1)} %`,
      // A flood of so many seconds begins within one and ends within another.
      promised: `<= ${(LIMIT * (1 + 1 / SECONDS)).toFixed(0)}; <= 50 %`,
      isKept: flood.whole <= LIMIT * (SECONDS + 1) && cut <= held / 2 + 1,
    },
  ];
}

function lossRow(who: string, probes: readonly ProbeReport[]): OrdealRow {
  const sum = (of: (probe: ProbeReport) => number): number => probes.reduce((total, each) => total + of(each), 0);
  const missed = sum(({ lost }) => lost) + sum(({ refused }) => refused);
  return {
    what: `${who}: queries of ${sum(({ asked }) => asked)} lost, cut or refused`,
    measured: String(missed),
    promised: '0',
    isKept: missed === 0,
  };
}

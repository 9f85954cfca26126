// gateway-sample.ts -- what one round measured of one gateway, and the medians over the rounds

import type { GatewayCase } from './gateway-case.ts';
import type { GatewayContestant } from './gateway-contestant.ts';
import { type Spread, spreadOf } from './sample.ts';

/** At full speed: as many requests as the gateway carries. */
export interface FullSpeed {
  readonly perSecond: number;
  /** CPU of the gateway per request, in microseconds. */
  readonly userUs: number;
  readonly systemUs: number;
  /** How much of its core the gateway used, 0 to 1: below about 0.95 the other core was the slower of the two. */
  readonly busyShare: number;
  readonly errors: number;
}

/** At a fixed rate, in open loop. */
export interface AtRate {
  readonly ratePerSecond: number;
  /** Below the rate: it could not be carried. */
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly errors: number;
  /** Of the requests, 0 to 1, that the load itself sent late. */
  readonly lateShare: number;
}

/** The rounds of one gateway in one case. */
export interface GatewaySamples {
  readonly full: FullSpeed[];
  readonly paced: AtRate[];
}

export interface GatewaySummary {
  readonly name: string;
  readonly title: string;
  readonly version: string;
  readonly role: GatewayContestant['role'];
  /** Name of the case. */
  readonly case: string;
  readonly perSecond: Spread;
  readonly cpuUs: Spread;
  readonly userUs: Spread;
  readonly systemUs: Spread;
  readonly busyShare: Spread;
  readonly ratePerSecond: number;
  readonly pacedPerSecond: Spread;
  readonly p50Us: Spread;
  readonly p99Us: Spread;
  readonly lateShare: Spread;
  /** In all rounds together. */
  readonly errors: number;
  readonly samples: GatewaySamples;
}

/** Medians over the rounds of one gateway. */
export function summarizeGateway(
  { name, title, role }: Pick<GatewayContestant, 'name' | 'title' | 'role'>,
  version: string,
  { name: caseName }: Pick<GatewayCase, 'name'>,
  samples: GatewaySamples,
): GatewaySummary {
  const full = (value: (sample: FullSpeed) => number): Spread => spreadOf(samples.full.map(value));
  const paced = (value: (sample: AtRate) => number): Spread => spreadOf(samples.paced.map(value));
  return {
    ...{ name, title, role, version, case: caseName },
    perSecond: full((sample) => sample.perSecond),
    cpuUs: full((sample) => sample.userUs + sample.systemUs),
    userUs: full((sample) => sample.userUs),
    systemUs: full((sample) => sample.systemUs),
    busyShare: full((sample) => sample.busyShare),
    ratePerSecond: samples.paced[0]?.ratePerSecond ?? Number.NaN,
    pacedPerSecond: paced((sample) => sample.perSecond),
    p50Us: paced((sample) => sample.p50Us),
    p99Us: paced((sample) => sample.p99Us),
    lateShare: paced((sample) => sample.lateShare),
    errors: [...samples.full, ...samples.paced].reduce((sum, { errors }) => sum + errors, 0),
    samples,
  };
}

// sample.ts -- what one round measured of one server, and the medians over the rounds

/** At full speed: as many queries as the server answers. */
export interface Full {
  readonly answersPerSecond: number;
  /** CPU of the server per answer, in microseconds. */
  readonly userUs: number;
  readonly systemUs: number;
  /** How much of its core the server used, 0 to 1: below about 0.95 dnsperf was the slower of the two. */
  readonly busyShare: number;
  readonly replyBytes: number;
  readonly lost: number;
}

/** At a fixed rate. */
export interface Paced {
  readonly answersPerSecond: number;
  readonly cpuUs: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly lost: number;
}

export interface Sample {
  readonly full: Full;
  readonly paced: Paced;
}

/** A median and how far the rounds lie apart. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The rounds of one server in one case. */
export interface Summary {
  readonly name: string;
  readonly title: string;
  readonly case: string;
  readonly version: string;
  readonly isFloor: boolean;
  /** How its answers differ from the others'. */
  readonly note: string | undefined;
  readonly cpuUs: Spread;
  readonly userUs: Spread;
  readonly systemUs: Spread;
  readonly answersPerSecond: Spread;
  readonly busyShare: Spread;
  readonly replyBytes: Spread;
  readonly pacedPerSecond: Spread;
  readonly pacedCpuUs: Spread;
  readonly p50Us: Spread;
  readonly p99Us: Spread;
  /** In all rounds together. */
  readonly lost: number;
  readonly samples: readonly Sample[];
}

/** Medians over the rounds of one server. */
export function summarize(
  of: Pick<Summary, 'name' | 'title' | 'case' | 'version' | 'isFloor' | 'note'>,
  samples: readonly Sample[],
): Summary {
  const over = (value: (sample: Sample) => number): Spread => spreadOf(samples.map(value));
  return {
    ...of,
    cpuUs: over(({ full }) => full.userUs + full.systemUs),
    userUs: over(({ full }) => full.userUs),
    systemUs: over(({ full }) => full.systemUs),
    answersPerSecond: over(({ full }) => full.answersPerSecond),
    busyShare: over(({ full }) => full.busyShare),
    replyBytes: over(({ full }) => full.replyBytes),
    pacedPerSecond: over(({ paced }) => paced.answersPerSecond),
    pacedCpuUs: over(({ paced }) => paced.cpuUs),
    p50Us: over(({ paced }) => paced.p50Us),
    p99Us: over(({ paced }) => paced.p99Us),
    lost: samples.reduce((sum, { full, paced }) => sum + full.lost + paced.lost, 0),
    samples,
  };
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
  return { median, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

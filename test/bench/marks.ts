// marks.ts -- the ratios that Rollcall is held to, and whether a run met them

import { BASE_CASE, CASES } from './bench-case.ts';
import type { Summary } from './sample.ts';

/** A ratio of CPU per answer. */
export interface Mark {
  readonly what: string;
  readonly ratio: number;
  readonly most: number;
  readonly isMet: boolean;
}

/** Every mark whose servers were all measured. */
export function findMarks(summaries: readonly Summary[]): Mark[] {
  const cpuOf = (name: string, caseName = BASE_CASE.name): number | undefined =>
    summaries.find((each) => each.name === name && each.case === caseName)?.cpuUs.median;
  const rollcall = cpuOf('rollcall');
  const rivals = [cpuOf('nsd'), cpuOf('knot')].filter((cpu) => cpu !== undefined);
  const cheapest = rivals.length === 2 ? Math.min(...rivals) : undefined;
  return [
    mark('Rollcall / the cheaper of NSD and Knot DNS', rollcall, cheapest, 1),
    mark('Rollcall / gdnsd', rollcall, cpuOf('gdnsd'), 1.05),
    mark('Rollcall on node:dgram / bare node:dgram echo', cpuOf('rollcall-dgram'), cpuOf('dgram-echo'), 1.2),
    ...CASES.map(({ name, title, maxRatio = 1, comparedWith = BASE_CASE.name }) => {
      const other = CASES.find((each) => each.name === comparedWith)?.title;
      const [cpuUs, otherUs] = [cpuOf('rollcall', name), cpuOf('rollcall', comparedWith)];
      return name === BASE_CASE.name ? [] : mark(`${title} / ${other}`, cpuUs, otherUs, maxRatio);
    }),
  ].flat();
}

function mark(what: string, cpuUs: number | undefined, otherUs: number | undefined, most: number): Mark[] {
  if (cpuUs === undefined || otherUs === undefined) return [];
  const ratio = cpuUs / otherUs;
  return [{ what, ratio, most, isMet: ratio <= most }];
}

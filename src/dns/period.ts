// period.ts -- times as master files write them: `300`, `5m`, `1h30m`

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };

/** Seconds of a plain number or of numbers with the units s, m, h, d, w in any case; undefined when it is neither, or
 * above `maxSeconds`. */
export function parsePeriod(text: string, maxSeconds: number): number | undefined {
  if (!/^(?:\d{1,10}|(?:\d{1,10}[smhdw]){1,8})$/i.test(text)) return undefined;
  let seconds = 0;
  for (const [, digits, unit] of text.matchAll(/(\d+)([smhdw]?)/gi)) {
    seconds += Number(digits) * UNIT_SECONDS[unit === '' ? 's' : unit!.toLowerCase()]!;
  }
  return seconds <= maxSeconds ? seconds : undefined;
}

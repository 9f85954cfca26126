// duration.ts -- times as people write them: "5s", "500ms", "1m30s"
//
// A bare number is refused everywhere: 5 what?

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** Below this, whole seconds stay seconds, as people write them: "60s", "90s". */
const MINUTES_FROM_MS = 120_000;
const WHOLE = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/;

/** Milliseconds of "5s", "1.5h" or "1m30s"; undefined when malformed or without a unit. */
export function parseDuration(text: string): number | undefined {
  if (text.length > 32 || !WHOLE.test(text)) return undefined;
  let total = 0;
  for (const [, digits, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g))
    total += Number(digits) * UNIT_MS[unit!]!;
  return Number.isSafeInteger(Math.round(total)) ? Math.round(total) : undefined;
}

/** Text that reads back as the same time, to the millisecond: 5000 -> "5s", 90000 -> "90s", 150000 -> "2m30s". */
export function formatDuration(milliseconds: number): string {
  let rest = Math.round(milliseconds);
  if (rest < MINUTES_FROM_MS && rest % 1000 === 0) return `${Math.max(0, rest / 1000)}s`;
  let text = '';
  for (const unit of ['h', 'm', 's', 'ms']) {
    const count = Math.floor(rest / UNIT_MS[unit]!);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * UNIT_MS[unit]!;
  }
  return text;
}

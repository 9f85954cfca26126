// until.ts -- waiting for something that no event tells

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

const PATIENCE_MS = 20_000;

/** Look again and again until it holds; fails with the text after `timeoutMs`. */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  timeoutMs = PATIENCE_MS,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await isSo())) {
    assert.ok(performance.now() < deadlineMs, `not in time: ${what}`);
    await sleep(10);
  }
}

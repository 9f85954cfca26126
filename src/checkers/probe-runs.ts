// probe-runs.ts -- what all checkers share: a deadline that holds, and failures turned into results

import { formatDuration } from '../base/duration.ts';
import { errorMessage } from '../base/errors.ts';
import type { Outcome, ProbeResult } from '../health/check-spec.ts';
import { boundOutput } from '../health/probe-output.ts';

/** What a probe found, before it is timed and bounded. */
export interface Finding {
  readonly outcome: Outcome;
  readonly output: string;
}

/** A probe that may not be made; its message begins with `refused: `. */
export class ProbeRefusal extends Error {
  override readonly name = 'ProbeRefusal';

  constructor(reason: string) {
    super(`refused: ${reason}`);
  }
}

/** The probes of one checker that are under way, so that closing the checker ends them. */
export class ProbeRuns {
  readonly #underWay = new Set<AbortController>();
  #closed = false;

  /**
   * Do `work` within `timeoutMs`. When the time is up its signal aborts and the result is critical at once, whatever
   * the work does then; so is the result when the work fails. `label` says what was tried and begins the output.
   */
  async run(label: string, timeoutMs: number, work: (signal: AbortSignal) => Promise<Finding>): Promise<ProbeResult> {
    const startedMs = performance.now();
    const finding = await this.#bounded(label, timeoutMs, work);
    return {
      outcome: finding.outcome,
      output: boundOutput(finding.output),
      latencyMs: Math.round((performance.now() - startedMs) * 1000) / 1000,
    };
  }

  /** Abort what is under way; what comes later is critical without being tried. */
  close(): void {
    this.#closed = true;
    for (const controller of this.#underWay) controller.abort(new Error('the checker was closed'));
  }

  async #bounded(label: string, timeoutMs: number, work: (signal: AbortSignal) => Promise<Finding>): Promise<Finding> {
    if (this.#closed) return { outcome: 'critical', output: `${label}: the checker was closed` };
    const controller = new AbortController();
    const timer = setTimeout(
      () => controller.abort(new Error(`timed out after ${formatDuration(timeoutMs)}`)),
      timeoutMs,
    );
    this.#underWay.add(controller);
    try {
      return await Promise.race([work(controller.signal), rejectOnAbort(controller.signal)]);
    } catch (thrown) {
      if (thrown instanceof ProbeRefusal) return { outcome: 'critical', output: thrown.message };
      const reason = controller.signal.aborted ? controller.signal.reason : thrown;
      return { outcome: 'critical', output: `${label}: ${failureText(reason)}` };
    } finally {
      clearTimeout(timer);
      this.#underWay.delete(controller);
    }
  }
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** The most telling message of an error: connecting to a name with several addresses hides them in an AggregateError. */
function failureText(thrown: unknown): string {
  if (thrown instanceof AggregateError && thrown.errors.length > 0) {
    return [...new Set(thrown.errors.map(errorMessage))].join('; ');
  }
  const message = errorMessage(thrown);
  if (message !== '') return message;
  return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'failed without a reason';
}

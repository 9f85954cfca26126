// probe-runs.ts -- what all checkers share: a deadline that holds, and failures turned into results

import { formatDuration } from '../base/duration.ts';
import { errorMessage } from '../base/errors.ts';
import type { Outcome, ProbeResult } from '../health/check-spec.ts';
import { boundOutput } from '../health/probe-output.ts';
import { ProbeSignal } from './probe-signal.ts';

/** What a probe found, before it is timed and bounded. */
export interface Finding {
  readonly outcome: Outcome;
  readonly output: string;
  readonly load?: number;
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
  readonly #underWay = new Set<ProbeSignal>();
  #closed = false;

  /**
   * Do `work` within `timeoutMs`. When the time is up its signal aborts and the result is critical at once, whatever
   * the work does then; so is the result when the work fails. `label` says what was tried and begins the output.
   */
  async run(label: string, timeoutMs: number, work: (signal: ProbeSignal) => Promise<Finding>): Promise<ProbeResult> {
    const startedMs = performance.now();
    const finding = await this.#bounded(label, timeoutMs, work);
    return {
      outcome: finding.outcome,
      output: boundOutput(finding.output),
      latencyMs: Math.round((performance.now() - startedMs) * 1000) / 1000,
      ...(finding.load === undefined ? {} : { load: finding.load }),
    };
  }

  /** Abort what is under way; what comes later is critical without being tried. */
  close(): void {
    this.#closed = true;
    for (const signal of [...this.#underWay]) signal.abort(new Error('the checker was closed'));
  }

  async #bounded(label: string, timeoutMs: number, work: (signal: ProbeSignal) => Promise<Finding>): Promise<Finding> {
    if (this.#closed) return { outcome: 'critical', output: `${label}: the checker was closed` };
    const signal = new ProbeSignal();
    const timer = setTimeout(() => signal.abort(new Error(`timed out after ${formatDuration(timeoutMs)}`)), timeoutMs);
    this.#underWay.add(signal);
    try {
      return await untilAborted(work(signal), signal);
    } catch (thrown) {
      if (thrown instanceof ProbeRefusal) return { outcome: 'critical', output: thrown.message };
      const reason = signal.reason ?? thrown;
      return { outcome: 'critical', output: `${label}: ${failureText(reason)}` };
    } finally {
      clearTimeout(timer);
      this.#underWay.delete(signal);
    }
  }
}

/** What `work` comes to, unless the signal is first; then what becomes of it is of no interest. */
function untilAborted<T>(work: Promise<T>, signal: ProbeSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.onAbort(() => reject(signal.reason));
    work.then(resolve, reject);
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

// rollout-text.ts -- a progressive canary in words: where it is, and what comes next

/** A rollout as the API shows it. */
export interface RolloutReply {
  readonly state: string;
  /** From 1; 0: the first has not begun. */
  readonly step: number;
  readonly percent: number;
  readonly steps: number;
  /** Null: not stored yet. */
  readonly since: string | null;
  readonly stood: string;
  /** Null: it is over, or about to go on. */
  readonly waiting: string | null;
  readonly reason: string;
}

/** A step of a policy as the API shows it. */
export interface StepReply {
  readonly route: number;
  readonly percent: number;
  readonly for?: string;
  readonly at?: string;
  readonly timezone?: string;
}

/** Where it is, in one line. */
export function rolloutText({ state, step, steps, percent }: RolloutReply): string {
  const place = step === 0 ? `before step 1 of ${steps}` : `step ${step} of ${steps}`;
  return `${state}, ${place}, ${percent} %`;
}

/** What happens next; `steps` are those of the policy. */
export function nextText({ state, step, waiting }: RolloutReply, steps: readonly StepReply[]): string {
  if (state === 'done') return 'nothing: all steps are done';
  if (state === 'rolled-back') return 'nothing: it stays taken back until a restart';
  if (state === 'paused') return 'nothing: it stands still until it is resumed';
  const next = steps[step];
  const move = next === undefined ? 'it is done' : `step ${step + 1}: ${next.percent} %`;
  return `${waiting ?? 'at once'}, then ${move}`;
}

// rollout.ts -- a progressive canary as plain data: the steps a policy states, and how far they have come

/** One step: what the route gets from here on, and when the step begins and may end. */
export interface RolloutStep {
  /** Index of the route in the policy's `routes`. */
  readonly route: number;
  /** 0..100. */
  readonly percent: number;
  /** How long it stays in force at least; undefined: until the time of the next one. */
  readonly forMs?: number;
  /** A cron expression: the step begins at such a time. */
  readonly at?: string;
  /** Of `at`; undefined: the time zone of the process. */
  readonly timezone?: string;
}

/** When a rollout is taken back. */
export interface RolloutGuard {
  /** Share of failing instances behind the route at which it is; 0..1. */
  readonly failing?: number;
  /** Share of failed requests to them, by the gateway, at which it is; 0..1. Undefined: requests do not count. */
  readonly errors?: number;
  /** Fewer requests than these say nothing; undefined: 100. */
  readonly minRequests?: number;
}

/** `paused` stands still but is still guarded; of the last two only a person makes something else. */
export type RolloutState = 'running' | 'paused' | 'rolled-back' | 'done';

/** How far a policy's steps have come. Stored as it is, in `rollout/<service>`. */
export interface Rollout {
  /** Digest of what it goes through (routing/rollout.ts): a policy with other steps begins anew. */
  readonly plan: string;
  readonly state: RolloutState;
  /** Index of the step in force, or of the one it was rolled back from; -1: the first has not begun. */
  readonly step: number;
  /** What the step's route gets now, 0..100. */
  readonly percent: number;
  /** When state or step last changed, in `Clock.wallMs` time. */
  readonly sinceMs: number;
  /**
   * How long the step has been in force, without what the server was down, the rollout paused, or no canary instance
   * answerable.
   */
  readonly stoodMs: number;
  /** Why it is where it is, for people. */
  readonly reason: string;
}

/** Do both stand at the same place? Only that time has passed is no change. */
export function isSamePlace(a: Rollout | undefined, b: Rollout | undefined): boolean {
  return a?.plan === b?.plan && a?.state === b?.state && a?.step === b?.step && a?.sinceMs === b?.sinceMs;
}

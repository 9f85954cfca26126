// demo-gateway-play.ts -- what happens in the demo of the gateway: a canary, two rolling deploys, and a process that dies

import { setTimeout as sleep } from 'node:timers/promises';
import { CodedError } from '../base/errors.ts';
import type { Cart, Fleet } from './demo-gateway-fleet.ts';
import type { ApiClient } from './http-client.ts';
import type { RolloutReply } from './rollout-text.ts';

/** What every stage of the play goes by. */
export interface Play {
  readonly api: ApiClient;
  readonly fleet: Fleet;
  /** About how long it all takes; pauses are made longer or shorter, what has to be waited for is not. */
  readonly seconds: number;
  readonly signal: AbortSignal;
  /** A new stage begins. */
  readonly onStage: (text: string) => void;
  /** One of `PLAY_STEPS` is done. */
  readonly onStep: () => void;
}

const INSTANCES = 3;
const CANARY_PERCENTS = [1, 5, 25];
const CANARY_SECONDS = [9, 6, 6];
/** Instances of v1; the canary and its steps; the rest of v2 for v1; one killed and replaced; v3 for v2. */
export const PLAY_STEPS = INSTANCES + (1 + CANARY_PERCENTS.length) + (2 * INSTANCES - 1) + 2 + 2 * INSTANCES;

const POLICY = '/v1/services/cart-service/policy';
/** Answers are good for a second only, so that drains are short. */
const PLAIN_POLICY = { strategy: 'least-connections', ttl: '1s' };
const POLL_MS = 200;
const MIN_STEP_MS = 1000;

/** Start the first version. From then on there is something to send requests to. */
export async function raiseCurtain({ api, fleet, onStage, onStep }: Play): Promise<Cart[]> {
  onStage('starting v1');
  const carts = await Promise.all(
    Array.from({ length: INSTANCES }, async () => {
      const cart = await fleet.start('v1');
      onStep();
      return cart;
    }),
  );
  await api.call(POLICY, { method: 'PUT', body: PLAIN_POLICY });
  return carts;
}

/** Everything else, with the instances that `raiseCurtain` started. Rejects when the signal comes. */
export async function perform(play: Play, first: readonly Cart[]): Promise<void> {
  const { api, fleet, onStage, onStep } = play;
  onStage('v1 has all requests');
  await pause(play, 3);

  const canary = await runCanary(play);
  onStage('rolling deploy, v1 to v2');
  await api.call(POLICY, { method: 'PUT', body: PLAIN_POLICY });
  const second = await replaceAll(play, first, 'v2', [canary]);

  onStage('kill -9 of an instance');
  const victim = second.pop()!;
  fleet.kill(victim);
  onStep();
  // As a supervisor would, a little later.
  await pause(play, 6);
  second.push(await fleet.start('v2'));
  onStep();
  await pause(play, 2);

  onStage('rolling deploy, v2 to v3');
  await replaceAll(play, second, 'v3', []);
  onStage('v3 has all requests');
  await pause(play, 3);
}

/** One instance of v2 with 1 % of the requests, then more, as the policy says; the server itself goes on. */
async function runCanary(play: Play): Promise<Cart> {
  const { api, fleet, signal, onStage, onStep } = play;
  onStage('canary: v2 gets 1 %');
  const steps = CANARY_PERCENTS.map((percent, at) => ({ percent, for: `${stepMs(play, CANARY_SECONDS[at]!)}ms` }));
  const routes = [{ match: { tags: ['v2'] } }];
  // Before there is anybody behind the route: the time of the first step begins with the first instance.
  await api.call(POLICY, {
    method: 'PUT',
    body: { ...PLAIN_POLICY, routes, steps, guard: { failing: 0.5, errors: 0.2 } },
  });
  const canary = await fleet.start('v2');
  onStep();
  let done = 0;
  for (;;) {
    const { state, step, percent } = (await api.call('/v1/services/cart-service/rollout')).body as RolloutReply;
    if (state === 'rolled-back') throw new CodedError('rolled_back', 'the canary was taken back');
    const passed = state === 'done' ? steps.length : step - 1;
    for (; done < passed; done++) onStep();
    if (state === 'done') return canary;
    onStage(`canary: v2 gets ${percent} %`);
    await sleep(POLL_MS, undefined, { signal });
  }
}

/**
 * Replace instances one by one: start a new one, wait until it is healthy, let an old one take leave. `next`: new ones
 * that run already. Resolves with the new ones when the last old one is gone.
 */
async function replaceAll(play: Play, old: readonly Cart[], version: string, next: readonly Cart[]): Promise<Cart[]> {
  const { fleet, onStep } = play;
  const carts = [...next];
  const leaving: Promise<void>[] = [];
  for (const [at, cart] of old.entries()) {
    if (carts.length <= at) {
      carts.push(await fleet.start(version));
      onStep();
    }
    leaving.push(fleet.leave(cart).then(onStep));
    await pause(play, 2);
  }
  await Promise.all(leaving);
  return carts;
}

/** `seconds` of the usual 60. */
async function pause({ seconds: all, signal }: Play, seconds: number): Promise<void> {
  await sleep((seconds * 1000 * all) / 60, undefined, { signal });
}

function stepMs({ seconds: all }: Play, seconds: number): number {
  return Math.max(MIN_STEP_MS, Math.round((seconds * 1000 * all) / 60));
}

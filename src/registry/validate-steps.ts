// validate-steps.ts -- slow start and progressive canaries of policies from untrusted input

import { cronProblem, timezoneProblem } from '../health/cron.ts';
import { InputObject } from './input.ts';
import type { Policy } from './policy.ts';
import type { RolloutGuard, RolloutStep } from './rollout.ts';
import { readPercent } from './validate-routes.ts';

const DAY_MS = 86_400_000;
/** The most steps that a policy may have. */
export const MAX_STEPS = 32;
const MAX_STEP_MS = 366 * DAY_MS;
const MAX_MIN_REQUESTS = 1_000_000;

/** What of a policy changes with time: `slowStart`, `steps` and `guard`. What is wrong goes to the input's findings. */
export function readTimed(input: InputObject): Pick<Policy, 'slowStartMs' | 'steps' | 'guard'> {
  // Shown with a policy, so it comes back with one that was read and changed.
  input.has('rollout');
  const slowStartMs = input.duration('slowStart', 0, DAY_MS);
  const steps = readSteps(input);
  const guard = readGuard(input.object('guard'));
  if (guard !== undefined && isNone(input.raw('steps'))) input.fail('guard', 'is for steps, and there are none');
  return {
    ...(slowStartMs === undefined ? {} : { slowStartMs }),
    ...(steps === undefined ? {} : { steps }),
    ...(guard === undefined ? {} : { guard }),
  };
}

function readSteps(input: InputObject): RolloutStep[] | undefined {
  const list = input.list('steps', MAX_STEPS);
  if (list === undefined || list.length === 0) return undefined;
  const routes = input.raw('routes');
  const routeCount = Array.isArray(routes) ? routes.length : 0;
  const steps = list.map((value, index) => {
    const each = InputObject.of(value, `${input.at('steps')}[${index}]`, input.findings);
    const next = list[index + 1];
    const endsByNext = (next as { readonly at?: unknown } | null | undefined)?.at != null;
    return each === undefined ? undefined : readStep(each, routeCount, index === list.length - 1 || endsByNext);
  });
  return steps.every((step) => step !== undefined) ? steps : undefined;
}

function readStep(input: InputObject, routeCount: number, mayLast: boolean): RolloutStep | undefined {
  const route = input.integer('route', 0, Number.MAX_SAFE_INTEGER) ?? 0;
  if (route >= routeCount) input.fail('route', `there is no route ${route} in 'routes'`);
  const percent = readPercent(input);
  if (!input.has('percent')) input.fail('percent', 'is missing');
  const forMs = input.duration('for', 0, MAX_STEP_MS);
  const at = input.word('at', cronProblem);
  const timezone = input.word('timezone', timezoneProblem);
  if (input.has('timezone') && !input.has('at')) input.fail('timezone', "is of 'at', which is missing");
  if (!mayLast && !input.has('for'))
    input.fail('for', "is missing: say how long the step lasts, or the next one's 'at'");
  input.finish();
  if (percent === undefined) return undefined;
  return {
    route,
    percent,
    ...(forMs === undefined ? {} : { forMs }),
    ...(at === undefined ? {} : { at }),
    ...(timezone === undefined ? {} : { timezone }),
  };
}

function isNone(steps: unknown): boolean {
  return steps === undefined || (Array.isArray(steps) && steps.length === 0);
}

function readGuard(input: InputObject | undefined): RolloutGuard | undefined {
  if (input === undefined) return undefined;
  const failing = input.number('failing', 0, 1);
  const errors = input.number('errors', 0, 1);
  const minRequests = input.integer('minRequests', 1, MAX_MIN_REQUESTS);
  if (input.has('minRequests') && !input.has('errors')) input.fail('minRequests', "is of 'errors', which is missing");
  input.finish();
  return {
    ...(failing === undefined ? {} : { failing }),
    ...(errors === undefined ? {} : { errors }),
    ...(minRequests === undefined ? {} : { minRequests }),
  };
}

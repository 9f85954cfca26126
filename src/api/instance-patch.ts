// instance-patch.ts -- a JSON merge patch (RFC 7396) of the parts of a registration that may change on their own

import { Findings, InputObject } from '../registry/input.ts';
import type { Instance } from '../registry/instance.ts';
import { type InstanceRules, readInstance } from '../registry/validate-instance.ts';
import { presentRegistration } from './present-instance.ts';

const PATCHABLE = ['tags', 'weight', 'meta', 'ttl', 'ports', 'warmup', 'zone'];

/** Check that a patch touches only what may be patched. Throws CodedError `invalid`. */
export function readPatch(body: unknown): Readonly<Record<string, unknown>> {
  const findings = new Findings();
  const input = InputObject.of(body, '', findings);
  for (const key of input?.keys() ?? []) {
    if (!PATCHABLE.includes(key)) input!.fail(key.slice(0, 64), `cannot be patched; only ${PATCHABLE.join(', ')} can`);
  }
  findings.throwAny('patch');
  return body as Readonly<Record<string, unknown>>;
}

/** The instance with the patch applied, valid as a registration is. Throws CodedError `invalid`. */
export function patchInstance(
  instance: Instance,
  patch: Readonly<Record<string, unknown>>,
  rules: InstanceRules,
): Instance {
  const merged = mergePatch(presentRegistration(instance), patch);
  const { id, service } = instance;
  // The checks were accepted under the rules of their time and are not touched.
  return { ...readInstance(merged, { id, service }, rules), checks: instance.checks };
}

/** RFC 7396 section 2. The depth of a body is bounded, so recursion is. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  // Without a prototype, so that `__proto__` is a key like others, for the reader to refuse.
  const result: Record<string, unknown> = Object.assign(Object.create(null), isObject(target) ? target : {});
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// validate-batch.ts -- batches of registrations and deregistrations from untrusted input

import { Findings, InputObject } from './input.ts';
import type { Instance } from './instance.ts';
import { idProblem } from './label.ts';
import { type InstanceRules, readInstanceInto } from './validate-instance.ts';

/** One step of a batch, valid by itself. */
export type BatchOperation =
  | { readonly op: 'register'; readonly id: string; readonly instance: Instance }
  | { readonly op: 'deregister'; readonly id: string };

/** The most operations of one batch. */
export const MAX_OPERATIONS = 1000;

/**
 * Read `{ operations: [{ op: "register", service, id, address, ... } | { op: "deregister", id }] }`. No id may stand
 * twice. Throws CodedError `invalid` with every problem of every operation, or `not_supported`.
 */
export function readBatch(value: unknown, rules: InstanceRules): readonly BatchOperation[] {
  const findings = new Findings();
  const input = InputObject.of(value, '', findings);
  if (input !== undefined && !input.has('operations')) input.fail('operations', 'is missing');
  const operations: BatchOperation[] = [];
  const places = new Map<string, number>();
  for (const [index, each] of (input?.list('operations', MAX_OPERATIONS) ?? []).entries()) {
    const operation = readOperation(findings, each, `operations[${index}]`, rules);
    if (operation === undefined) continue;
    const place = places.get(operation.id);
    if (place !== undefined) input!.fail(`operations[${index}].id`, `stands in operations[${place}] already`);
    places.set(operation.id, index);
    operations.push(operation);
  }
  input?.finish();
  findings.throwAny('batch');
  return operations;
}

function readOperation(
  findings: Findings,
  value: unknown,
  path: string,
  rules: InstanceRules,
): BatchOperation | undefined {
  const input = InputObject.of(value, path, findings);
  if (input === undefined) return undefined;
  const op = input.oneOf('op', ['register', 'deregister'] as const);
  if (!input.has('op')) return input.fail('op', 'is missing');
  if (op === 'register') {
    const { op: _, ...registration } = value as Record<string, unknown>;
    const instance = readInstanceInto(findings, registration, path, {}, rules);
    return instance === undefined ? undefined : { op, id: instance.id, instance };
  }
  if (op === undefined) return undefined;
  const id = input.word('id', idProblem);
  if (!input.has('id')) input.fail('id', 'is missing');
  input.finish();
  return id === undefined ? undefined : { op, id };
}

// batch.ts -- many registrations and deregistrations as one durable commit: all of them or none

import { isDeepStrictEqual } from 'node:util';
import { CodedError, type ErrorDetail } from '../base/errors.ts';
import type { Author } from './author.ts';
import type { InstanceState } from './instance.ts';
import { readOnly, unchanged, unknownInstance } from './refusals.ts';
import type { Registrations } from './registrations.ts';
import type { Roster } from './roster.ts';
import type { Mutation } from './store.ts';
import type { BatchOperation } from './validate-batch.ts';
import type { Writes } from './writes.ts';

/** What one operation came to. */
export interface BatchResult {
  readonly op: BatchOperation['op'];
  readonly id: string;
  readonly service: string;
  readonly result: 'created' | 'replaced' | 'unchanged' | 'removed';
  /** Revision of the registration; of the commit that removed it. */
  readonly revision: number;
}

interface Parts {
  readonly roster: Roster;
  readonly writes: Writes;
  readonly registrations: Registrations;
}

/**
 * Commit the operations, whose ids all differ, in the turns of all those ids. Throws CodedError `unknown_instance`,
 * `read_only` or `id_taken`, the first that is met, with a detail for every operation that is refused;
 * `store_unavailable`. Nothing is changed then.
 */
export async function commitBatch(
  operations: readonly BatchOperation[],
  { roster, writes, registrations }: Parts,
  by: Author | undefined,
): Promise<BatchResult[]> {
  const ids = operations.map(({ id }) => id);
  return await writes.inTurn(ids, async () => {
    const before = ids.map((id) => roster.instance(id));
    refuseAny(operations, before);
    const mutations = operations.map((operation, index) => mutationsOf(operation, before[index], registrations));
    const preconditions = ids.map((id, index) => unchanged(id, before[index]));
    const all = mutations.flat();
    const revision = all.length === 0 ? 0 : await writes.commit(all, preconditions, by);
    return operations.map((operation, index) => resultOf(operation, before[index], mutations[index]!, revision));
  });
}

function mutationsOf(
  operation: BatchOperation,
  before: InstanceState | undefined,
  registrations: Registrations,
): Mutation[] {
  if (operation.op === 'deregister') return registrations.removal(before!);
  const { instance } = operation;
  if (before !== undefined && isDeepStrictEqual(before.instance, instance)) return [];
  return registrations.mutations(instance, before);
}

function resultOf(
  operation: BatchOperation,
  before: InstanceState | undefined,
  mutations: readonly Mutation[],
  revision: number,
): BatchResult {
  const { op, id } = operation;
  if (op === 'deregister') return { op, id, service: before!.instance.service, result: 'removed', revision };
  const { service } = operation.instance;
  if (mutations.length === 0) return { op, id, service, result: 'unchanged', revision: before!.revision };
  return { op, id, service, result: before === undefined ? 'created' : 'replaced', revision };
}

function refuseAny(operations: readonly BatchOperation[], before: readonly (InstanceState | undefined)[]): void {
  let first: CodedError | undefined;
  const details: ErrorDetail[] = [];
  for (const [index, operation] of operations.entries()) {
    const refusal = refusalOf(operation, before[index]);
    if (refusal === undefined) continue;
    first ??= refusal;
    details.push({ path: `operations[${index}].id`, message: refusal.message });
  }
  if (first === undefined) return;
  const more = details.length > 1 ? ` (and ${details.length - 1} more)` : '';
  throw new CodedError(first.code, `batch: ${details[0]!.path}: ${details[0]!.message}${more}`, details);
}

function refusalOf(operation: BatchOperation, current: InstanceState | undefined): CodedError | undefined {
  const { op, id } = operation;
  if (op === 'deregister') {
    if (current === undefined) return unknownInstance(id);
    return current.isStatic ? readOnly(id) : undefined;
  }
  if (current === undefined) return undefined;
  if (current.isStatic) return readOnly(id);
  // Which one it is is not everybody's business.
  return current.instance.service === operation.instance.service
    ? undefined
    : new CodedError('id_taken', `id '${id}' belongs to another service`);
}

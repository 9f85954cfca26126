// refusals.ts -- why the registry refuses a command

import { CodedError } from '../base/errors.ts';
import type { Instance, InstanceState } from './instance.ts';
import type { Precondition } from './store.ts';
import { storedKey } from './stored.ts';

/** Nobody has this id. */
export function unknownInstance(id: string): CodedError {
  return new CodedError('unknown_instance', `no instance '${id}'`);
}

/** Throws CodedError `precondition_failed` unless `revision` is the one wanted, if one is; a revision of 0 stands for no instance. */
export function checkRevision(id: string, revision: number, wanted: number | undefined): void {
  if (wanted === undefined || wanted === revision) return;
  throw new CodedError('precondition_failed', `instance '${id}' is at revision ${revision}, not ${wanted}`);
}

/** Static instances change with their file only. */
export function readOnly(id: string): CodedError {
  return new CodedError('read_only', `instance '${id}' comes from the configuration file`);
}

/**
 * Throws CodedError `read_only`, `id_taken`, or with `onlyNew` `already_registered`, unless the registration may take
 * the place of the current one.
 */
export function checkReplaceable(
  { instance: current, isStatic }: InstanceState,
  { id, service }: Instance,
  onlyNew: boolean,
): void {
  if (isStatic) throw readOnly(id);
  if (current.service !== service) {
    throw new CodedError('id_taken', `id '${id}' belongs to service '${current.service}'`);
  }
  if (onlyNew) throw new CodedError('already_registered', `instance '${id}' is registered already`);
}

/** Holds while the registration is what `current` shows (not in the store: undefined, or a static instance). */
export function unchanged(id: string, current: InstanceState | undefined): Precondition {
  return { key: storedKey('instance', id), revision: current?.revision ?? 0 };
}

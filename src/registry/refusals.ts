// refusals.ts -- why the registry refuses a command

import { CodedError } from '../base/errors.ts';

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

// ca-file.ts -- the authorities a check trusts instead of the system's

import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { createSecureContext, type SecureContext } from 'node:tls';
import { errorMessage } from '../base/errors.ts';

const LIMIT_BYTES = 1024 * 1024;

/** A context that trusts the certificates in the file and no others. Rejects when it holds none or cannot be read. */
export async function readAuthorities(path: string): Promise<SecureContext> {
  try {
    const ca = await readRegularFile(path);
    if (!ca.includes('-----BEGIN CERTIFICATE-----')) throw new Error('it holds no certificate');
    return createSecureContext({ ca });
  } catch (thrown) {
    throw new Error(`tls.caFile ${path} cannot be used: ${errorMessage(thrown)}`, { cause: thrown });
  }
}

/** A context that trusts nobody. */
export function noAuthorities(): SecureContext {
  return createSecureContext({ ca: [] });
}

/** The path comes with the check, so it may name a pipe or a device: those would hang, never end, or take notice. */
async function readRegularFile(path: string): Promise<Buffer> {
  if (!(await stat(path)).isFile()) throw new Error('it is not a file');
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = await file.stat();
    if (!found.isFile() || found.size > LIMIT_BYTES) throw new Error('it is not a file of at most 1 MiB');
    return await file.readFile();
  } finally {
    await file.close();
  }
}

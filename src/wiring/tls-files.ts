// tls-files.ts -- the PEM files of a TLS setting, read

import { readFileSync } from 'node:fs';
import { CodedError, errorMessage } from '../base/errors.ts';
import type { Config } from '../config/config.ts';

/** PEM contents of the files of a TLS setting. Throws a CodedError when one cannot be read. */
export function tlsContents(tls: Config['http']['tls']): { cert: string; key: string; clientCa?: string } | undefined {
  if (tls === undefined) return undefined;
  const read = (file: string): string => {
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      throw new CodedError('invalid_config', `http.tls: cannot read ${file}: ${errorMessage(error)}`);
    }
  };
  const clientCa = tls.clientCaFile === undefined ? {} : { clientCa: read(tls.clientCaFile) };
  return { cert: read(tls.certFile), key: read(tls.keyFile), ...clientCa };
}

// tls-files.ts -- the PEM files of a TLS setting, read

import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { CodedError, errorMessage } from '../base/errors.ts';
import type { Config } from '../config/config.ts';

/**
 * PEM contents of the files of a section. Throws a CodedError when one cannot be read, or when they do not
 * fit each other: they may have been exchanged since they were checked with the configuration.
 */
export function tlsContents(
  section: 'http.tls' | 'dns.tls' | 'gateway.tls',
  tls: Config['http']['tls'],
): { cert: string; key: string; clientCa?: string } | undefined {
  if (tls === undefined) return undefined;
  const read = (file: string): string => {
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      throw new CodedError('invalid_config', `${section}: cannot read ${file}: ${errorMessage(error)}`);
    }
  };
  const clientCa = tls.clientCaFile === undefined ? {} : { clientCa: read(tls.clientCaFile) };
  const contents = { cert: read(tls.certFile), key: read(tls.keyFile), ...clientCa };
  try {
    createSecureContext({ cert: contents.cert, key: contents.key, ca: contents.clientCa });
  } catch (error) {
    throw new CodedError('invalid_config', `${section}: the certificate cannot be used: ${errorMessage(error)}`);
  }
  return contents;
}

// pem-pair.ts -- the PEM files of certificates, keys and authorities, looked into while the configuration is read
//
// A listener would find out only when it is too late to keep everything as it was.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { errorMessage } from '../base/errors.ts';
import type { InputObject } from '../registry/input.ts';

/** Note what is wrong with the files of `certFile` and `keyFile`: both or neither are stated, and they fit. */
export function checkPair(input: InputObject, certFile: string | undefined, keyFile: string | undefined): void {
  const cert = certFile === undefined ? undefined : readPem(input, 'certFile', certFile, 'certificate', toCertificate);
  const key = keyFile === undefined ? undefined : readPem(input, 'keyFile', keyFile, 'private key', createPrivateKey);
  if (certFile === undefined && keyFile !== undefined) input.fail('certFile', 'is missing: keyFile is stated');
  if (keyFile === undefined && certFile !== undefined) input.fail('keyFile', 'is missing: certFile is stated');
  if (cert !== undefined && key !== undefined) checkIdentity(input, cert, key);
}

/** Note what is wrong with a file of certificates. */
export function checkCertificate(input: InputObject, field: string, path: string): void {
  readPem(input, field, path, 'certificate', toCertificate);
}

/** PEM contents of a field `caFile`, which names a file of authorities; undefined when it is not stated or of no use. */
export function readAuthorities(input: InputObject, file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    const authorities = readFileSync(file, 'utf8');
    if (!authorities.includes('-----BEGIN CERTIFICATE-----')) throw new Error('there is no certificate in it');
    createSecureContext({ ca: authorities });
    return authorities;
  } catch (error) {
    return input.fail('caFile', `cannot use ${file}: ${errorMessage(error)}`);
  }
}

interface PemFile<T> {
  readonly text: string;
  readonly value: T;
}

function toCertificate(text: string): X509Certificate {
  return new X509Certificate(text);
}

function readPem<T>(
  input: InputObject,
  field: string,
  path: string,
  what: string,
  parse: (text: string) => T,
): PemFile<T> | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (thrown) {
    return input.fail(field, `cannot be read: ${errorMessage(thrown)}`);
  }
  try {
    return { text, value: parse(text) };
  } catch (thrown) {
    return input.fail(field, `holds no ${what} in PEM that can be used: ${errorMessage(thrown)}`);
  }
}

function checkIdentity(input: InputObject, cert: PemFile<X509Certificate>, key: PemFile<KeyObject>): void {
  if (!cert.value.checkPrivateKey(key.value)) {
    input.fail('keyFile', 'does not belong to the certificate');
    return;
  }
  try {
    createSecureContext({ cert: cert.text, key: key.text });
  } catch (thrown) {
    input.fail('certFile', `cannot be used: ${errorMessage(thrown)}`);
  }
}

// certificate.ts -- a self-signed certificate for 127.0.0.1 and localhost, made when a test needs one

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
  /** The certificate as a file, to be trusted as its own authority. */
  readonly certFile: string;
  readonly keyFile: string;
  remove(): void;
}

/** Needs the `openssl` command (Debian package openssl); valid for a day. */
export function makeCertificate(): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-certificate-'));
  const certFile = join(folder, 'cert.pem');
  const keyFile = join(folder, 'key.pem');
  const keyOptions = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile];
  const names = 'subjectAltName=IP:127.0.0.1,IP:::1,DNS:localhost,DNS:cart.example';
  const subject = ['-subj', '/CN=rollcall test', '-addext', names];
  execFileSync('openssl', ['req', '-x509', '-days', '1', ...keyOptions, '-out', certFile, ...subject], {
    stdio: 'pipe',
  });
  return {
    cert: readFileSync(certFile, 'utf8'),
    key: readFileSync(keyFile, 'utf8'),
    certFile,
    keyFile,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

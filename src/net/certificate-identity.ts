// certificate-identity.ts -- is a certificate that of the host or address that was meant?

import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';

/** Undefined when it is. Node 22.23's own check takes IPv6 addresses for host names, which they then are not. */
export function identityProblem(name: string, certificate: PeerCertificate): Error | undefined {
  if (isIP(name) === 0) return checkServerIdentity(name, certificate);
  if (new X509Certificate(certificate.raw).checkIP(name) !== undefined) return undefined;
  return new Error(`IP: ${name} is not in the cert's list: ${certificate.subjectaltname ?? ''}`);
}

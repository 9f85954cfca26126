// watched-files.ts -- the files that a configuration is made of: when one changes, everything is read again

import type { Config } from '../config/config.ts';

/** The configuration itself, certificates, keys, authorities and secrets; absolute. Zone files are not among them. */
export function watchedFiles({ file, dns, http, gateway }: Config): string[] {
  const files = [
    file,
    http.tls?.certFile,
    http.tls?.keyFile,
    http.tls?.clientCaFile,
    dns.tls?.certFile,
    dns.tls?.keyFile,
    dns.cookieSecretsFile,
    dns.forward.authoritiesFile,
    gateway.tls?.certFile,
    gateway.tls?.keyFile,
    ...gateway.authorityFiles,
  ];
  return files.filter((each) => each !== undefined);
}

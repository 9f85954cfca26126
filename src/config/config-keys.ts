// config-keys.ts -- every key of the configuration, its default, and the environment variable that overrides it

/** A key by its dotted path, and its default as one would write it in YAML. Sections have none of their own. */
export interface ConfigKey {
  readonly path: string;
  readonly fallback: string | undefined;
  /** `ROLLCALL_DNS_NEGATIVETTL`; undefined where the name means something else. */
  readonly variable: string | undefined;
}

/** What the names of our environment variables begin with. */
export const PREFIX = 'ROLLCALL_';

/** Read by the client commands (where the server is, and the token to show), so no keys of the server's. */
export const CLIENT_VARIABLES: readonly string[] = ['ROLLCALL_HTTP', 'ROLLCALL_TOKEN'];

const FALLBACKS: Readonly<Record<string, string>> = {
  'dns.listen': '[127.0.0.1:8600]',
  'dns.workers': 'auto',
  'dns.tcp.maxConnections': '1024',
  'dns.tcp.maxPerSource': '128',
  'dns.tcp.idleTimeout': '10s',
  'dns.tcp.firstQueryTimeout': '3s',
  'dns.tcp.writeTimeout': '5s',
  'dns.tls.listen': '[]',
  'dns.tls.certFile': '""',
  'dns.tls.keyFile': '""',
  'dns.proxyProtocol.from': '[]',
  'dns.domains': '[service.local]',
  'dns.advertise': '[]',
  'dns.zones': './zones',
  'dns.ttl': '5s',
  'dns.volatileTtl': '1s',
  'dns.negativeTtl': '5s',
  'dns.maxAnswers': '8',
  'dns.maxUdpSize': '1232',
  'dns.claimLocal': 'true',
  'dns.reverse': '[]',
  'dns.clientSubnet.from': '[]',
  'dns.clientZones': '{}',
  'dns.forward.to': '[]',
  'dns.forward.allow': '[loopback, private]',
  'dns.forward.timeout': '2s',
  'dns.forward.cacheSize': '10000',
  'dns.forward.staleFor': '1d',
  'dns.forward.passSpecial': '[]',
  'dns.forward.stripPrivate': 'false',
  'dns.forward.caFile': '""',
  'dns.transfer.to': '[]',
  'dns.rateLimit.responsesPerSecond': 'auto',
  'dns.rateLimit.slip': '2',
  'dns.rateLimit.ipv4Prefix': '24',
  'dns.rateLimit.ipv6Prefix': '56',
  'dns.rateLimit.exempt': '[loopback, private]',
  'dns.cookies': 'true',
  'dns.cookieSecrets': '[]',
  'dns.cookieSecretsFile': '""',
  'dns.nsid': '""',
  'dns.chaos': 'false',
  'http.listen': '[127.0.0.1:8500]',
  'http.tls.certFile': '""',
  'http.tls.keyFile': '""',
  'http.tls.clientCaFile': '""',
  'http.allowHosts': '[]',
  'http.maxBody': '256KiB',
  'auth.tokens': '[]',
  'store.kind': 'lmdb',
  'store.path': './data',
  'store.endpoints': '[]',
  'store.prefix': '/rollcall',
  'store.tls': '{}',
  'store.username': '""',
  'store.password': '""',
  'store.staleAfter': '60s',
  'store.node': '""',
  'health.interval': '5s',
  'health.timeout': '2s',
  'health.rise': '2',
  'health.fall': '3',
  'health.jitter': '0.1',
  'health.concurrency': '512',
  'health.perHost': '128',
  'health.damping.penalty': '1',
  'health.damping.halfLife': '5m',
  'health.damping.suppress': '10',
  'health.damping.reuse': '5',
  'health.damping.max': '20',
  'health.replicas': '2',
  'health.quorum': 'majority',
  'health.allowExec': 'false',
  'health.allow': '[]',
  'health.deny': '[link-local, multicast, unspecified]',
  'gateway.listen': '[]',
  'gateway.tls.certFile': '""',
  'gateway.tls.keyFile': '""',
  'gateway.trust': '[]',
  'gateway.maxRequests': '10000',
  'gateway.serverTiming': 'asked',
  'gateway.accessLog.sample': '1',
  'gateway.accessLog.redact':
    '[access_token, api_key, code, id_token, key, password, refresh_token, secret, sig, token]',
  'gateway.routes': '[]',
  services: '[]',
  schedules: '[]',
  'log.level': 'info',
};

/** Keys and the sections around them, each section before what is in it. */
export const CONFIG_KEYS: readonly ConfigKey[] = [...withSections(Object.keys(FALLBACKS))].map((path) => {
  const variable = PREFIX + path.replaceAll('.', '_').toUpperCase();
  return { path, fallback: FALLBACKS[path], variable: CLIENT_VARIABLES.includes(variable) ? undefined : variable };
});

function* withSections(paths: readonly string[]): Generator<string> {
  const seen = new Set<string>();
  for (const path of paths) {
    const parts = path.split('.');
    for (let count = 1; count <= parts.length; count++) {
      const each = parts.slice(0, count).join('.');
      if (!seen.has(each)) yield each;
      seen.add(each);
    }
  }
}

/** The word among `known` that `word` most likely was meant to be; undefined when none is close. */
export function nearestWord(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const each of known) {
    const distance = editDistance(word.toLowerCase(), each.toLowerCase(), bestDistance);
    if (distance < bestDistance) [best, bestDistance] = [each, distance];
  }
  return best;
}

/** Levenshtein's distance, or anything not below `limit` once it cannot be below. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

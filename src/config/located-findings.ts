// located-findings.ts -- what reading found wrong by path, as problems by file, line and column

import type { ErrorDetail, Problem } from '../base/errors.ts';
import type { Findings } from '../registry/input.ts';
import { CONFIG_KEYS, nearestWord } from './config-keys.ts';
import type { ConfigTree } from './config-tree.ts';

/** Every finding in the order of the file; those of the environment, which have no lines, come first. */
export function locateFindings(findings: Findings, tree: ConfigTree): Problem[] {
  const problems = [...findings.invalid, ...findings.unsupported].map((detail) => locate(detail, tree));
  return problems.sort((a, b) => a.line - b.line || a.column - b.column);
}

const UNKNOWN = 'unknown field';

function locate({ path, message }: ErrorDetail, tree: ConfigTree): Problem {
  if (message === UNKNOWN) {
    return { ...tree.keyPlace(path), message: `${path}: unknown key${suggest(path)}`, severity: 'error' };
  }
  const text = path === '' ? message : `${path}: ${message}`;
  return { ...tree.valuePlace(path), message: text, severity: 'error' };
}

/** Keys of the objects in lists, by the path of the list. */
const ITEM_KEYS: Readonly<Record<string, readonly string[]>> = {
  'dns.domains[]': ['name', 'ttl', 'negativeTtl', 'maxAnswers'],
  'auth.tokens[]': ['id', 'hash', 'allow'],
  'gateway.routes[]': [
    ...['name', 'host', 'prefix', 'headers', 'service', 'tags', 'port', 'strip', 'rewrite', 'sticky', 'hostHeader'],
    ...['tls', 'timeout', 'idleTimeout', 'retries', 'outliers', 'limits'],
  ],
  'gateway.routes[].sticky': ['cookie', 'header', 'maxAge'],
  'gateway.routes[].tls': ['caFile', 'serverName', 'skipVerify'],
  'gateway.routes[].retries': ['attempts', 'on', 'budget'],
  'gateway.routes[].outliers': [
    ...['consecutive', 'errorShare', 'minRequests', 'window', 'ejectFor', 'maxEjectFor', 'maxEjected'],
  ],
  'gateway.routes[].limits': ['maxConnections', 'maxQueued', 'queueTimeout'],
  'schedules[]': ['name', 'cron', 'timezone', 'action'],
  'schedules[].action': ['maintenance', 'service', 'instance'],
  'services[]': [
    ...['id', 'service', 'address', 'port', 'ports', 'tags', 'meta'],
    ...['weight', 'zone', 'ttl', 'leaseTtl', 'warmup', 'checks'],
  ],
  'services[].checks[]': [
    ...['id', 'type', 'url', 'host', 'port', 'args', 'method', 'headers', 'body', 'expect', 'load', 'tls'],
    ...['interval', 'schedule', 'timezone', 'timeout', 'rise', 'fall', 'deregisterAfter', 'initial'],
  ],
  'services[].checks[].expect': ['status', 'body', 'json'],
  'services[].checks[].load': ['header', 'json'],
  'services[].checks[].tls': ['skipVerify', 'serverName', 'caFile'],
};

function suggest(path: string): string {
  const dot = path.lastIndexOf('.');
  const parent = path.slice(0, Math.max(dot, 0)).replace(/\[\d+\]/g, '[]');
  const nearest = nearestWord(path.slice(dot + 1), ITEM_KEYS[parent] ?? keysIn(parent));
  return nearest === undefined ? '' : `; did you mean '${nearest}'?`;
}

function keysIn(parent: string): string[] {
  const prefix = parent === '' ? '' : `${parent}.`;
  return CONFIG_KEYS.map(({ path }) => path)
    .filter((path) => path.startsWith(prefix))
    .map((path) => path.slice(prefix.length))
    .filter((rest) => !rest.includes('.'));
}

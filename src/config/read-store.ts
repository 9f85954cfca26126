// read-store.ts -- the `store` section

import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { InputObject } from '../registry/input.ts';
import { readTexts, section, shorten } from '../registry/input-forms.ts';
import type { EtcdConfig, StoreConfig } from './config.ts';
import { readPath, type SectionSource } from './section.ts';

const ETCD_KEYS = ['endpoints', 'prefix', 'tls', 'username', 'password', 'staleAfter', 'node'];
const NODE = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/;
const DAY_MS = 86_400_000;
const MAX_ENDPOINTS = 32;
const MAX_TEXT = 256;
/** Leaves room for what comes after it: etcd's keys have no bound, those of people do. */
const PREFIX = /^(\/[A-Za-z0-9._-]{1,64}){1,4}$/;

/** Read the section; what is wrong goes to its findings. */
export function readStore(source: SectionSource): StoreConfig {
  const input = section(source.root, 'store');
  const kind = input.oneOf('kind', ['lmdb', 'memory', 'etcd'] as const) ?? 'lmdb';
  const path = readPath(source, input, 'path') ?? resolve(source.cwd, 'data');
  if (kind === 'etcd') return readEtcd(source, input, path);
  for (const key of ETCD_KEYS) {
    if (input.has(key)) input.fail(key, 'belongs to the store of kind etcd only');
  }
  input.finish();
  return kind === 'memory' ? { kind } : { kind, path };
}

function readEtcd(source: SectionSource, input: InputObject, path: string): EtcdConfig {
  const endpoints = readUrls(input);
  const prefix = input.text('prefix', MAX_TEXT) ?? '/rollcall';
  if (!PREFIX.test(prefix)) {
    input.fail(
      'prefix',
      'must be one to four parts of letters, digits, ".", "_" and "-", each after a slash, like /rollcall',
    );
  }
  const tls = readTls(source, input, endpoints);
  const [username, password] = ['username', 'password'].map((key) => {
    return input.raw(key) === '' ? undefined : input.text(key, MAX_TEXT);
  });
  if (username === undefined && password !== undefined) input.fail('password', 'needs a username');
  if (username !== undefined && password === undefined) input.fail('username', 'needs a password');
  const staleAfterMs = input.duration('staleAfter', 1_000, DAY_MS) ?? 60_000;
  const node = input.text('node', MAX_TEXT) ?? hostname();
  if (input.has('node') && !NODE.test(node)) {
    input.fail(
      'node',
      'must be 1 to 64 letters, digits, ".", "_" and "-", beginning and ending with a letter or digit',
    );
  }
  input.finish();
  const user = username === undefined || password === undefined ? {} : { username, password };
  return { kind: 'etcd', endpoints, prefix, tls, ...user, path, staleAfterMs, node };
}

function readUrls(input: InputObject): readonly string[] {
  const urls: string[] = [];
  const texts = readTexts(input, 'endpoints');
  if (texts === undefined) return input.fail('endpoints', 'is missing: where etcd is, like http://10.0.0.1:2379') ?? [];
  if (texts.length === 0 && Array.isArray(input.raw('endpoints'))) input.fail('endpoints', 'must not be empty');
  if (texts.length > MAX_ENDPOINTS) input.fail('endpoints', `has more than ${MAX_ENDPOINTS}`);
  for (const { text, key } of texts) {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const isRight = /^https?:\/\/[^/?#@]+:\d+$/.test(text) && url !== undefined && url.port !== '0';
    if (!isRight) input.fail(key, `'${shorten(text)}' is not a URL of a host and a port, like https://10.0.0.1:2379`);
    else if (urls.includes(text)) input.fail(key, `${shorten(text)} stands twice`);
    else if (urls.length > 0 && !text.startsWith(urls[0]!.slice(0, 5))) {
      input.fail(key, 'must be of the same scheme as the one before, all http or all https');
    } else urls.push(text);
  }
  return urls;
}

function readTls(source: SectionSource, input: InputObject, endpoints: readonly string[]): EtcdConfig['tls'] {
  const tls = section(input, 'tls');
  const [caFile, certFile, keyFile] = ['caFile', 'certFile', 'keyFile'].map((key) => readPath(source, tls, key));
  if (certFile !== undefined && keyFile === undefined) tls.fail('certFile', 'needs a keyFile');
  if (keyFile !== undefined && certFile === undefined) tls.fail('keyFile', 'needs a certFile');
  const isStated = (caFile ?? certFile ?? keyFile) !== undefined;
  if (isStated && endpoints.some((url) => url.startsWith('http:'))) {
    input.fail('tls', 'is for endpoints that begin with https:');
  }
  tls.finish();
  return {
    ...(caFile === undefined ? {} : { caFile }),
    ...(certFile === undefined || keyFile === undefined ? {} : { certFile, keyFile }),
  };
}

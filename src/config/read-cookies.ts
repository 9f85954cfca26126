// read-cookies.ts -- what `dns` says of DNS cookies and of the server's own name

import { readFileSync } from 'node:fs';
import { errorMessage } from '../base/errors.ts';
import type { InputObject } from '../registry/input.ts';
import { readTexts } from '../registry/input-forms.ts';
import type { DnsConfig } from './config.ts';
import { readPath, type SectionSource } from './section.ts';

/** A server that rolls a secret over has two or three. */
const MAX_SECRETS = 8;
const SECRET = /^[0-9a-f]{32}$/i;
/** So that it fits into every reply that the protocol allows. */
const MAX_NSID_OCTETS = 128;

/** Read `cookies`, `cookieSecrets` and `cookieSecretsFile`. No message shows any of a secret. */
export function readCookies(
  source: SectionSource,
  input: InputObject,
): Pick<DnsConfig, 'cookies' | 'cookieSecrets' | 'cookieSecretsFile'> {
  const cookies = input.boolean('cookies') ?? true;
  const texts = readTexts(input, 'cookieSecrets') ?? [];
  const cookieSecretsFile = readPath(source, input, 'cookieSecretsFile');
  const listed = take(
    input,
    texts.map(({ text, key }) => ({ text, key, what: '' })),
  );
  if (cookieSecretsFile === undefined) return { cookies, cookieSecrets: listed, cookieSecretsFile };
  if (texts.length > 0) input.fail('cookieSecretsFile', 'cannot stand beside cookieSecrets');
  return { cookies, cookieSecrets: readFile(input, cookieSecretsFile), cookieSecretsFile };
}

/** The name for RFC 5001. */
export function readNsid(input: InputObject): string | undefined {
  const text = input.raw('nsid') === '' ? undefined : input.text('nsid', MAX_NSID_OCTETS);
  if (text === undefined || Buffer.byteLength(text) <= MAX_NSID_OCTETS) return text;
  return input.fail('nsid', `has more than ${MAX_NSID_OCTETS} octets in UTF-8`);
}

/** A secret a line; empty lines and what begins with # are skipped. */
function readFile(input: InputObject, path: string): readonly string[] {
  const key = 'cookieSecretsFile';
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (thrown) {
    input.fail(key, `cannot be read: ${errorMessage(thrown)}`);
    return [];
  }
  const lines = text.split('\n').map((line, i) => ({ text: line.trim(), key, what: `line ${i + 1} ` }));
  const stated = lines.filter((line) => line.text !== '' && !line.text.startsWith('#'));
  // Without any, a secret of the server's own would pass for the shared one.
  if (stated.length === 0) input.fail(key, 'holds no secret');
  return take(input, stated);
}

function take(
  input: InputObject,
  stated: readonly { readonly text: string; readonly key: string; readonly what: string }[],
): readonly string[] {
  const secrets: string[] = [];
  for (const { text, key, what } of stated) {
    const secret = text.toLowerCase();
    if (!SECRET.test(secret)) input.fail(key, `${what}must be 32 hexadecimal digits`);
    else if (secrets.includes(secret)) input.fail(key, `${what}stands twice`);
    else if (secrets.length === MAX_SECRETS) input.fail(key, `${what}is one more than the ${MAX_SECRETS} there may be`);
    else secrets.push(secret);
  }
  return secrets;
}

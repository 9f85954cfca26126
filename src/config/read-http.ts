// read-http.ts -- the `http` and `auth` sections: where the API listens, and whom it lets in

import { scopeProblem } from '../api/token-scopes.ts';
import { parseIp } from '../base/ip.ts';
import { InputObject } from '../registry/input.ts';
import { readTexts, section, shorten } from '../registry/input-forms.ts';
import { idProblem, isHostName } from '../registry/label.ts';
import type { HttpConfig, TokenConfig } from './config.ts';
import { checkCertificate, checkPair } from './pem-pair.ts';
import { isEmptyList, readEndpoints, readPath, readSize, type SectionSource } from './section.ts';

const DEFAULT_MAX_BODY = 256 * 1024;
const MAX_TOKENS = 10_000;

/** Read the `http` section. */
export function readHttp(source: SectionSource): HttpConfig {
  const input = section(source.root, 'http');
  const listen = readEndpoints(input, 'listen') ?? [{ address: '127.0.0.1', port: 8500 }];
  if (isEmptyList(input, 'listen')) input.fail('listen', 'must name at least one address and port');
  const config: HttpConfig = {
    listen,
    tls: readTls(source, section(input, 'tls')),
    allowHosts: readAllowHosts(input),
    maxBodyBytes: readSize(input, 'maxBody', 1024, 64 * 1024 ** 2) ?? DEFAULT_MAX_BODY,
  };
  input.finish();
  return config;
}

function readTls(source: SectionSource, input: InputObject): HttpConfig['tls'] {
  const certFile = readPath(source, input, 'certFile');
  const keyFile = readPath(source, input, 'keyFile');
  const clientCaFile = readPath(source, input, 'clientCaFile');
  input.finish();
  if (clientCaFile !== undefined) checkCertificate(input, 'clientCaFile', clientCaFile);
  checkPair(input, certFile, keyFile);
  if (certFile === undefined && keyFile === undefined) {
    return clientCaFile === undefined ? undefined : input.fail('clientCaFile', 'needs certFile and keyFile beside it');
  }
  if (certFile === undefined || keyFile === undefined) return undefined;
  return { certFile, keyFile, ...(clientCaFile === undefined ? {} : { clientCaFile }) };
}

function readAllowHosts(input: InputObject): readonly string[] {
  return (readTexts(input, 'allowHosts') ?? []).flatMap(({ text, key }) => {
    const host = text.toLowerCase().replace(/\.$/, '');
    const address = parseIp(host.replace(/^\[(.*)\]$/, '$1'));
    if (address !== undefined) return address.text;
    return isHostName(host) ? host : (input.fail(key, `'${shorten(text)}' is not a host name (without a port)`) ?? []);
  });
}

/** Read the tokens of the `auth` section. */
export function readTokens(source: SectionSource): readonly TokenConfig[] {
  const input = section(source.root, 'auth');
  const tokens: TokenConfig[] = [];
  for (const [index, each] of (input.list('tokens', MAX_TOKENS) ?? []).entries()) {
    const object = InputObject.of(each, input.at(`tokens[${index}]`), input.findings);
    const token = object === undefined ? undefined : readToken(object);
    if (token === undefined) continue;
    if (tokens.some(({ id }) => id === token.id)) object!.fail('id', `'${token.id}' stands twice`);
    if (tokens.some(({ sha256 }) => sha256 === token.sha256)) object!.fail('hash', 'belongs to another token already');
    tokens.push(token);
  }
  input.finish();
  return tokens;
}

function readToken(input: InputObject): TokenConfig | undefined {
  const id = input.word('id', idProblem);
  const hash = input.word('hash', (text) =>
    /^sha256:[0-9a-f]{64}$/i.test(text) ? undefined : "must be sha256: and 64 hexadecimal digits; see 'rollcall token'",
  );
  const scopes = readTexts(input, 'allow') ?? [];
  const allow = scopes.flatMap(({ text, key }) => readScope(input, key, text) ?? []);
  for (const key of ['id', 'hash', 'allow']) if (!input.has(key)) input.fail(key, 'is missing');
  if (Array.isArray(input.raw('allow')) && scopes.length === 0) input.fail('allow', 'must hold at least one scope');
  input.finish();
  if (id === undefined || hash === undefined) return undefined;
  return { id, sha256: hash.slice('sha256:'.length).toLowerCase(), allow };
}

function readScope(input: InputObject, key: string, text: string): string | undefined {
  const problem = scopeProblem(text);
  return problem === undefined ? text.toLowerCase() : input.fail(key, problem);
}

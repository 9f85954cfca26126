// request-sanity.test.ts -- what Node's parser takes and a proxy must not pass on

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { insanityOf } from '../../src/gateway/request-sanity.ts';

const HOST = ['Host', 'a'];
const TE = 'Transfer-Encoding';
const ROWS: readonly (readonly [name: string, headers: string[], version: string, url: string, isSane: boolean])[] = [
  ['a plain request', HOST, '1.1', '/', true],
  ['HTTP/1.0', [], '1.0', '/', true],
  ['HTTP/2', [':path', '/'], '2.0', '/', true],
  ['HTTP/0.9', [], '0.9', '/', false],
  ['HTTP/1.2', HOST, '1.2', '/', false],
  ['chunked', [...HOST, TE, 'chunked'], '1.1', '/', true],
  ['Chunked', [...HOST, 'transfer-encoding', 'Chunked'], '1.1', '/', true],
  ['no coding', [...HOST, TE, ''], '1.1', '/', false],
  ['an empty coding', [...HOST, TE, ',chunked'], '1.1', '/', false],
  ['another coding', [...HOST, TE, 'gzip, chunked'], '1.1', '/', false],
  ['identity', [...HOST, TE, 'identity, chunked'], '1.1', '/', false],
  ['chunked twice', [...HOST, TE, 'chunked', TE, 'chunked'], '1.1', '/', false],
  ['chunks in HTTP/1.0', [TE, 'chunked'], '1.0', '/', false],
  ['chunks in HTTP/2', ['transfer-encoding', 'chunked'], '2.0', '/', false],
  ['a header of the same length', [...HOST, 'x-transfer-codin1', 'gzip'], '1.1', '/', true],
  ['a backslash in the path', HOST, '1.1', '/a\\..\\b', false],
  ['a backslash in the query', HOST, '1.1', '/a?b=\\', true],
  ['two slashes', HOST, '1.1', '//a', true],
];

for (const [name, rawHeaders, version, url, isSane] of ROWS) {
  it(`${name}: ${isSane ? 'passed on' : '400'}`, () => {
    const [major, minor] = version.split('.').map(Number);
    const found = insanityOf({ rawHeaders, url, httpVersionMajor: major!, httpVersionMinor: minor! });
    assert.deepEqual([found?.status, found?.code], isSane ? [undefined, undefined] : [400, 'bad_request']);
  });
}

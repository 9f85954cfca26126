// http-response.test.ts -- the reader of HTTP responses: framing, limits, and any way to cut what comes in

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HttpResponseReader } from '../../src/checkers/http-response.ts';

const LIMIT = 16;

interface Read {
  readonly status: number;
  readonly body: string;
  readonly isWhole: boolean;
  readonly isReusable: boolean;
}

/** What is read of `text` when it comes in pieces of `size` octets, and the end after it; a string is an error. */
function read(text: string, size = text.length, isHead = false): Read | string {
  const reader = new HttpResponseReader({ bodyLimitBytes: LIMIT, needsBody: true, isHead });
  const octets = Buffer.from(text, 'latin1');
  try {
    for (let at = 0; at < octets.length; at += size) {
      const response = reader.push(octets.subarray(at, at + size));
      if (response !== undefined) return shown(response);
    }
    return shown(reader.end());
  } catch (thrown) {
    return (thrown as Error).message;
  }
}

function shown({ status, body, isWhole, isReusable }: ReturnType<HttpResponseReader['end']>): Read {
  return { status, body: body.toString('latin1'), isWhole, isReusable };
}

const ok = (body: string, isReusable = true, isWhole = true): Read => ({ status: 200, body, isWhole, isReusable });
const empty = (status: number, isReusable = true): Read => ({ status, body: '', isWhole: true, isReusable });
const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;
const IN_BODY = 'the connection was closed in the middle of the body';
const IN_HEAD = 'the connection was closed before a whole response head';
const NO_HTTP = 'the answer is not HTTP/1';
const LENGTH = 'the Content-Length is malformed';

const CASES: readonly (readonly [title: string, text: string, expected: Read | string])[] = [
  ['a length', `${OK}Content-Length: 4\r\n\r\nfine`, ok('fine')],
  ['no body', `${OK}Content-Length: 0\r\n\r\n`, ok('')],
  ['no reason', 'HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n', ok('')],
  ['bare line feeds', 'HTTP/1.1 200 OK\nContent-Length: 4\n\nfine', ok('fine')],
  ['a body as long as the limit', `${OK}Content-Length: 16\r\n\r\n${'a'.repeat(16)}`, ok('a'.repeat(16))],
  ['the end of the connection', `${OK}\r\nfine`, ok('fine', false)],
  ['Connection: close', `${OK}Content-Length: 4\r\nConnection: Close\r\n\r\nfine`, ok('fine', false)],
  ['several options', `${OK}Content-Length: 4\r\nConnection: x, close\r\n\r\nfine`, ok('fine', false)],
  ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nfine', ok('fine', false)],
  ['HTTP/1.0 that stays', 'HTTP/1.0 200 OK\r\nContent-Length: 4\r\nConnection: keep-alive\r\n\r\nfine', ok('fine')],
  ['chunks', `${CHUNKED}2\r\nfi\r\n2;a=b\r\nne\r\n0\r\n\r\n`, ok('fine')],
  ['chunks with a trailer', `${CHUNKED}4\r\nfine\r\n000\r\nX: y\r\nZ: a\r\n\r\n`, ok('fine')],
  ['no chunks', `${CHUNKED}0\r\n\r\n`, ok('')],
  ['chunks in capitals', `${OK}Transfer-Encoding: Chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n`, ok('0123456789')],
  ['chunks and a length', `${CHUNKED.slice(0, -2)}Content-Length: 9\r\n\r\n4\r\nfine\r\n0\r\n\r\n`, ok('fine', false)],
  ['another coding', `${OK}Transfer-Encoding: gzip\r\n\r\nfine`, ok('fine', false)],
  ['a length said twice', `${OK}Content-Length: 4\r\nContent-Length: 4\r\n\r\nfine`, ok('fine')],
  ['no content', 'HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n', empty(204)],
  ['not modified', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n', empty(304)],
  [
    'interim responses',
    `HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n${OK}Content-Length: 4\r\n\r\nfine`,
    ok('fine'),
  ],
  ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n', empty(101, false)],
  ['too many interim ones', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(9), 'too many interim responses'],
  ['two lengths', `${OK}Content-Length: 4\r\nContent-Length: 5\r\n\r\nfine!`, LENGTH],
  ['a negative length', `${OK}Content-Length: -1\r\n\r\n`, LENGTH],
  ['a length with a sign', `${OK}Content-Length: +4\r\n\r\nfine`, LENGTH],
  ['a length beyond all bounds', `${OK}Content-Length: 9999999999999999\r\n\r\n`, LENGTH],
  ['a body cut off', `${OK}Content-Length: 5\r\n\r\nfine`, IN_BODY],
  ['chunks cut off', `${CHUNKED}4\r\nfine\r\n`, IN_BODY],
  ['a trailer cut off', `${CHUNKED}4\r\nfine\r\n0\r\nX: y\r\n`, IN_BODY],
  ['a chunk that is too long', `${CHUNKED}2\r\nfine\r\n0\r\n\r\n`, 'a chunk is longer than it says'],
  ['a chunk without a size', `${CHUNKED}x\r\nfine\r\n0\r\n\r\n`, 'a chunk has no size'],
  ['a chunk of 0x10', `${CHUNKED}0x10\r\n`, 'a chunk has no size'],
  ['an endless chunk line', `${CHUNKED}1;${'a'.repeat(1100)}`, 'a chunk line is too long'],
  [
    'an endless trailer',
    `${CHUNKED}0\r\n${`X: ${'y'.repeat(1000)}\r\n`.repeat(17)}`,
    'the trailer is longer than 16 KiB',
  ],
  ['an endless head', `${OK}${'X: y\r\n'.repeat(3000)}`, 'the response head is longer than 16 KiB'],
  ['a head cut off', `${OK}X: y\r\n`, IN_HEAD],
  ['nothing', '', IN_HEAD],
  ['HTTP/2', 'HTTP/2 200\r\n\r\n', NO_HTTP],
  ['SSH', 'SSH-2.0-x\r\n', NO_HTTP],
  ['no status', 'HTTP/1.1 OK\r\n\r\n', 'the answer has no HTTP status line'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n', 'the answer has no HTTP status line'],
  ['a folded header', `${OK}X: y\r\n z\r\n\r\n`, 'a response header is malformed'],
  ['a space in front of a colon', `${OK}Content-Length : 4\r\n\r\nfine`, 'a response header is malformed'],
];

describe('HttpResponseReader', () => {
  for (const [title, text, expected] of CASES) {
    it(`${title}, in one piece and in pieces of any size`, () => {
      for (const size of [text.length, 1, 2, 3, 7, 64]) assert.deepEqual(read(text, size || 1), expected, `${size}`);
    });
  }

  it('a body beyond the limit is cut, wherever that is seen', () => {
    const long = 'a'.repeat(40);
    for (const text of [`${OK}Content-Length: 40\r\n\r\n${long}`, `${OK}\r\n${long}`, `${CHUNKED}28\r\n${long}\r\n`]) {
      for (const size of [text.length, 1, 5]) {
        assert.deepEqual(read(text, size), ok('a'.repeat(LIMIT), false, false));
      }
    }
  });

  it('a response to HEAD has no body, whatever it says', () => {
    assert.deepEqual(read(`${OK}Content-Length: 4\r\n\r\n`, 100, true), ok(''));
    assert.deepEqual(read(CHUNKED, 100, true), ok(''));
  });

  it('what comes after the response makes the connection useless', () => {
    const responses = [`${OK}Content-Length: 4\r\n\r\nfine`, `${CHUNKED}4\r\nfine\r\n0\r\n\r\n`];
    for (const text of responses) assert.deepEqual(read(`${text}HTTP/1.1 500 No`), ok('fine', false));
  });

  it('headers that stand several times are joined', () => {
    const reader = new HttpResponseReader({ bodyLimitBytes: LIMIT, needsBody: true, isHead: false });
    const response = reader.push(Buffer.from(`${OK}X-A: 1\r\nx-a:\t2 \r\nContent-Length: 0\r\n\r\n`));
    assert.equal(response?.headers.get('x-a'), '1, 2');
  });
});

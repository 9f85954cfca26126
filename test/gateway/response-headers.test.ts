// response-headers.test.ts -- what clients get to see of a reply; nothing of it may make Node throw

import assert from 'node:assert/strict';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  isFinalStatus,
  type ReplyAdditions,
  reasonPhrase,
  replyHeaders,
  replyHeadersObject,
  serverTiming,
} from '../../src/gateway/response-headers.ts';

const OWN: ReplyAdditions = {
  requestId: 'id-1',
  pseudonym: 'gw',
  timing: undefined,
  setCookie: undefined,
  takesTrailers: true,
};
const OWN_HEADERS = ['X-Request-Id', 'id-1', 'Via', '1.1 gw'];

/** Would a server say it? */
function write(headers: string[]): void {
  const request = new IncomingMessage(new Socket());
  request.httpVersionMajor = 1;
  request.httpVersionMinor = 1;
  const response = new ServerResponse(request);
  response.writeHead(200, headers);
}

describe('the headers of a reply', () => {
  const rows: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    [
      'stay',
      ['Content-Type', 'a', 'ETag', '"x"', 'Date', 'then'],
      ['Content-Type', 'a', 'ETag', '"x"', 'Date', 'then'],
    ],
    ['may be repeated', ['Set-Cookie', 'a=1', 'set-cookie', 'b=2'], ['Set-Cookie', 'a=1', 'set-cookie', 'b=2']],
    ['may be obs-text', ['X', 'caf\xe9'], ['X', 'caf\xe9']],
    ['lose those of the connection', ['Connection', 'close', 'Keep-Alive', 'x', 'Transfer-Encoding', 'chunked'], []],
    ['lose upgrades', ['Upgrade', 'h2c', 'Proxy-Connection', 'x', 'proxy-authenticate', 'Basic'], []],
    ['lose what Connection names', ['X-A', '1', 'Connection', 'x-a, keep-alive', 'X-B', '2'], ['X-B', '2']],
    [
      'keep what it must not name',
      ['Connection', 'Content-Length, Set-Cookie', 'Content-Length', '1', 'Set-Cookie', 'a'],
      ['Content-Length', '1', 'Set-Cookie', 'a'],
    ],
    ['lose what cannot be said', ['X', 'a\r\nSet-Cookie: b', 'Y\n', 'c', 'Z', 'd\0', 'bad name', 'e', '', 'f'], []],
    ['lose a request id of the instance', ['X-Request-Id', 'other'], []],
    ['announce trailers', ['Trailer', 'X-Sum'], ['Trailer', 'X-Sum']],
    ['announce none behind a length', ['Trailer', 'X-Sum', 'Content-Length', '1'], ['Content-Length', '1']],
  ];
  for (const [name, raw, expected] of rows) {
    it(name, () => {
      const headers = replyHeaders(raw, OWN);
      assert.deepEqual(headers, [...expected, ...OWN_HEADERS]);
      assert.doesNotThrow(() => write(headers));
      const octets = raw.map((text) => Buffer.from(text, 'latin1'));
      assert.deepEqual(replyHeaders(octets, OWN), headers);
    });
  }

  it('announce no trailers to those who get none', () => {
    assert.deepEqual(replyHeaders(['Trailer', 'X'], { ...OWN, takesTrailers: false }), OWN_HEADERS);
    assert.deepEqual(replyHeaders(['Content-Length', '5'], { ...OWN, omitsLength: true }), OWN_HEADERS);
  });

  it('are added to', () => {
    const headers = replyHeaders(['Set-Cookie', 'a=1', 'Server-Timing', 'db;dur=1'], {
      ...OWN,
      timing: serverTiming(12.345, 10, 2),
      setCookie: 'sid=1; Path=/',
    });
    const added = [
      'Set-Cookie',
      'sid=1; Path=/',
      'Server-Timing',
      'gateway;dur=12.3, upstream;dur=10.0, attempts;desc="2"',
    ];
    assert.deepEqual(headers, ['Set-Cookie', 'a=1', 'Server-Timing', 'db;dur=1', ...added, ...OWN_HEADERS]);
    assert.equal(serverTiming(1, undefined, 0), 'gateway;dur=1.0, attempts;desc="0"');
  });

  it('are an object for HTTP/2: lower case, once where it must be', () => {
    const flat = [
      'ETag',
      'a',
      'Set-Cookie',
      'a',
      'set-cookie',
      'b',
      'Content-Type',
      'x',
      'content-type',
      'y',
      '__proto__',
      'z',
    ];
    const object = replyHeadersObject(flat);
    assert.deepEqual(Object.entries(object), [
      ['etag', 'a'],
      ['set-cookie', ['a', 'b']],
      ['content-type', 'x'],
      ['__proto__', 'z'],
    ]);
  });

  it('never make Node throw, have a line end, or a hop-by-hop name', () => {
    const name = fc.oneof(
      fc.constantFrom('Connection', 'TRANSFER-ENCODING', 'keep-alive', 'Trailer', 'Upgrade', 'Date', 'Content-Length'),
      fc.string({ maxLength: 6 }),
    );
    const value = fc.oneof(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8, unit: 'binary' }));
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 10 }), fc.boolean(), (pairs, takesTrailers) => {
        const headers = replyHeaders(pairs.flat(), { ...OWN, takesTrailers });
        for (let i = 0; i < headers.length; i += 2) {
          assert.ok(!/[\r\n]/.test(headers[i]! + headers[i + 1]!), 'a line end');
          assert.ok(!/^(connection|keep-alive|transfer-encoding|upgrade)$/i.test(headers[i]!), headers[i]!);
        }
        write(headers);
      }),
      { numRuns: 500 },
    );
  });
});

describe('the status line of a reply', () => {
  for (const status of [100, 101, 103, 199, 600, 999, 0, 200.5, Number.NaN]) {
    it(`cannot say ${status}`, () => assert.equal(isFinalStatus(status), false));
  }
  for (const status of [200, 204, 304, 404, 599])
    it(`can say ${status}`, () => assert.equal(isFinalStatus(status), true));
  it('has a phrase only where it can be said', () => {
    assert.equal(reasonPhrase('Fine'), 'Fine');
    for (const phrase of ['', undefined, 'a\r\nb', '\u20ac']) assert.equal(reasonPhrase(phrase), undefined);
  });
});

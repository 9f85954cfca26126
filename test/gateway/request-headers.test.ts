// request-headers.test.ts -- what instances get to see of a request, from strangers and from trusted proxies

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseNetwork } from '../../src/base/ip.ts';
import { Trust } from '../../src/gateway/client-address.ts';
import { RequestHead } from '../../src/gateway/request-head.ts';
import { forwardedHeaders, isSecure } from '../../src/gateway/request-headers.ts';

const TRUST = new Trust(parseNetwork('10.0.0.0/8')!);
const STRANGER = TRUST.peerOf({ remoteAddress: '192.0.2.1' });
const PROXY = TRUST.peerOf({ remoteAddress: '10.0.0.1' });
const SECURE = TRUST.peerOf({ remoteAddress: '2001:db8::7', encrypted: true });
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

function head(rawHeaders: readonly string[], minor = 1): RequestHead {
  const all = ['Host', 'shop.example:8080', ...rawHeaders];
  return new RequestHead({ url: '/', rawHeaders: all, httpVersionMajor: 1, httpVersionMinor: minor });
}

/** Lower-case names to their values, those of several headers in one array. */
function sent(rawHeaders: readonly string[], peer = STRANGER): Record<string, string[]> {
  const { headers } = forwardedHeaders(head(rawHeaders), peer, 'instance:1', 'gw');
  const byName: Record<string, string[]> = {};
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!.toLowerCase();
    byName[name] = [...(byName[name] ?? []), headers[i + 1]!];
  }
  return byName;
}

describe('the headers of a stranger', () => {
  it('go on in their order and spelling, with who it is behind them', () => {
    const { headers, requestId } = forwardedHeaders(
      head(['User-Agent', 'x', 'aCCept', '*/*', 'Accept', 'b', 'Content-Length', '3']),
      STRANGER,
      'instance:1',
      'gw',
    );
    assert.match(requestId, UUID);
    assert.deepEqual(headers, [
      ...['Host', 'instance:1', 'User-Agent', 'x', 'aCCept', '*/*', 'Accept', 'b', 'Content-Length', '3'],
      ...['X-Forwarded-For', '192.0.2.1', 'X-Forwarded-Proto', 'http'],
      ...['X-Forwarded-Host', 'shop.example:8080', 'X-Forwarded-Port', '8080'],
      ...['Forwarded', 'for=192.0.2.1;proto=http;host="shop.example:8080"'],
      ...['X-Request-Id', requestId, 'Via', '1.1 gw'],
    ]);
  });

  it('say nothing of who is in front of us', () => {
    const told = [
      ...['X-Forwarded-For', '6.6.6.6', 'x_forwarded_for', '6.6.6.6', 'X-Forwarded-Proto', 'https'],
      ...['X-Forwarded-Host', 'evil', 'X-Forwarded-Port', '1', 'X-Forwarded-Prefix', '/evil', 'X-Real-IP', '6.6.6.6'],
      ...['Forwarded', 'for=6.6.6.6', 'X-Request-Id', 'evil', 'X_Real_IP', '6.6.6.6'],
    ];
    const is = sent(told);
    assert.equal(JSON.stringify(is).includes('6.6.6.6'), false);
    assert.equal(JSON.stringify(is).includes('evil'), false);
    assert.deepEqual(is['x-forwarded-for'], ['192.0.2.1']);
    assert.match(is['x-request-id']![0]!, UUID);
  });

  it('tell https, the usual port and IPv6', () => {
    const bare = new RequestHead({ url: '/', rawHeaders: ['Host', 'a'], httpVersionMajor: 1, httpVersionMinor: 0 });
    const { headers } = forwardedHeaders(bare, SECURE, 'instance:1', 'gw');
    const text = headers.join('\n');
    assert.match(text, /X-Forwarded-Proto\nhttps\nX-Forwarded-Host\na\nX-Forwarded-Port\n443\n/);
    assert.match(text, /Forwarded\nfor="\[2001:db8::7\]";proto=https;host="a"\n/);
    assert.match(text, /Via\n1\.0 gw$/);
    assert.equal(isSecure(bare, SECURE), true);
  });

  it('lose those of the connection', () => {
    const hop = [
      ...['Connection', 'keep-alive, X-Drop , close', 'connection', 'x-other', 'X-Drop', '1', 'X-OTHER', '2'],
      ...['Keep-Alive', 'timeout=5', 'Proxy-Connection', 'x', 'Proxy-Authorization', 'Basic x', 'TE', 'gzip'],
      ...[
        'Trailer',
        'X',
        'Transfer-Encoding',
        'chunked',
        'Upgrade',
        'h2c',
        'HTTP2-Settings',
        'AA',
        'Expect',
        '100-continue',
      ],
      ...['X-Rollcall-Timing', '1', 'X-Keep', '3'],
    ];
    const is = sent(hop);
    const own = [
      'forwarded',
      'host',
      'via',
      'x-forwarded-for',
      'x-forwarded-host',
      'x-forwarded-port',
      'x-forwarded-proto',
    ];
    assert.deepEqual(Object.keys(is).sort(), [...own, 'x-keep', 'x-request-id'].sort());
    const read = head(hop);
    assert.deepEqual([read.expectsContinue, read.isChunked, read.upgrade, read.wantsTiming], [true, true, 'h2c', true]);
  });

  it('keep what Connection must not name', () => {
    const named =
      'Host, Content-Length, X-Forwarded-For, Cookie, Authorization, Via, X-Request-Id, Forwarded, traceparent';
    const is = sent([
      ...['Connection', named, 'Cookie', 'a=1', 'Authorization', 'Basic x', 'Content-Length', '1'],
      ...['traceparent', TRACE],
    ]);
    for (const name of named.toLowerCase().split(', ')) assert.equal(is[name]?.length, 1, name);
  });

  it('keep TE only for trailers', () => {
    assert.deepEqual(sent(['TE', 'gzip;q=0.5, Trailers']).te, ['trailers']);
    assert.equal(sent(['TE', 'gzip']).te, undefined);
  });

  it('never have a hop-by-hop name, and the rest stays as it was', () => {
    const dropped = [
      'connection',
      'keep-alive',
      'proxy-connection',
      'transfer-encoding',
      'upgrade',
      'expect',
      'trailer',
    ];
    const cased = fc
      .constantFrom(...dropped, 'x-a', 'x-b', 'accept', 'range')
      .chain((name) =>
        fc.func(fc.boolean()).map((upper) => Array.from(name, (c, i) => (upper(i) ? c.toUpperCase() : c)).join('')),
      );
    const value = fc.oneof(fc.constantFrom('x-a', 'X-B, close', 'keep-alive'), fc.stringMatching(/^[\x21-\x7e]{1,9}$/));
    fc.assert(
      fc.property(fc.array(fc.tuple(cased, value), { maxLength: 12 }), (pairs) => {
        const request = head(pairs.flat());
        const { headers } = forwardedHeaders(request, STRANGER, 'instance:1', 'gw');
        const named = pairs
          .filter(([name]) => name.toLowerCase() === 'connection')
          .flatMap(([, list]) => list.split(',').map((token) => token.trim().toLowerCase()))
          .filter((token) => token !== 'range');
        const expected = pairs.filter(([name]) => {
          const lower = name.toLowerCase();
          return !dropped.includes(lower) && !named.includes(lower);
        });
        assert.deepEqual(headers.slice(2, 2 + expected.length * 2), expected.flat());
        for (let i = 0; i < headers.length; i += 2) {
          assert.ok(!dropped.includes(headers[i]!.toLowerCase()), headers[i]!);
          assert.ok(!/[\r\n]/.test(headers[i]! + headers[i + 1]!), 'a line end');
        }
      }),
    );
  });
});

describe('the headers of a trusted proxy', () => {
  it('are believed and added to', () => {
    const is = sent(
      [
        ...['X-Forwarded-For', '6.6.6.6', 'X-Forwarded-For', '7.7.7.7', 'X-Forwarded-Proto', 'https'],
        ...['X-Forwarded-Host', 'front.example', 'X-Forwarded-Port', '443', 'X-Forwarded-Prefix', '/p'],
        ...['Forwarded', 'for=6.6.6.6', 'X-Request-Id', 'abc-1', 'Via', '2 front'],
      ],
      PROXY,
    );
    assert.deepEqual(is['x-forwarded-for'], ['6.6.6.6, 7.7.7.7, 10.0.0.1']);
    assert.deepEqual(is.forwarded, ['for=6.6.6.6, for=10.0.0.1;proto=http;host="shop.example:8080"']);
    assert.deepEqual(is['x-forwarded-proto'], ['https']);
    assert.deepEqual(is['x-forwarded-host'], ['front.example']);
    assert.deepEqual(is['x-forwarded-port'], ['443']);
    assert.deepEqual(is['x-forwarded-prefix'], ['/p']);
    assert.deepEqual(is['x-request-id'], ['abc-1']);
    assert.deepEqual(is.via, ['2 front, 1.1 gw']);
    assert.equal(isSecure(head(['X-Forwarded-Proto', 'https']), PROXY), true);
    assert.equal(isSecure(head(['X-Forwarded-Proto', 'https']), STRANGER), false);
  });

  it('are not contradicted by a kind that the proxy did not send', () => {
    assert.equal(sent(['X-Forwarded-For', '6.6.6.6'], PROXY).forwarded, undefined);
    assert.equal(sent(['Forwarded', 'for=6.6.6.6'], PROXY)['x-forwarded-for'], undefined);
    assert.deepEqual(sent([], PROXY)['x-forwarded-for'], ['10.0.0.1']);
    assert.equal(sent([], PROXY).forwarded?.length, 1);
  });

  for (const id of ['', 'a b', 'x'.repeat(129), 'caf\xe9', 'a\tb']) {
    it(`have no request id ${JSON.stringify(id.slice(0, 9))}`, () => {
      assert.match(sent(['X-Request-Id', id], PROXY)['x-request-id']![0]!, UUID);
    });
  }
});

describe('a trace', () => {
  const good = [TRACE, TRACE.replace(/^00/, '01'), `${TRACE.replace(/^00/, 'cc')}-more`];
  for (const text of good) {
    it(`${text} goes on`, () => {
      const is = sent(['traceparent', text, 'tracestate', 'a=1', 'Tracestate', 'b=2']);
      assert.deepEqual(is.traceparent, [text]);
      assert.deepEqual(is.tracestate, ['a=1, b=2']);
    });
  }
  const bad = [
    '',
    `${TRACE}-more`,
    `${TRACE}0`,
    TRACE.toUpperCase(),
    TRACE.replace(/^00/, 'ff'),
    TRACE.replace(/-4b.*?-/, `-${'0'.repeat(32)}-`),
    TRACE.replace(/-00f.*?-/, `-${'0'.repeat(16)}-`),
    `${TRACE.replace(/^00/, 'cc')}more`,
    `${TRACE}, ${TRACE}`,
  ];
  for (const text of bad) {
    it(`${JSON.stringify(text)} does not, nor its state`, () => {
      const is = sent(['traceparent', text, 'tracestate', 'a=1']);
      assert.equal(is.traceparent, undefined);
      assert.equal(is.tracestate, undefined);
    });
  }
  it('does not go on when there are two', () => {
    assert.equal(sent(['traceparent', TRACE, 'traceparent', TRACE]).traceparent, undefined);
  });
});

describe('a loop', () => {
  it('is noticed by our own name in Via', () => {
    const via = (times: number): string => Array(times).fill('1.1 gw (x)').join(', ');
    assert.throws(() => sent(['Via', `1.1 other, ${via(3)}`]), { code: 'loop_detected' });
    assert.deepEqual(sent(['Via', via(2)]).via, [`${via(2)}, 1.1 gw`]);
    assert.doesNotThrow(() => sent(['Via', '1.1 gw2, 1.1 gwx, 1.1 other, 1.1 agw']));
  });
});

describe('a length', () => {
  for (const text of ['+5', '5, 5', '0x5', '', '-1', '9'.repeat(16)]) {
    it(`${JSON.stringify(text)} is refused`, () =>
      assert.throws(() => head(['Content-Length', text]), { code: 'bad_request' }));
  }
  it('stands once', () =>
    assert.throws(() => head(['Content-Length', '5', 'content-length', '5']), { code: 'bad_request' }));
});

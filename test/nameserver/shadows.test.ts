// shadows.test.ts -- static records that hide registered names are pointed out

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseName } from '../../src/dns/name.ts';
import { findShadows } from '../../src/nameserver/shadows.ts';
import { buildZone } from '../../src/zone/build-zone.ts';
import { readMasterFile } from '../../src/zone/master-file.ts';

const ZONE = `
$TTL 60
@            SOA   ns hostmaster 1 1h 15m 1w 5s
@            NS    ns
ns           A     127.0.0.1
cart         A     10.0.0.1
cart         MX    10 ns
pay          CNAME ns
far          NS    ns.far
ns.far       A     10.0.0.2
_web._tcp    SRV   0 0 80 ns
shop         HTTPS 1 ns alpn=h2
_shop._tcp   PTR   own._shop._tcp
wiki         MX    10 ns
*            A     10.0.0.3
`;

describe('findShadows', () => {
  const { records } = readMasterFile({ file: 'd.zone', text: ZONE, origin: parseName('d.test.') });
  const { zone } = buildZone(records, 'd.zone');
  const rows: [service: string, messages: string[]][] = [
    ['cart', ["the static A hides service 'cart' at cart.d.test."]],
    ['pay', ["a static CNAME hides service 'pay' at pay.d.test."]],
    ['far', ["the delegation of far.d.test. hides service 'far' at far.d.test."]],
    ['web', ["the static SRV hides service 'web' at _web._tcp.d.test."]],
    [
      'shop',
      [
        "the static HTTPS hides service 'shop' at shop.d.test.",
        "the static PTR hides service 'shop' at _shop._tcp.d.test.",
      ],
    ],
    ['wiki', []],
    ['unknown', []],
    // `_S` has one octet more than a label may have; the service itself is fine.
    ['x'.repeat(63), []],
  ];
  for (const [service, messages] of rows) {
    it(`${service}: ${messages.length === 0 ? 'nothing' : messages[0]}`, () => {
      assert.ok(zone !== undefined, 'the zone is in order');
      const found = findShadows(zone, [service]);
      assert.deepEqual(
        found.map((problem) => problem.message),
        messages,
      );
      assert.deepEqual(
        found.map(({ file, severity }) => ({ file, severity })),
        messages.map(() => ({ file: 'd.zone', severity: 'warning' })),
      );
    });
  }
});

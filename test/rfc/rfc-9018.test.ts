// rfc-9018.test.ts -- server cookies that other makes of server understand (RFC 9018 sections 4 and 5, appendix A)

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { AddressClient } from '../../src/nameserver/client.ts';
import { ServerCookies } from '../../src/nameserver/cookies.ts';
import { bytes, hexOf } from '../support/wire.ts';

const SECRET = 'e5e973e5a6b2a43f48e7dc849e37bfcf';
const OLD_SECRET = 'dd3bdf9344b678b185a6f5cb60fca715';
const NEW_SECRET = '445536bcd2513298075a5d379663c962';
const CLIENT = '198.51.100.100';
const NOW = 1_559_731_985;

interface Taken {
  readonly reply: string;
  readonly isGood: boolean;
}

function take(secrets: readonly string[], client: string, nowSeconds: number, cookie: string): Taken {
  const cookies = new ServerCookies(secrets);
  // Not at the beginning: it is read in the middle of a query.
  const octets = bytes(`ffff${cookie}ffff`);
  cookies.begin();
  cookies.take(octets, 2, octets.length - 4, new AddressClient(client), nowSeconds);
  return { reply: hexOf(cookies.cookie), isGood: cookies.isGood };
}

describe('RFC 9018', () => {
  describe('appendix A', () => {
    it('A.1: a client learns a new server cookie', () => {
      const { reply, isGood } = take([SECRET], CLIENT, NOW, '2464c4abcf10c957');
      assert.equal(reply, '2464c4abcf10c957 010000005cf79f11 1f8130c3eee29480'.replaceAll(' ', ''));
      assert.equal(isGood, false);
    });

    it('A.2: it learns a renewed one after 40 minutes, the old one being good', () => {
      const cookie = '2464c4abcf10c957010000005cf79f111f8130c3eee29480';
      const { reply, isGood } = take([SECRET], CLIENT, 1_559_734_385, cookie);
      assert.equal(reply, '2464c4abcf10c957010000005cf7a871d4a564a1442aca77');
      assert.equal(isGood, true);
    });

    it('A.3: another client, whose reserved octets are not zero', () => {
      const cookie = 'fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5';
      const { reply } = take([SECRET], '203.0.113.203', 1_559_734_700, cookie);
      assert.equal(reply, 'fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e');
      const inTime = take([SECRET], '203.0.113.203', 0x5cf78f71 + 60, cookie);
      assert.equal(inTime.isGood, true, 'they are hashed as they come, whatever they are');
    });

    it('A.4: IPv6, and a secret that was rolled over', () => {
      const cookie = '22681ab97d52c298010000005cf7c57926556bd0934c72f8';
      const client = '2001:db8:220:1:59de:d0f4:8769:82b8';
      const { reply, isGood } = take([NEW_SECRET, OLD_SECRET], client, 1_559_741_961, cookie);
      assert.equal(reply, '22681ab97d52c298010000005cf7c609a6bb79d16625507a');
      assert.equal(isGood, true);
    });
  });

  describe('verification (section 4)', () => {
    let good: string;
    before(() => {
      good = take([SECRET], CLIENT, NOW, '2464c4abcf10c957').reply;
    });

    it('takes cookies of the last hour and of five minutes ahead, and renews them after half an hour (4.3)', () => {
      const rows: readonly (readonly [ageSeconds: number, isGood: boolean, isRenewed: boolean])[] = [
        [0, true, false],
        [1800, true, false],
        [1801, true, true],
        [3600, true, true],
        [3601, false, true],
        [1e9, false, true],
        [-1, true, false],
        [-300, true, false],
        [-301, false, true],
        [-1e9, false, true],
      ];
      for (const [ageSeconds, isGood, isRenewed] of rows) {
        const taken = take([SECRET], CLIENT, NOW + ageSeconds, good);
        assert.equal(taken.isGood, isGood, `${ageSeconds} s`);
        assert.equal(taken.reply !== good, isRenewed, `${ageSeconds} s`);
        assert.equal(
          taken.reply.slice(24, 32),
          ((isRenewed ? NOW + ageSeconds : NOW) >>> 0).toString(16).padStart(8, '0'),
        );
      }
    });

    it('goes on when timestamps have gone round in 2106', () => {
      const last = take([SECRET], CLIENT, 2 ** 32 - 1, '2464c4abcf10c957').reply;
      assert.equal(last.slice(24, 32), 'ffffffff');
      const taken = take([SECRET], CLIENT, 2 ** 32 + 59, last);
      assert.deepEqual([taken.isGood, taken.reply], [true, last]);
    });

    it('takes no cookie with any bit changed, nor one of another client, version or length', () => {
      const octets = bytes(good);
      for (let bit = 0; bit < octets.length * 8; bit++) {
        const changed = octets.slice();
        changed[bit >> 3]! ^= 1 << (bit & 7);
        assert.equal(take([SECRET], CLIENT, NOW, hexOf(changed)).isGood, false, `bit ${bit}`);
      }
      for (const client of ['198.51.100.101', '::1', '2001:db8::1']) {
        assert.equal(take([SECRET], client, NOW, good).isGood, false, client);
      }
      for (const length of [8, 16, 20, 23, 25, 32, 40]) {
        const other = good.padEnd(80, '0').slice(0, length * 2);
        assert.equal(take([SECRET], CLIENT, NOW, other).isGood, false, `${length} octets`);
      }
    });

    it('knows an IPv4 client by its four octets, however the socket tells them', () => {
      assert.equal(take([SECRET], `::ffff:${CLIENT}`, NOW, good).isGood, true);
    });
  });

  describe('rolling over a secret (section 5)', () => {
    const cookie = '2464c4abcf10c957';

    it('every secret verifies, the first signs', () => {
      const byOld = take([OLD_SECRET], CLIENT, NOW, cookie).reply;
      const byNew = take([NEW_SECRET], CLIENT, NOW, cookie).reply;
      const stages: readonly (readonly [secrets: readonly string[], goods: readonly boolean[], reply: string])[] = [
        [[OLD_SECRET], [true, false], byOld],
        [[OLD_SECRET, NEW_SECRET], [true, true], byOld],
        [[NEW_SECRET, OLD_SECRET], [true, true], byNew],
        [[NEW_SECRET], [false, true], byNew],
      ];
      for (const [secrets, goods, reply] of stages) {
        const taken = [byOld, byNew].map((each) => take(secrets, CLIENT, NOW, each));
        assert.deepEqual(
          taken.map(({ isGood }) => isGood),
          goods,
        );
        // A client with a cookie of the other secret gets one of that which signs.
        assert.deepEqual(
          taken.map((each) => each.reply),
          [reply, reply],
        );
      }
    });
  });
});

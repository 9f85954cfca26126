// rfc-8945.test.ts -- signed queries: no key is known here, and that is what they are told (RFC 8945 section 5.2.1)

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { formatRcode } from '../../src/dns/codes.ts';
import { decodeMessage } from '../../src/dns/message.ts';
import { flagWords, NameServer } from '../support/name-server.ts';
import { bytes, hexOf, octets } from '../support/wire.ts';

const QUESTION = '07 73657276696365 05 6c6f63616c 00 0006 0001'; // service.local. SOA
const OPT = '00 0029 04d0 00 00 0000 0000';
const KEY = '03 6b6579 00';
const ALGORITHM = '0b 686d61632d736861323536 00'; // hmac-sha256.
const TIMING = '0000 5cf79f11 012c';

function tsig(key = KEY): string {
  return `${key} 00fa 00ff 00000000 0021 ${ALGORITHM} ${TIMING} 0004 01020304 4321 0000 0000`;
}

/** What it is told: the same key, algorithm and time, no MAC, BADKEY. */
function unsigned(key = KEY): string {
  return hexOf(bytes(`${key} 00fa 00ff 00000000 001d ${ALGORITHM} ${TIMING} 0000 4321 0011 0000`));
}

describe('RFC 8945', () => {
  let server: NameServer;
  before(async () => {
    server = await NameServer.open();
  });

  it('answers a signed query with NOTAUTH and an unsigned TSIG record that says BADKEY, the last one (5.3.2)', () => {
    for (const [tail, count] of [
      [tsig(), 1],
      [`${OPT} ${tsig()}`, 2],
    ] as const) {
      for (const transport of ['udp', 'tcp', 'tls'] as const) {
        const query = octets('1234 0100 0001 0000 0000', Uint8Array.of(0, count), QUESTION, tail);
        const reply = server.respond(query, transport)!;
        const { rcode, answers, additionals, edns } = decodeMessage(reply);
        assert.deepEqual([formatRcode(rcode), answers.length, additionals.length], ['NOTAUTH', 0, 1]);
        assert.equal(edns !== undefined, count === 2);
        assert.ok(hexOf(reply).endsWith(unsigned()), hexOf(reply));
      }
    }
  });

  it('leaves the record out, with TC, where there is no room for it', () => {
    const long = `${['61', '62', '63'].map((each) => `3f ${each.repeat(63)}`).join(' ')} 3d ${'64'.repeat(61)} 00`;
    const query = octets('1234 0000 0001 0000 0000 0001', long, '0001 0001', tsig(long));
    const udp = server.respond(query)!;
    assert.ok(udp.length <= 512, `${udp.length}`);
    assert.deepEqual(flagWords(decodeMessage(udp)), ['qr', 'tc']);
    const tcp = server.respond(query, 'tcp')!;
    assert.ok(hexOf(tcp).endsWith(unsigned(long)), hexOf(tcp));
  });

  it('takes a record that is malformed, not the last, or there twice for FORMERR (5.1)', () => {
    const rows: readonly (readonly [what: string, count: number, tail: string])[] = [
      ['not last', 2, `${tsig()} ${OPT}`],
      ['twice', 2, `${tsig()} ${tsig()}`],
      ['of class IN', 1, tsig().replace('00ff', '0001')],
      ['cut short', 1, `${KEY} 00fa 00ff 00000000 0004 00000000`],
    ];
    for (const [what, count, tail] of rows) {
      const query = octets('1234 0100 0001 0000 0000', Uint8Array.of(0, count), QUESTION, tail);
      assert.equal(formatRcode(decodeMessage(server.respond(query)!).rcode), 'FORMERR', what);
    }
  });
});

// rfc-8906.test.ts -- every question gets a reply (RFC 8906 section 8: the tests that operators run)

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { formatRcode } from '../../src/dns/codes.ts';
import { decodeMessage, type Message } from '../../src/dns/message.ts';
import { flagWords, NameServer } from '../support/name-server.ts';
import { bytes, octets } from '../support/wire.ts';

const ZONE = `
$ORIGIN example.test.
$TTL 300
@ SOA ns host 1 3600 600 86400 60
  NS ns
ns A 192.0.2.1
`;

const APEX = '07 6578616d706c65 04 74657374 00';

interface Query {
  readonly flags?: number;
  readonly type?: number;
  readonly opt?: string;
  readonly headerOnly?: boolean;
}

describe('RFC 8906', () => {
  let server: NameServer;
  before(async () => {
    server = await NameServer.open({ zones: [ZONE] });
  });

  function ask({ flags = 0, type = 6, opt, headerOnly = false }: Query, transport: 'udp' | 'tcp' = 'udp'): Message {
    const words = [0x1234, flags, headerOnly ? 0 : 1, 0, 0, opt === undefined ? 0 : 1];
    const header = Uint8Array.from(words.flatMap((word) => [word >> 8, word & 255]));
    const question = headerOnly ? new Uint8Array(0) : octets(APEX, Uint8Array.of(type >> 8, type & 255), '0001');
    const reply = server.respond(octets(header, question, bytes(opt ?? '')), transport);
    assert.ok(reply, 'a reply');
    return decodeMessage(reply);
  }

  /** Status, flags without qr, and what EDNS says, in a line. */
  function shown(reply: Message): string {
    const edns = reply.edns === undefined ? [] : ['edns', reply.edns.version, ...(reply.edns.dnssecOk ? ['do'] : [])];
    return [formatRcode(reply.rcode), ...flagWords(reply).slice(1), ...edns].join(' ');
  }

  const OPT = '00 0029 1000 00 00 0000 0000';
  const rows: readonly (readonly [what: string, query: Query, expected: string])[] = [
    ['plain DNS (8.1.1)', {}, 'NOERROR aa'],
    ['unknown type (8.1.2)', { type: 1000 }, 'NOERROR aa'],
    ['CD (8.1.3.1)', { flags: 0x10 }, 'NOERROR aa'],
    ['AD (8.1.3.2)', { flags: 0x20 }, 'NOERROR aa'],
    ['the reserved bit (8.1.3.3)', { flags: 0x40 }, 'NOERROR aa'],
    ['RD (8.1.3.4)', { flags: 0x100 }, 'NOERROR aa rd'],
    ['RA', { flags: 0x80 }, 'NOERROR aa'],
    ['TC', { flags: 0x200 }, 'NOERROR aa'],
    ['AA', { flags: 0x400 }, 'NOERROR aa'],
    ['an rcode', { flags: 0x0f }, 'NOERROR aa'],
    ['every bit but QR and the opcode', { flags: 0x07ff }, 'NOERROR aa rd'],
    ['unknown opcode (8.1.4)', { flags: 15 << 11, headerOnly: true }, 'NOTIMP'],
    ['unknown opcode with a question', { flags: 15 << 11 }, 'NOTIMP'],
    ['STATUS', { flags: 2 << 11, headerOnly: true }, 'NOTIMP'],
    ['minimal EDNS (8.2.1)', { opt: OPT }, 'NOERROR aa edns 0'],
    ['EDNS version 1 (8.2.2)', { opt: '00 0029 1000 00 01 0000 0000' }, 'BADVERS edns 0'],
    ['unknown EDNS option (8.2.3)', { opt: '00 0029 1000 00 00 0000 0004 0064 0000' }, 'NOERROR aa edns 0'],
    ['unknown EDNS flag (8.2.4)', { opt: '00 0029 1000 00 00 0040 0000' }, 'NOERROR aa edns 0'],
    ['version 1, unknown flag (8.2.5)', { opt: '00 0029 1000 00 01 0040 0000' }, 'BADVERS edns 0'],
    ['version 1, unknown option (8.2.6)', { opt: '00 0029 1000 00 01 0000 0004 0064 0000' }, 'BADVERS edns 0'],
    ['DO and a small size (8.2.7)', { opt: '00 0029 0200 00 00 8000 0000' }, 'NOERROR aa edns 0 do'],
    ['DO and version 1 (8.2.8)', { opt: '00 0029 1000 00 01 8000 0000' }, 'BADVERS edns 0 do'],
    [
      'several options: NSID, cookie, subnet, expire (8.2.9)',
      {
        opt: '00 0029 1000 00 00 0000 001f 0003 0000 000a 0008 0102030405060708 0008 0007 0001 18 00 c00002 0009 0000',
      },
      'NOERROR aa edns 0',
    ],
    ['DNSSEC types', { type: 48, opt: '00 0029 1000 00 00 8000 0000' }, 'NOERROR aa edns 0 do'],
    ['a header and nothing else', { headerOnly: true }, 'FORMERR'],
  ];
  for (const [what, query, expected] of rows) {
    it(`${what}: ${expected}`, () => {
      assert.equal(shown(ask(query)), expected);
      assert.equal(shown(ask(query, 'tcp')), expected);
    });
  }

  it('every type is answered', () => {
    const formErr = new Set([41, 128, 250]);
    const refused = new Set([251, 252]);
    for (let type = 0; type < 65536; type++) {
      const rcode = formatRcode(ask({ type }).rcode);
      assert.equal(rcode, formErr.has(type) ? 'FORMERR' : refused.has(type) ? 'REFUSED' : 'NOERROR', `TYPE${type}`);
    }
  });

  it('every word of flags with QR clear is answered, and every one with QR set is not', () => {
    for (let flags = 0; flags < 0x8000; flags += 7) {
      const reply = ask({ flags });
      assert.equal(reply.opcode, (flags >> 11) & 15);
      assert.equal(reply.flags & 0xf0, 0, 'RA, Z, AD and CD are clear');
      const header = [flags | 0x8000, 1, 0, 0, 0].flatMap((word) => [word >> 8, word & 255]);
      assert.equal(server.respond(octets('1234', Uint8Array.from(header), APEX, '0006 0001')), undefined);
    }
  });
});

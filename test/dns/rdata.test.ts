// rdata.test.ts -- RDATA of every type: text and wire, both ways, and what is refused

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatType, parseType } from '../../src/dns/codes.ts';
import { decodeMessage, encodeMessage, type Message, queryMessage } from '../../src/dns/message.ts';
import { formatName, parseName } from '../../src/dns/name.ts';
import { formatRecord, parseRecord } from '../../src/dns/presentation.ts';
import { soaMinimum, soaRdata, soaSerial, txtRdata, withSerial } from '../../src/dns/rdata/basic.ts';
import { srvRdata, srvTarget } from '../../src/dns/rdata/locating.ts';
import { formatRdata, nameOfRdata, readRdata, writeRdata } from '../../src/dns/rdata/rdata.ts';
import { PresentationError } from '../../src/dns/token-cursor.ts';
import { WireError } from '../../src/dns/wire-error.ts';
import { WireReader } from '../../src/dns/wire-reader.ts';
import { WireWriter } from '../../src/dns/wire-writer.ts';
import { bytes, hexOf, octets } from '../support/wire.ts';

const FOO = '03666f6f 076578616d706c65 03636f6d 00';
const FOO_ORG = '03666f6f 076578616d706c65 036f7267 00';

/** Type and text, wire, and the text we write when it is another. */
const ROWS: readonly (readonly [text: string, wire: string, written?: string])[] = [
  ['A 10.0.0.1', '0a000001'],
  ['A 255.255.255.255', 'ffffffff'],
  ['AAAA 2001:db8::1', '20010db8 00000000 00000000 00000001'],
  ['AAAA 2001:DB8:0:0:1:0:0:1', '20010db8 00000000 00010000 00000001', 'AAAA 2001:db8::1:0:0:1'],
  ['AAAA ::', '00000000 00000000 00000000 00000000'],
  ['AAAA ::ffff:10.0.0.1', '00000000 00000000 0000ffff 0a000001'],
  ['AAAA 0:0:0:0:0:FFFF:a00:1', '00000000 00000000 0000ffff 0a000001', 'AAAA ::ffff:10.0.0.1'],
  ['NS foo.example.com.', FOO],
  ['NS FOO.example.com.', FOO.replace('03666f6f', '03464f4f')],
  ['CNAME .', '00'],
  ['PTR a\\.b.example.com.', '03612e62 076578616d706c65 03636f6d 00'],
  ['MX 10 foo.example.com.', `000a ${FOO}`],
  ['MX 0 .', '0000 00'],
  [
    'SOA foo.example.com. a\\.b.example.com. 4294967295 3600 600 604800 5',
    `${FOO} 03612e62 076578616d706c65 03636f6d 00 ffffffff 00000e10 00000258 00093a80 00000005`,
  ],
  ['SOA . . 1 1h 10M 1w 1h30m', '00 00 00000001 00000e10 00000258 00093a80 00001518', 'SOA . . 1 3600 600 604800 5400'],
  ['TXT "a" "b c"', '0161 03622063'],
  ['TXT a b', '0161 0162', 'TXT "a" "b"'],
  ['TXT ""', '00'],
  ['TXT "" "x" ""', '00 0178 00'],
  ['TXT "\\"\\\\;()\\000\\255"', '07225c3b282900ff'],
  ['TXT "é"', '02c3a9', 'TXT "\\195\\169"'],
  [`TXT "${'x'.repeat(255)}"`, `ff${'78'.repeat(255)}`],
  ['HINFO "RFC8482" ""', '0752464338343832 00'],
  ['SRV 1 2 443 foo.example.com.', `0001 0002 01bb ${FOO}`],
  ['SRV 0 0 0 .', '0000 0000 0000 00'],
  // RFC 3403, in the form of RFC 2915 section 9.
  ['NAPTR 100 50 "a" "z3950+N2L+N2C" "" foo.example.com.', `0064 0032 0161 0d7a333935302b4e324c2b4e3243 00 ${FOO}`],
  [
    'NAPTR 100 10 "" "" "!^urn:cid:.+@([^\\\\.]+\\\\.)(.*)$!\\\\2!i" .',
    `0064 000a 00 00 21 ${Buffer.from('!^urn:cid:.+@([^\\.]+\\.)(.*)$!\\2!i').toString('hex')} 00`,
  ],
  [
    'URI 10 1 "ftp://ftp1.example.com/public"',
    `000a 0001 ${Buffer.from('ftp://ftp1.example.com/public').toString('hex')}`,
  ],
  ['CAA 0 issue "letsencrypt.org"', `00 05 6973737565 ${Buffer.from('letsencrypt.org').toString('hex')}`],
  ['CAA 128 tbs ""', '80 03 746273'],
  ['CAA 0 issue ";"', '00 05 6973737565 3b'],
  ['RP a.example.com. .', '0161 076578616d706c65 03636f6d 00 00'],
  ['AFSDB 1 .', '0001 00'],
  // RFC 4034 section 5.4.
  [
    'DS 60485 5 1 ( 2BB183AF5F22588179A53B0A 98631FAD1A292118 )',
    'ec45 05 01 2bb183af5f22588179a53b0a98631fad1a292118',
    'DS 60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118',
  ],
  ['CDS 0 0 0 00', '0000 00 00 00'],
  ['CDNSKEY 0 3 0 AA==', '0000 03 00 00'],
  ['DNSKEY 256 3 5 AQPSKmyn fzW4', '0100 03 05 0103d22a6ca77f35b8', 'DNSKEY 256 3 5 AQPSKmynfzW4'],
  // RFC 4034 section 3.3.
  [
    'RRSIG A 5 3 86400 20030322173103 ( 20030220173103 2642 example.com. oJB1W6WNGv+l )',
    '0001 05 03 00015180 3e7c9dd7 3e5510d7 0a52 076578616d706c6503636f6d00 a090755ba58d1affa5',
    'RRSIG A 5 3 86400 20030322173103 20030220173103 2642 example.com. oJB1W6WNGv+l',
  ],
  [
    'RRSIG TYPE1234 8 0 0 4294967295 0 0 . AAAA',
    '04d2 08 00 00000000 ffffffff 00000000 0000 00 000000',
    'RRSIG TYPE1234 8 0 0 21060207062815 19700101000000 0 . AAAA',
  ],
  // RFC 4034 section 4.3.
  [
    'NSEC host.example.com. ( A MX RRSIG NSEC TYPE1234 )',
    `04686f7374 076578616d706c65 03636f6d 00 0006 400100000003 041b ${'00'.repeat(26)}20`,
    'NSEC host.example.com. A MX RRSIG NSEC TYPE1234',
  ],
  ['NSEC . TYPE65535 a', `00 000140 ff20 ${'00'.repeat(31)}01`, 'NSEC . A TYPE65535'],
  // RFC 5155 appendix A.
  [
    'NSEC3 1 1 12 aabbccdd ( 2t7b4g4vsa5smi47k61mv5bv1a22bojr MX DNSKEY NS SOA NSEC3PARAM RRSIG )',
    '01 01 000c 04aabbccdd 14 174eb2409fe28bcb4887a1836f957f0a8425e27b 0007 220100000002 90',
    'NSEC3 1 1 12 AABBCCDD 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR NS SOA MX RRSIG DNSKEY NSEC3PARAM',
  ],
  ['NSEC3 1 0 0 - 00', '01 00 0000 00 01 00'],
  ['NSEC3PARAM 1 0 12 AABBCCDD', '01 00 000c 04aabbccdd'],
  // RFC 6698 section 2.3.
  [
    'TLSA 0 0 1 ( d2abde240d7cd3ee6b4b28c54df034b9 7983a1d16e8a410e4561cb106618e971 )',
    '00 00 01 d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971',
    'TLSA 0 0 1 D2ABDE240D7CD3EE6B4B28C54DF034B97983A1D16E8A410E4561CB106618E971',
  ],
  // RFC 4255 section 3.2.
  ['SSHFP 2 1 123456789ABCDEF67890123456789ABCDEF67890', '02 01 123456789abcdef67890123456789abcdef67890'],
  // RFC 9460 appendix D.1 and D.2.
  ['HTTPS 0 foo.example.com.', `0000 ${FOO}`],
  ['SVCB 1 .', '0001 00'],
  ['SVCB 16 foo.example.com. port=53', `0010 ${FOO} 0003 0002 0035`],
  [
    'SVCB 1 foo.example.com. key667=hello',
    `0001 ${FOO} 029b 0005 68656c6c6f`,
    'SVCB 1 foo.example.com. key667="hello"',
  ],
  ['SVCB 1 foo.example.com. key667="hello\\210qoo"', `0001 ${FOO} 029b 0009 68656c6c6fd2716f6f`],
  [
    'SVCB 1 foo.example.com. ( ipv6hint="2001:db8::1,2001:db8::53:1" )',
    `0001 ${FOO} 0006 0020 20010db8000000000000000000000001 20010db8000000000000000000530001`,
    'SVCB 1 foo.example.com. ipv6hint=2001:db8::1,2001:db8::53:1',
  ],
  [
    'SVCB 1 example.com. ipv6hint="2001:db8:122:344::192.0.2.33"',
    '0001 076578616d706c6503636f6d00 0006 0010 20010db80122034400000000c0000221',
    'SVCB 1 example.com. ipv6hint=2001:db8:122:344::c000:221',
  ],
  [
    'SVCB 16 foo.example.org. ( alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1 )',
    `0010 ${FOO_ORG} 0000 0004 0001 0004 0001 0009 02 6832 05 68332d3139 0004 0004 c0000201`,
    'SVCB 16 foo.example.org. mandatory=alpn,ipv4hint alpn="h2,h3-19" ipv4hint=192.0.2.1',
  ],
  ['SVCB 16 foo.example.org. alpn="f\\\\\\\\oo\\\\,bar,h2"', `0010 ${FOO_ORG} 0001 000c 08 665c6f6f2c626172 02 6832`],
  [
    'SVCB 16 foo.example.org. alpn=f\\\\\\092oo\\092,bar,h2',
    `0010 ${FOO_ORG} 0001 000c 08 665c6f6f2c626172 02 6832`,
    'SVCB 16 foo.example.org. alpn="f\\\\\\\\oo\\\\,bar,h2"',
  ],
  ['HTTPS 1 . alpn="h2" no-default-alpn', '0001 00 0001 0003 026832 0002 0000'],
  ['HTTPS 1 . no-default-alpn alpn=h2', '0001 00 0001 0003 026832 0002 0000', 'HTTPS 1 . alpn="h2" no-default-alpn'],
  ['HTTPS 1 . ech=AEj+DQ==', '0001 00 0005 0004 0048fe0d'],
  ['HTTPS 1 . ipv6hint=::ffff:10.0.0.1', `0001 00 0006 0010 ${'00'.repeat(10)}ffff0a000001`],
  ['SVCB 1 . dohpath="/q{?dns}" ohttp', '0001 00 0007 0008 2f717b3f646e737d 0008 0000'],
  ['SVCB 1 . key65534 key9="\\000"', '0001 00 0009 0001 00 fffe 0000', 'SVCB 1 . key9="\\000" key65534'],
  // RFC 3597 section 5.
  ['TYPE731 \\# 6 abcd ( ef 01 23 45 )', 'abcdef012345', 'TYPE731 \\# 6 ABCDEF012345'],
  ['TYPE62347 \\# 0', ''],
  ['A \\# 4 0A000001', '0a000001', 'A 10.0.0.1'],
  ['TYPE1 10.0.0.2', '0a000002', 'A 10.0.0.2'],
  ['TXT \\# 3 02 6869', '026869', 'TXT "hi"'],
  ['TXT "\\#" "4"', '0123 0134', 'TXT "#" "4"'],
  ['NS \\# 17 03666f6f076578616d706c6503636f6d00', FOO, 'NS foo.example.com.'],
  ['DNAME \\# 1 00', '00'],
];

function wireOf(record: { type: number; rdata: Uint8Array }): string {
  const writer = WireWriter.growing();
  writeRdata(writer, record.type, record.rdata);
  const wire = writer.written();
  assert.equal((wire[0]! << 8) | wire[1]!, wire.length - 2);
  return hexOf(wire.subarray(2));
}

describe('text, wire, text', () => {
  for (const [text, wire, written = text] of ROWS) {
    it(text.slice(0, 90), () => {
      const record = parseRecord(`x. 60 IN ${text}`);
      const expected = wire.replaceAll(' ', '');
      assert.equal(hexOf(record.rdata), expected);
      assert.equal(record.rdata.constructor, Uint8Array, 'never a pooled Buffer');
      assert.equal(formatRecord(record), `x. 60 IN ${written}`);
      assert.equal(wireOf(record), expected);
      assert.deepEqual(parseRecord(formatRecord(record)), record);
    });
  }

  it('and through a whole message', () => {
    const question = { name: parseName('x.'), type: 255, class: 1 };
    // A pointer takes the case of what it points to.
    const answers = ROWS.filter(([text]) => !text.includes('FOO')).map(([text]) => parseRecord(`x. 60 IN ${text}`));
    const message: Message = { ...queryMessage(1, question), flags: 0x8400, answers };
    assert.deepEqual(decodeMessage(encodeMessage(message)), message);
  });

  it('the RDATA that was read does not change with the message', () => {
    for (const [text, wire] of ROWS) {
      const type = parseType(text.split(' ')[0]!)!;
      const message = Buffer.from(bytes(wire));
      const rdata = readRdata(new WireReader(message), type, message.length);
      const before = hexOf(rdata);
      message.fill(0x55);
      assert.equal(hexOf(rdata), before, text);
    }
  });
});

describe('compressed names in RDATA', () => {
  const at = 17;
  const name = '03777777 0161 00';
  const rows: readonly [text: string, rdata: string, expanded: string | undefined][] = [
    ['NS', 'c011', name],
    ['CNAME', '0178 c011', `0178 ${name}`],
    ['PTR', 'c015', '0161 00'],
    ['MX', '0005 c011', `0005 ${name}`],
    [
      'SOA',
      'c011 c015 00000001 00000002 00000003 00000004 00000005',
      `${name} 0161 00 ${'00000001 00000002 00000003 00000004 00000005'}`,
    ],
    // Read as older servers send them (RFC 3597 section 4), never sent.
    ['SRV', '0001 0002 0003 c011', `0001 0002 0003 ${name}`],
    ['NAPTR', '0001 0002 00 00 00 c011', `0001 0002 00 00 00 ${name}`],
    ['RP', 'c011 c015', `${name} 0161 00`],
    ['AFSDB', '0001 c015', '0001 0161 00'],
    ['SVCB', '0001 c011', undefined],
    ['HTTPS', '0001 c011', undefined],
    ['NSEC', 'c011 000140', undefined],
    ['RRSIG', '0001 08 00 00000000 00000000 00000000 0000 c011 00', undefined],
    // Nobody can know that this is a name.
    ['DNAME', 'c011', 'c011'],
    ['TYPE1234', 'c011', 'c011'],
  ];
  for (const [type, rdata, expanded] of rows) {
    it(`${type}: ${expanded === undefined ? 'refused' : 'read'}`, () => {
      const message = octets('0001 8000 0000 0001 0000 0000 00 000a00', name, rdata);
      const code = parseType(type)!;
      const read = (): Uint8Array => {
        const reader = new WireReader(octets(new Uint8Array(at), name, rdata), at + 7);
        return readRdata(reader, code, bytes(rdata).length);
      };
      assert.ok(message.length > 0);
      if (expanded === undefined) assert.throws(read, WireError);
      else assert.equal(hexOf(read()), expanded.replaceAll(' ', ''));
    });
  }

  it('are refused in \\# text, where there is nothing to point at', () => {
    for (const text of [
      'MX \\# 7 0005 0161 00 c0 00',
      'SOA \\# 25 0161 00 c000'.concat('00'.repeat(20)),
      'SVCB \\# 4 0001 c000',
    ]) {
      assert.throws(() => parseRecord(`x. IN ${text}`), PresentationError, text);
    }
    assert.throws(() => parseRecord('x. IN RP \\# 5 016100 c000'), /^PresentationError: compressed name in \\# data$/);
  });
});

describe('text that is no RDATA', () => {
  // The column is where the token begins in `x. IN <text>`.
  const rows: readonly [text: string, message: string, column: number][] = [
    ['A', 'missing IPv4 address', 7],
    ['A 1.2.3', "'1.2.3' is not an IPv4 address", 9],
    ['A 1.2.3.4.5', "'1.2.3.4.5' is not an IPv4 address", 9],
    ['A 01.2.3.4', "'01.2.3.4' is not an IPv4 address", 9],
    ['A ::1', "'::1' is not an IPv4 address", 9],
    ['A ::ffff:1.2.3.4', "'::ffff:1.2.3.4' is not an IPv4 address", 9],
    ['A 1.2.3.4 5', "unexpected '5' after the record", 17],
    ['AAAA 1.2.3.4', "'1.2.3.4' is not an IPv6 address", 12],
    ['AAAA fe80::1%eth0', "'fe80::1%eth0' is not an IPv6 address", 12],
    ['MX 10', 'missing exchange', 10],
    ['MX x foo.', "preference must be a number from 0 to 65535, not 'x'", 10],
    ['MX 65536 .', "preference must be a number from 0 to 65535, not '65536'", 10],
    ['MX -1 .', "preference must be a number from 0 to 65535, not '-1'", 10],
    ['NS a..b.', "name server: empty label in 'a..b.'", 10],
    ['NS a\\', 'name server: backslash at the end', 10],
    ['SOA . . 4294967296 1 1 1 1', "serial must be a number from 0 to 4294967295, not '4294967296'", 15],
    ['SOA . . 1 1x 1 1 1', "refresh must be a time of at most 2^32 - 1 s, not '1x'", 17],
    ['TXT', 'missing text', 7],
    [`TXT "${'x'.repeat(256)}"`, 'text has 256 octets (at most 255)', 11],
    ['TXT "\\256"', "bad escape '\\256'", 11],
    ['TXT "a\\é"', 'bad escape', 11],
    ['HINFO a', 'missing OS', 13],
    ['CAA 0 is-sue "x"', 'tag must be letters and digits', 13],
    ['CAA 256 issue "x"', "flags must be a number from 0 to 255, not '256'", 11],
    ['DS 1 2 3', 'missing digest', 14],
    ['DS 1 2 3 abc', 'digest must be hexadecimal', 16],
    ['DS 1 2 3 gg', 'digest must be hexadecimal', 16],
    ['DNSKEY 1 2 3 A', 'key must be base64', 20],
    ['DNSKEY 1 2 3 AB==', 'key must be base64', 20],
    ['DNSKEY 1 2 3 A-_=', 'key must be base64', 20],
    ['RRSIG FOO 1 1 1 1 1 1 . AAAA', "unknown type 'FOO'", 13],
    ['RRSIG A 1 1 1 20030230000000 1 1 . AAAA', 'expiration is not a date', 21],
    ['RRSIG A 1 1 1 20030101250000 1 1 . AAAA', 'expiration is not a date', 21],
    ['RRSIG A 1 1 1 19691231235959 1 1 . AAAA', 'expiration is not a date', 21],
    ['RRSIG A 1 1 1 4294967296 1 1 . AAAA', 'bad expiration', 21],
    ['RRSIG A 1 1 1 200301012500 1 1 . AAAA', 'bad expiration', 21],
    ['NSEC . A FOO', "unknown type 'FOO'", 16],
    ['NSEC3 1 0 0 - 0w A', 'hash must be base32hex', 21],
    ['NSEC3 1 0 0 - 000 A', 'hash does not end with an octet', 21],
    ['NSEC3 1 0 0 - 01 A', 'hash does not end with an octet', 21],
    ['NSEC3 1 0 0 abc 00 A', 'bad salt', 19],
    ['NSEC3 1 0 0 "" 00 A', 'bad salt', 19],
    ['TYPE1234 1.2.3.4', 'RDATA of this type must be written as \\# length hex (RFC 3597)', 16],
    ['TYPE1234 \\# 2 00', '\\# announces 2 octets, the data are not that', 16],
    ['TYPE1234 \\# 1 0g', '\\# announces 1 octets, the data are not that', 16],
    ['TYPE1234 \\# 65536 00', "length must be a number from 0 to 65535, not '65536'", 19],
    ['TYPE1234 \\#', 'missing length', 16],
    ['A \\# 3 000000', 'message is cut short', 9],
    ['A \\# 5 0000000000', 'RDATA is shorter than its length says', 9],
    // RFC 9460 appendix D.3, in order.
    ['SVCB 1 foo.example.com. ( key123=abc key123=def )', "parameter 'key123' stands twice", 44],
    ['SVCB 1 foo.example.com. mandatory', "bad value for 'mandatory'", 31],
    ['SVCB 1 foo.example.com. alpn', "bad value for 'alpn'", 31],
    ['SVCB 1 foo.example.com. port', "bad value for 'port'", 31],
    ['SVCB 1 foo.example.com. ipv4hint', "bad value for 'ipv4hint'", 31],
    ['SVCB 1 foo.example.com. ipv6hint', "bad value for 'ipv6hint'", 31],
    ['SVCB 1 foo.example.com. no-default-alpn=abc', "bad value for 'no-default-alpn'", 31],
    ['SVCB 1 foo.example.com. mandatory=key123', "mandatory parameter 'key123' is missing", 31],
    ['SVCB 1 foo.example.com. mandatory=mandatory', "bad value for 'mandatory'", 31],
    ['SVCB 1 foo.example.com. ( mandatory=key123,key123 key123=abc )', "bad value for 'mandatory'", 33],
    // And more of the kind.
    ['SVCB 1 . no-default-alpn', "'no-default-alpn' needs 'alpn'", 16],
    ['SVCB 1 . alpn="h2,,h3"', "bad value for 'alpn'", 16],
    ['SVCB 1 . alpn="h2,"', "bad value for 'alpn'", 16],
    ['SVCB 1 . alpn="a\\\\b"', "bad value for 'alpn'", 16],
    [`SVCB 1 . alpn="${'x'.repeat(256)}"`, "bad value for 'alpn'", 16],
    ['SVCB 1 . port=65536', "bad value for 'port'", 16],
    ['SVCB 1 . ipv4hint=::1', "bad value for 'ipv4hint'", 16],
    ['SVCB 1 . ipv4hint=::ffff:1.2.3.4', "bad value for 'ipv4hint'", 16],
    ['SVCB 1 . ipv6hint=1.2.3.4', "bad value for 'ipv6hint'", 16],
    ['SVCB 1 . ech=A', "bad value for 'ech'", 16],
    ['SVCB 1 . ech=', "bad value for 'ech'", 16],
    ['SVCB 1 . PORT=1', "unknown parameter 'PORT'", 16],
    ['SVCB 1 . key01=1', "unknown parameter 'key01'", 16],
    ['SVCB 1 . key65535=1', "unknown parameter 'key65535'", 16],
    ['SVCB 1 . key3=x', "bad value for 'port'", 16],
  ];
  for (const [text, message, column] of rows) {
    it(text.slice(0, 60), () => {
      assert.throws(
        () => parseRecord(`x. IN ${text}`),
        (thrown) => {
          assert.ok(thrown instanceof PresentationError, String(thrown));
          assert.deepEqual([thrown.message, thrown.line, thrown.column], [message, 1, column]);
          return true;
        },
      );
    });
  }

  it('more than 65,535 octets', () => {
    const text = `x. IN TXT ${`"${'x'.repeat(255)}" `.repeat(256)}`;
    assert.throws(() => parseRecord(text), /^PresentationError: RDATA has 65536 octets \(at most 65535\)$/);
  });
});

describe('wire that is no RDATA', () => {
  const rows: readonly [type: string, rdata: string][] = [
    ['A', ''],
    ['A', '0a0000'],
    ['A', '0a00000100'],
    ['AAAA', '00'.repeat(15)],
    ['AAAA', '00'.repeat(17)],
    ['NS', ''],
    ['NS', '0161'],
    ['NS', '016100 00'],
    ['NS', '4100'],
    ['SOA', '00 00 00000001 00000002 00000003 00000004 000000'],
    ['SOA', '00 00 00000001 00000002 00000003 00000004 00000005 00'],
    ['MX', '0001'],
    ['MX', '00'],
    ['TXT', ''],
    ['TXT', '01'],
    ['TXT', '0161 02 61'],
    ['HINFO', '0161'],
    ['HINFO', '00 00 00'],
    ['SRV', '0001 0002 0003'],
    ['SRV', '0001 0002 0003 00 00'],
    ['NAPTR', '0001 0002 00 00 00'],
    ['URI', '0001'],
    ['CAA', '00 00 61'],
    ['CAA', '00 01'],
    ['CAA', '00 01 20 61'],
    ['CAA', '00 02 610a 61'],
    ['CAA', '00 01 e9 61'],
    ['DS', '0001 05 01'],
    ['DNSKEY', '0100 03 05'],
    ['RRSIG', '0001 05 03 00015180 3e7c9dd7 3e5510d7 0a52 00'],
    ['TLSA', '00 00 01'],
    ['SSHFP', '01 01'],
    ['NSEC', ''],
    ['NSEC', '00 00'],
    ['NSEC', '00 0000'],
    ['NSEC', '00 0002 40'],
    ['NSEC', '00 0002 4000'],
    ['NSEC', `00 0021 ${'ff'.repeat(33)}`],
    ['NSEC', '00 000140 000140'],
    ['NSEC', '00 010140 000140'],
    ['NSEC3', '01 00 0000 00 00'],
    ['NSEC3', '01 00 0000 05 aa 01 00'],
    ['NSEC3', '01 00 0000 00 02 00'],
    ['NSEC3PARAM', '01 00 0000 00 00'],
    ['SVCB', '0001'],
    ['SVCB', '0001 00 0003'],
    ['SVCB', '0001 00 0003 0002 00'],
    ['SVCB', '0001 00 0003 0002 0035 0001 0003 026832'],
    ['SVCB', '0001 00 0003 0002 0035 0003 0002 0035'],
    ['SVCB', '0001 00 0000 0000'],
    ['SVCB', '0001 00 0000 0003 000100'],
    ['SVCB', '0001 00 0000 0002 0000'],
    ['SVCB', '0001 00 0000 0004 0003 0001'],
    ['SVCB', '0001 00 0000 0004 0003 0003'],
    ['SVCB', '0001 00 0001 0000'],
    ['SVCB', '0001 00 0001 0001 00'],
    ['SVCB', '0001 00 0001 0002 0268'],
    ['SVCB', '0001 00 0001 0003 016800'],
    ['SVCB', '0001 00 0002 0001 00'],
    ['SVCB', '0001 00 0003 0001 00'],
    ['SVCB', '0001 00 0003 0003 000000'],
    ['SVCB', '0001 00 0004 0000'],
    ['SVCB', '0001 00 0004 0005 0000000000'],
    ['SVCB', '0001 00 0005 0000'],
    ['SVCB', `0001 00 0006 0008 ${'00'.repeat(8)}`],
    ['SVCB', '0001 00 0008 0001 00'],
    ['SVCB', '0001 00 ffff 0000'],
  ];
  for (const [type, rdata] of rows) {
    it(`${type} ${rdata.slice(0, 50)}`, () => {
      const code = parseType(type)!;
      const wire = bytes(rdata);
      // With more of the message behind it, so that reading on does not hit the end by luck.
      for (const behind of ['', '00'.repeat(40), '01'.repeat(300)]) {
        const reader = new WireReader(octets(wire, behind));
        assert.throws(
          () => readRdata(reader, code, wire.length),
          (thrown) => thrown instanceof WireError && thrown.rcode === 1,
          `${behind.length / 2} octets behind`,
        );
      }
      assert.throws(() => parseRecord(`x. IN ${type} \\# ${wire.length} ${hexOf(wire)}`), PresentationError);
    });
  }

  it('a length past the end of the message', () => {
    assert.throws(() => readRdata(new WireReader(bytes('00')), parseType('TYPE1234')!, 2), WireError);
  });
});

describe('what builds and reads RDATA without text', () => {
  const soa = soaRdata({
    primary: parseName('ns.a.'),
    mailbox: parseName('h.a.'),
    serial: 4294967295,
    refreshSeconds: 1,
    retrySeconds: 2,
    expireSeconds: 3,
    minimumSeconds: 4,
  });

  it('SOA', () => {
    assert.equal(formatRdata(6, soa), 'ns.a. h.a. 4294967295 1 2 3 4');
    assert.deepEqual([soaSerial(soa), soaMinimum(soa)], [4294967295, 4]);
    const before = hexOf(soa);
    assert.equal(formatRdata(6, withSerial(soa, 7)), 'ns.a. h.a. 7 1 2 3 4');
    assert.equal(hexOf(soa), before);
  });

  it('SOA out of a Buffer, whose slices are views', () => {
    const pooled = Buffer.concat([Buffer.from('xx'), soa]).subarray(2);
    assert.equal(soaSerial(withSerial(pooled, 9)), 9);
    assert.equal(soaSerial(pooled), 4294967295);
  });

  it('SRV, TXT and single names', () => {
    const srv = srvRdata(1, 65535, 80, parseName('a.b.'));
    assert.equal(formatRdata(33, srv), '1 65535 80 a.b.');
    assert.equal(formatName(srvTarget(srv)), 'a.b.');
    assert.equal(formatName(nameOfRdata(parseRecord('x. NS a.b.').rdata)), 'a.b.');
    assert.equal(formatRdata(16, txtRdata([])), '""');
    assert.equal(formatRdata(16, txtRdata([Buffer.from('a'), Buffer.from('')])), '"a" ""');
    assert.throws(() => txtRdata([new Uint8Array(256)]), RangeError);
  });
});

it('every type with a shape has a row above', () => {
  const seen = new Set(ROWS.map(([text]) => parseType(text.split(' ')[0]!)!));
  for (let type = 1; type < 300; type++) {
    let hasShape = false;
    try {
      parseRecord(`x. IN ${formatType(type)} x`);
      hasShape = true;
    } catch (thrown) {
      hasShape = !/must be written as/.test((thrown as Error).message);
    }
    if (hasShape) assert.ok(seen.has(type), formatType(type));
  }
});

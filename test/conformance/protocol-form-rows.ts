// protocol-form-rows.ts -- the rows about form: broken messages, EDNS, cookies, opcodes and flags, transfers, signatures

import { EDNS_OPTION, TYPE } from '../../src/dns/codes.ts';
import type { Message } from '../../src/dns/message.ts';
import { CHECK, type ProtocolRow, row } from './protocol.ts';

const NEGATIVE = { answer: '', negative: 'conform.test.' };
const WWW = 'www.conform.test. 300 A 192.0.2.10\nwww.conform.test. 300 A 192.0.2.11';
const Q = '03 777777 07 636f6e666f726d 04 74657374 00 0001 0001'; // www.conform.test. A
const OPT = '00 0029 04d0 00 00 0000 0000';
/** Of a key `k.`, which nobody has. */
const TSIG = `016b 00 00fa 00ff 00000000 003a 08 686d61632d6d6435 07 7369672d616c67 03 726567 03 696e74 00 000065000000 012c 0010 ${'ab'.repeat(16)} 1234 0000 0000`;
const BADKEY = 17;
const BROKEN = 'FORMERR or silence';
const COOKIE = 'opt=10:0102030405060708';

/** Hardening of readers: RFC 9267 lists what goes wrong in them. */
const FORM: readonly ProtocolRow[] = [
  row('1035 4.1.1', 'nothing', 'hex:', 'silence', { over: 'udp' }),
  row('1035 4.1.1', 'an octet', 'hex: 00', 'silence'),
  row('1035 4.1.1', 'half a header', 'hex: 1234 0000 0001', BROKEN),
  row('1035 4.1.1', '11 octets', 'hex: 1234 0000 0001 0000 0000 00', BROKEN),
  row('1035 7.3', 'a response', `hex: 1234 8000 0001 0000 0000 0000 ${Q}`, 'silence'),
  row('1035 7.3', 'a response with an error', `hex: 1234 8001 0001 0000 0000 0000 ${Q}`, 'silence'),
  row('1035 7.3', 'a response without a question', 'hex: 1234 8001 0000 0000 0000 0000', 'silence'),
  row('1035 7.3', 'a response of another opcode', `hex: 1234 a800 0001 0000 0000 0000 ${Q}`, 'silence'),
  row('1035 4.1.2', 'no question', 'hex: 1234 0000 0001 0000 0000 0000', BROKEN),
  row('1035 4.1.2', 'a question without type', 'hex: 1234 0000 0001 0000 0000 0000 03 777777 00', BROKEN),
  row('1035 4.1.2', 'a question cut in its class', `hex: 1234 0000 0001 0000 0000 0000 ${Q.slice(0, -2)}`, BROKEN),
  row('1035 4.1.2', 'a name without end', 'hex: 1234 0000 0001 0000 0000 0000 03 777777', BROKEN),
  row('1035 4.1.2', 'a label longer than the message', 'hex: 1234 0000 0001 0000 0000 0000 3f 7777', BROKEN),
  row('1035 4.1.4', 'a pointer to itself', 'hex: 1234 0000 0001 0000 0000 0000 c00c 0001 0001', BROKEN),
  row('1035 4.1.4', 'a pointer forward', 'hex: 1234 0000 0001 0000 0000 0000 c00e 0000 0001 0001', BROKEN),
  row('1035 4.1.4', 'a pointer past the end', 'hex: 1234 0000 0001 0000 0000 0000 ffff 0001 0001', BROKEN),
  row('1035 4.1.4', 'two pointers round', 'hex: 1234 0000 0001 0000 0000 0000 01 61 c00c 0001 0001', BROKEN),
  row('1035 2.3.4', 'label type 01', 'hex: 1234 0000 0001 0000 0000 0000 41 00 0001 0001', BROKEN),
  row('1035 2.3.4', 'label type 10', 'hex: 1234 0000 0001 0000 0000 0000 80 00 0001 0001', BROKEN),
  row(
    '1035 2.3.4',
    'a name of 256 octets',
    `hex: 1234 0000 0001 0000 0000 0000 ${`3f${'61'.repeat(63)}`.repeat(3)} 3e ${'61'.repeat(62)} 00 0001 0001`,
    BROKEN,
  ),
  row('1035 4.1', 'octets behind the message', `hex: 1234 0000 0001 0000 0000 0000 ${Q} 00`, `${BROKEN} or NOERROR aa`),
  row('1035 4.1.1', 'ANCOUNT of 1 and none there', `hex: 1234 0000 0001 0001 0000 0000 ${Q}`, BROKEN),
  row('1035 4.1.1', 'NSCOUNT of 1 and none there', `hex: 1234 0000 0001 0000 0001 0000 ${Q}`, BROKEN),
  row('1035 4.1.1', 'ARCOUNT of 1 and none there', `hex: 1234 0000 0001 0000 0000 0001 ${Q}`, BROKEN),
  row('1035 4.1.1', 'ARCOUNT of 65,535', `hex: 1234 0000 0001 0000 0000 ffff ${Q} ${OPT}`, BROKEN),
  row('1035 4.1.1', 'QDCOUNT of 65,535', `hex: 1234 0000 ffff 0000 0000 0000 ${Q}`, BROKEN),
  row('9619 4', 'two questions', 'www.conform.test. A twice', 'FORMERR', {
    except: { Knot: 'silent, and older than the RFC' },
  }),
  row('9619 4', 'two questions, one there', `hex: 1234 0000 0002 0000 0000 0000 ${Q}`, BROKEN),
  row('9619 4', 'none, and no cookie', 'hex: 1234 0000 0000 0000 0000 0000', 'FORMERR', {
    except: { NSD: 'over TCP, less than a question closes the connection' },
  }),
  row('9619 4', 'none, with EDNS', `hex: 1234 0000 0000 0000 0000 0001 ${OPT}`, 'FORMERR', {
    except: { NSD: 'NOERROR, and older than the RFC' },
  }),
];

const RFC_6891: readonly ProtocolRow[] = [
  row('6891 6.1.1', 'OPT for OPT', 'www.conform.test. A edns', 'NOERROR aa', { answer: WWW }),
  row('6891 7', 'none for none', 'www.conform.test. A', 'NOERROR aa', { answer: WWW }),
  row('6891 6.1.1', 'in NXDOMAIN', 'nobody.conform.test. A edns', 'NXDOMAIN aa', NEGATIVE),
  row('6891 6.1.1', 'in REFUSED', 'www.elsewhere.example. A edns', 'REFUSED'),
  row('6891 6.1.1', 'in NOTIMP', 'www.conform.test. A opcode=15 edns', 'NOTIMP', {
    except: { NSD: 'has no OPT in what it says to an unknown opcode' },
  }),
  row('6891 6.1.3', 'version 1', 'www.conform.test. A edns=1', 'BADVERS', { answer: '' }),
  row('6891 6.1.3', 'version 255', 'www.conform.test. A edns=255 do', 'BADVERS', { answer: '' }),
  row('6891 6.1.3', 'for a name that is not ours', 'www.elsewhere.example. A edns=1', 'BADVERS', { answer: '' }),
  row('6891 6.1.2', 'an option nobody knows', 'www.conform.test. A opt=65001:00ff', 'NOERROR aa', {
    answer: WWW,
    check: CHECK.noOption(65001),
  }),
  row('6891 6.1.2', 'an empty one', 'www.conform.test. A opt=100:', 'NOERROR aa', { check: CHECK.noOption(100) }),
  row(
    '6891 6.1.2',
    'twenty',
    `www.conform.test. A ${Array.from({ length: 20 }, (_, i) => `opt=${65001 + i}:aa`).join(' ')}`,
    'NOERROR aa',
  ),
  row('6891 6.1.4', 'unknown flags', 'www.conform.test. A ednsflags=7fff', 'NOERROR aa', {
    check: (_, octets) => (octets.subarray(-11).includes(Buffer.of(0x7f, 0xff)) ? 'they come back' : undefined),
  }),
  row('6891 6.2.3', 'a size of 0 means 512', 'medium.conform.test. TXT size=0', 'NOERROR aa tc', { over: 'udp' }),
  row('6891 6.2.3', 'so does 511', 'medium.conform.test. TXT size=511', 'NOERROR aa tc', { over: 'udp' }),
  row('6891 6.2.5', '1232', 'medium.conform.test. TXT size=1232', 'NOERROR aa', { check: CHECK.answers(1) }),
  row('flag day 2020', 'no more than 1,232', 'big.conform.test. TXT size=65535', 'NOERROR aa tc', { over: 'udp' }),
  row('6891 6.2.5', 'over a stream size means nothing', 'big.conform.test. TXT size=512', 'NOERROR aa', {
    over: 'stream',
    check: CHECK.answers(1),
  }),
  row('6891 7', 'OPT in a reply that is cut', 'big.conform.test. TXT size=512', 'NOERROR aa tc', { over: 'udp' }),
  row('6891 6.1.1', 'two OPT records', `hex: 1234 0000 0001 0000 0000 0002 ${Q} ${OPT} ${OPT}`, 'FORMERR'),
  row(
    '6891 6.1.2',
    'an owner other than the root',
    `hex: 1234 0000 0001 0000 0000 0001 ${Q} 0161 ${OPT}`,
    `${BROKEN} or NOERROR aa`,
  ),
  row(
    '6891 6.1.2',
    'RDATA past the end',
    `hex: 1234 0000 0001 0000 0000 0001 ${Q} 00 0029 04d0 00 00 0000 0001`,
    BROKEN,
  ),
  row(
    '6891 6.1.2',
    'an option past the RDATA',
    `hex: 1234 0000 0001 0000 0000 0001 ${Q} 00 0029 04d0 00 00 0000 0005 fde9 0002 00`,
    BROKEN,
  ),
  row(
    '6891 6.1.2',
    'half an option',
    `hex: 1234 0000 0001 0000 0000 0001 ${Q} 00 0029 04d0 00 00 0000 0002 fde9`,
    BROKEN,
  ),
  row('6891 6.1.1', 'OPT asked for', 'www.conform.test. TYPE41', 'FORMERR or NOERROR aa or NOTIMP or REFUSED', {
    answer: '',
  }),
];

const RFC_7873: readonly ProtocolRow[] = [
  row('7873 5.2.3', 'a client cookie gets one back', `www.conform.test. A ${COOKIE}`, 'NOERROR aa or BADCOOKIE aa?', {
    check: CHECK.cookie('0102030405060708'),
  }),
  row(
    '7873 5.2.4',
    'a bad server cookie',
    'www.conform.test. A opt=10:0102030405060708aaaaaaaabbbbbbbb',
    'NOERROR aa or BADCOOKIE aa?',
    {
      check: CHECK.cookie('0102030405060708'),
    },
  ),
  row(
    '7873 5.2.4',
    'one of 40 octets',
    `www.conform.test. A opt=10:0102030405060708${'cd'.repeat(32)}`,
    'NOERROR aa or BADCOOKIE aa?',
    {
      check: CHECK.cookie('0102030405060708'),
    },
  ),
  ...[0, 1, 7, 9, 15, 41].map((length) =>
    row('7873 5.2.2', `${length} octets`, `www.conform.test. A opt=10:${'ab'.repeat(length)}`, 'FORMERR'),
  ),
  row('7873 5.4', 'a cookie and no question', `www.conform.test. A ${COOKIE} headeronly`, 'NOERROR aa?', {
    answer: '',
    except: { Knot: 'FORMERR: this use of cookies is not spoken there' },
    check: CHECK.cookie('0102030405060708'),
  }),
  row('7828 3.3', 'keepalive over UDP', 'www.conform.test. A opt=11:', 'NOERROR aa', {
    over: 'udp',
    check: CHECK.noOption(EDNS_OPTION.KEEPALIVE),
  }),
  row('7828 3.3', 'keepalive over a stream: none, or a time', 'www.conform.test. A opt=11:', 'NOERROR aa', {
    over: 'stream',
    check: ({ edns }) =>
      edns?.options.some(({ code, data }) => code === EDNS_OPTION.KEEPALIVE && data.length !== 2)
        ? 'not of 2 octets'
        : undefined,
  }),
  row('7830 4', 'padding in the clear', `www.conform.test. A opt=12:${'00'.repeat(20)}`, 'NOERROR aa', { answer: WWW }),
  row('7871 7.2', 'a client subnet', 'www.conform.test. A opt=8:00011800c00002', 'NOERROR aa', { answer: WWW }),
  row('5001 2.1', 'NSID', 'www.conform.test. A opt=3:', 'NOERROR aa', { answer: WWW }),
];

/** What ISC's genreport asks, beside what stands above. */
const RFC_8906: readonly ProtocolRow[] = [
  row('8906 8.1.1', 'plain', 'conform.test. SOA', 'NOERROR aa', { check: CHECK.answers(1) }),
  ...['TYPE1000', 'TYPE0', 'TYPE65535', 'DNSKEY', 'NSEC3PARAM', 'TYPE53', 'TYPE99', 'RRSIG', 'CAA'].map((type) =>
    row('8906 8.1.2', `type ${type}`, `www.conform.test. ${type}`, 'NOERROR aa', {
      ...NEGATIVE,
      except: {
        ...(type === 'TYPE0' ? { Knot: 'NOTIMP for the reserved type 0' } : {}),
      },
    }),
  ),
  ...['0010', '0020', '0040', '0100', '0080', '0200', '0400', '000f', '07ff'].map((flags) =>
    row('8906 8.1.3', `flags ${flags}`, `conform.test. SOA flags=${flags}`, 'NOERROR aa', {
      check: CHECK.answers(1),
      except: flags.endsWith('f') ? { NSD: 'an rcode in a query is FORMERR there' } : {},
    }),
  ),
  ...[3, 7, 8, 9, 10, 11, 12, 13, 14, 15].map((opcode) =>
    row('8906 8.1.4', `opcode ${opcode}`, `conform.test. SOA opcode=${opcode} headeronly`, 'NOTIMP or FORMERR', {
      except: { NSD: 'over TCP, less than a question closes the connection' },
    }),
  ),
  row('8906 8.1.4', 'opcode 15 with a question', 'conform.test. SOA opcode=15', 'NOTIMP'),
  row('8906 8.1.4', 'DSO without a session', 'conform.test. SOA opcode=6 headeronly', 'NOTIMP or FORMERR', {
    over: 'udp',
  }),
  row('8906 8.2.1', 'EDNS', 'conform.test. SOA edns size=4096', 'NOERROR aa', { check: CHECK.answers(1) }),
  row('8906 8.2.2', 'version 1', 'conform.test. SOA edns=1', 'BADVERS', { answer: '' }),
  row('8906 8.2.3', 'an option', 'conform.test. SOA opt=100:', 'NOERROR aa', { check: CHECK.noOption(100) }),
  row('8906 8.2.4', 'a flag', 'conform.test. SOA ednsflags=0040', 'NOERROR aa', { check: CHECK.answers(1) }),
  row('8906 8.2.5', 'version 1 and a flag', 'conform.test. SOA edns=1 ednsflags=0040', 'BADVERS', { answer: '' }),
  row('8906 8.2.6', 'version 1 and an option', 'conform.test. SOA edns=1 opt=100:', 'BADVERS', {
    answer: '',
    check: CHECK.noOption(100),
  }),
  row('8906 8.2.7', 'DO, 512', 'conform.test. DNSKEY do size=512', 'NOERROR aa', NEGATIVE),
  row('8906 8.2.8', 'DO and version 1', 'conform.test. SOA edns=1 do', 'BADVERS', { answer: '' }),
  row(
    '8906 8.2.9',
    'four options',
    `conform.test. SOA opt=3: ${COOKIE} opt=8:00011800c00002 opt=9:`,
    'NOERROR aa or BADCOOKIE aa?',
  ),
  row('5966', 'AAAA, EDNS and all flags', 'conform.test. SOA flags=01b0 do opt=3:', 'NOERROR aa'),
];

const OTHER: readonly ProtocolRow[] = [
  row('1996 3.8', 'NOTIFY from nobody', 'conform.test. SOA opcode=4', 'NOTIMP or REFUSED or NOTAUTH or NOERROR aa?'),
  row('2136 3', 'UPDATE', 'conform.test. SOA opcode=5', 'NOTIMP or REFUSED or NOTAUTH'),
  row('5936 2.2', 'AXFR of another zone', 'elsewhere.example. AXFR', 'NOTAUTH or REFUSED', { over: 'stream' }),
  row('5936 4.2', 'AXFR over UDP', 'conform.test. AXFR', 'FORMERR or REFUSED or NOTIMP or NOERROR aa? tc', {
    over: 'udp',
    answer: '',
  }),
  row('1995 2', 'IXFR without a serial', 'conform.test. IXFR', 'FORMERR or NOTIMP or REFUSED', {
    over: 'stream',
    answer: '',
    except: { NSD: 'what comes back cannot be read' },
  }),
  row('8945 5.2', 'a key that nobody knows', `hex: 1234 0000 0001 0000 0000 0001 ${Q} ${TSIG}`, 'NOTAUTH', {
    check: badKey,
  }),
  row('8945 5.1', 'TSIG not at the end', `hex: 1234 0000 0001 0000 0000 0002 ${Q} ${TSIG} ${OPT}`, BROKEN),
];

export const FORM_ROWS: readonly ProtocolRow[] = [FORM, RFC_6891, RFC_7873, RFC_8906, OTHER].flat();

/** An unsigned TSIG that says BADKEY (RFC 8945 section 5.2.1): behind the error is only the length of other data. */
function badKey({ additionals }: Message): string | undefined {
  const last = additionals.at(-1);
  if (last?.type !== TYPE.TSIG) return 'no TSIG';
  const error = Buffer.from(last.rdata).readUInt16BE(last.rdata.length - 4);
  return error === BADKEY ? undefined : `the error ${error}`;
}

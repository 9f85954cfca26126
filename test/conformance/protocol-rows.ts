// protocol-rows.ts -- the table: RFC by RFC, what is asked, and what every authoritative server owes as a reply

import { CHECK, type ProtocolRow, row } from './protocol.ts';
import { FORM_ROWS } from './protocol-form-rows.ts';
import { LONGEST_NAME } from './protocol-zone.ts';

const ZONE = 'conform.test.';
const NEGATIVE: Partial<ProtocolRow> = { answer: '', negative: ZONE };
const WWW = 'www.conform.test. 300 A 192.0.2.10\nwww.conform.test. 300 A 192.0.2.11';
const ALIAS = 'alias.conform.test. 300 CNAME www.conform.test.';
const SUB = 'sub.conform.test. 300 NS ns.sub.conform.test.\nsub.conform.test. 300 NS ns1.conform.test.';
const SUB_GLUE = 'ns.sub.conform.test. 300 A 192.0.2.40\nns.sub.conform.test. 300 AAAA 2001:db8::40';
const REFERRAL: Partial<ProtocolRow> = { answer: '', authority: SUB, additional: SUB_GLUE };

const RFC_1034: readonly ProtocolRow[] = [
  row('1034 4.3.2', 'own data, with AA', 'www.conform.test. A', 'NOERROR aa', { answer: WWW }),
  row('1034 4.3.2', 'the apex', 'conform.test. MX', 'NOERROR aa', {
    answer: 'conform.test. 300 MX 10 mail.conform.test.',
  }),
  row('1034 4.3.2', 'NS of the apex is data', 'conform.test. NS', 'NOERROR aa', {
    answer: 'conform.test. 300 NS ns1.conform.test.\nconform.test. 300 NS ns2.conform.test.',
  }),
  row('1034 4.3.2', 'SOA', 'conform.test. SOA', 'NOERROR aa', { check: CHECK.answers(1) }),
  row('1034 3.6.2', 'an alias is followed', 'alias.conform.test. A', 'NOERROR aa', { answer: `${ALIAS}\n${WWW}` }),
  row('1034 3.6.2', 'but not when CNAME is asked for', 'alias.conform.test. CNAME', 'NOERROR aa', { answer: ALIAS }),
  row('1034 3.6.2', 'a chain is followed to its end', 'chain1.conform.test. A', 'NOERROR aa', {
    answer: `chain1.conform.test. 300 CNAME chain2.conform.test.\nchain2.conform.test. 300 CNAME chain3.conform.test.
      chain3.conform.test. 300 CNAME www.conform.test.\n${WWW}`,
  }),
  row('1034 3.6.2', 'out of the zone a chain ends', 'outside.conform.test. A', 'NOERROR aa', {
    answer: 'outside.conform.test. 300 CNAME www.elsewhere.example.',
  }),
  row('1034 3.6.2', 'a loop has an end', 'loop1.conform.test. A', 'NOERROR aa or SERVFAIL aa?', {
    check: (reply) => (reply.answers.length > 2 ? 'goes round' : undefined),
  }),
  row('1034 3.6.2', 'an alias of itself', 'self.conform.test. A', 'NOERROR aa or SERVFAIL aa?', {
    check: (reply) => (reply.answers.length > 1 ? 'goes round' : undefined),
  }),
  row('1034 4.3.2', 'a referral, without AA, with glue', 'sub.conform.test. A', 'NOERROR', REFERRAL),
  row('1034 4.3.2', 'a name below a cut', 'x.y.sub.conform.test. TXT', 'NOERROR', REFERRAL),
  row('1034 4.2.1', 'data below a cut is not answered', 'hidden.sub.conform.test. A', 'NOERROR', REFERRAL),
  row('1034 4.2.1', 'nor is glue', 'ns.sub.conform.test. A', 'NOERROR', REFERRAL),
  row('1034 4.2.1', 'NS at a cut is a referral', 'sub.conform.test. NS', 'NOERROR', REFERRAL),
  row('1034 4.3.2', 'an alias into a delegation', 'tocut.conform.test. A', 'NOERROR aa', {
    answer: 'tocut.conform.test. 300 CNAME host.sub.conform.test.',
    authority: SUB,
  }),
  row('1034 4.3.1', 'outside the zones', 'www.elsewhere.example. A', 'REFUSED', { answer: '', authority: '' }),
  row('1034 4.3.1', 'the root', '. NS', 'REFUSED', { answer: '', authority: '' }),
  row('1034 4.3.1', 'above the zone', 'test. SOA', 'REFUSED', { answer: '', authority: '' }),
  row('1034 4.3.1', 'a name that ends like the zone', 'notconform.test. A', 'REFUSED', { answer: '' }),
  row('1034 4.3.1', 'RD makes no difference', 'www.elsewhere.example. A flags=0100', 'REFUSED', { answer: '' }),
  row('1034 3.7.1', 'another class', 'www.conform.test. HS A', 'REFUSED', { answer: '' }),
];

const RFC_1035: readonly ProtocolRow[] = [
  row('1035 4.1.1', 'RD is copied', 'www.conform.test. A flags=0100', 'NOERROR aa', { answer: WWW }),
  row('1035 4.1.1', 'IQUERY (gone with RFC 3425)', 'www.conform.test. A opcode=1', 'NOTIMP'),
  row('1035 4.1.1', 'STATUS', 'www.conform.test. A opcode=2', 'NOTIMP or REFUSED'),
  row('1035 2.3.4', 'a name of 255 octets', `${LONGEST_NAME} A`, 'NOERROR aa', {
    answer: `${LONGEST_NAME} 300 A 192.0.2.13`,
  }),
  row('1035 2.3.4', 'above 512 octets: TC', 'medium.conform.test. TXT', 'NOERROR aa tc', { over: 'udp' }),
  row('1035 2.3.4', 'and whole over a stream', 'medium.conform.test. TXT', 'NOERROR aa', {
    over: 'stream',
    check: CHECK.answers(1),
  }),
  row('1035 4.2.2', '25 KB over a stream', 'huge.conform.test. TXT', 'NOERROR aa', {
    over: 'stream',
    check: CHECK.answers(99),
  }),
  row('1035 4.2.2', '25 KB over UDP', 'huge.conform.test. TXT', 'NOERROR aa tc', { over: 'udp' }),
  row('1035 3.3.14', 'character strings, empty ones too', 'types.conform.test. TXT', 'NOERROR aa', {
    answer: 'types.conform.test. 300 TXT "a" "" "\\"q\\" \\000"',
  }),
  row('1035 3.2.1', 'a TTL of 0', 'zero.conform.test. A', 'NOERROR aa', {
    answer: 'zero.conform.test. 0 A 192.0.2.62',
  }),
];

const RFC_2181: readonly ProtocolRow[] = [
  row('2181 5.2, 9', 'a set that fits is whole', 'many.conform.test. A edns', 'NOERROR aa', {
    check: CHECK.answers(70),
  }),
  row('2181 9', 'one that does not: TC', 'many.conform.test. A', 'NOERROR aa tc', { over: 'udp' }),
  row('2181 9', 'TC is not for lost additionals', 'conform.test. MX size=512', 'NOERROR aa'),
  row('2181 11', 'labels of any octets', '\\000\\255.conform.test. A', 'NOERROR aa', {
    answer: '\\000\\255.conform.test. 300 A 192.0.2.15',
  }),
  row('2181 11', 'a dot in a label', 'dot\\.ted.conform.test. A', 'NOERROR aa', {
    answer: 'dot\\.ted.conform.test. 300 A 192.0.2.14',
  }),
  row('2181 11', 'which is not between labels', 'dot.ted.conform.test. A', 'NXDOMAIN aa', NEGATIVE),
  row('2181 11', 'a space in a label', 'sp\\032ace.conform.test. TXT', 'NOERROR aa', { check: CHECK.answers(1) }),
  row('2181 11', 'an underscore', 'under_score.conform.test. A', 'NOERROR aa', { check: CHECK.answers(1) }),
];

const RFC_2308: readonly ProtocolRow[] = [
  row('2308 2.1', 'NXDOMAIN', 'nobody.conform.test. A', 'NXDOMAIN aa', NEGATIVE),
  row('2308 2.2', 'NODATA', 'www.conform.test. AAAA', 'NOERROR aa', NEGATIVE),
  row('2308 2.2', 'NODATA at the apex', 'conform.test. AAAA', 'NOERROR aa', NEGATIVE),
  row('2308 2.1', 'NXDOMAIN behind an alias', 'dangling.conform.test. A', 'NXDOMAIN aa', {
    answer: 'dangling.conform.test. 300 CNAME nobody.conform.test.',
    negative: ZONE,
  }),
  row('2308 2.2', 'NODATA behind an alias', 'tonodata.conform.test. A', 'NOERROR aa', {
    answer: 'tonodata.conform.test. 300 CNAME six.conform.test.',
    negative: ZONE,
  }),
  row('6604 3', 'the rcode is that of the end', 'dangling.conform.test. TXT edns', 'NXDOMAIN aa'),
  row('6604 2', 'AA is that of the first name', 'outside.conform.test. AAAA', 'NOERROR aa'),
  row('8020 2', 'nothing below what is not there', 'a.b.c.nobody.conform.test. A', 'NXDOMAIN aa', NEGATIVE),
  row('8020 2', 'nor below a leaf', 'x.www.conform.test. A', 'NXDOMAIN aa', NEGATIVE),
  row('8020 2', 'an empty non-terminal is there', 'b.ent.conform.test. A', 'NOERROR aa', NEGATIVE),
  row('8020 2', 'above it as well', 'ent.conform.test. TXT', 'NOERROR aa', NEGATIVE),
  row('8020 2', 'above a service', '_tcp.host.conform.test. SRV', 'NOERROR aa', NEGATIVE),
  row('8020 2', 'above an asterisk', 'wild.conform.test. A', 'NOERROR aa', NEGATIVE),
];

const RFC_2782: readonly ProtocolRow[] = [
  row('2782', 'SRV as it is', '_http._tcp.conform.test. SRV', 'NOERROR aa', {
    answer: `_http._tcp.conform.test. 300 SRV 0 5 80 www.conform.test.\n_http._tcp.conform.test. 300 SRV 0 0 8080 mail.conform.test.`,
  }),
  row('2782', 'targets are not compressed', '_sip._tcp.host.conform.test. SRV', 'NOERROR aa', {
    check: CHECK.spells('04 6d61696c 07 636f6e666f726d 04 74657374 00'),
  }),
  row('2782', 'the target "."', '_none._tcp.conform.test. SRV', 'NOERROR aa', {
    answer: '_none._tcp.conform.test. 300 SRV 0 0 0 .',
  }),
];

const RFC_3597: readonly ProtocolRow[] = [
  row('3597 3', 'a type nobody knows', 'types.conform.test. TYPE65280', 'NOERROR aa', {
    answer: 'types.conform.test. 300 TYPE65280 \\# 4 0A000001',
  }),
  row('3597 3', 'one that is not there', 'types.conform.test. TYPE65281', 'NOERROR aa', NEGATIVE),
  row('3597 3', 'one below a name that is not there', 'nobody.conform.test. TYPE1000', 'NXDOMAIN aa', NEGATIVE),
  row('3597 4', 'NAPTR: no compression', 'types.conform.test. NAPTR', 'NOERROR aa', {
    check: CHECK.spells('04 5f736970 04 5f756470 07 636f6e666f726d 04 74657374 00'),
  }),
  row('9460 2.2', 'SVCB: no compression', 'types.conform.test. SVCB', 'NOERROR aa', {
    check: CHECK.spells('03 777777 07 636f6e666f726d 04 74657374 00'),
  }),
  row('9460 2.2', 'HTTPS', 'types.conform.test. HTTPS', 'NOERROR aa', {
    answer: 'types.conform.test. 300 HTTPS 1 . alpn=h2 port=8443',
  }),
];

const RFC_4343: readonly ProtocolRow[] = [
  row('4343 3', 'letter case does not matter', 'wWw.CoNfOrM.tEsT. A', 'NOERROR aa', { answer: WWW }),
  row('4343 3', 'nor that of the zone', 'mixed.conform.test. A', 'NOERROR aa', { check: CHECK.answers(1) }),
  row('4343 3', 'nor behind an alias', 'ALIAS.CONFORM.TEST. A', 'NOERROR aa', { check: CHECK.answers(3) }),
  row('4343 3', 'nor below a cut', 'X.SUB.Conform.Test. A', 'NOERROR', REFERRAL),
  row('4343 3', 'nor of what is not there', 'NoBody.Conform.Test. A', 'NXDOMAIN aa', NEGATIVE),
  row('4343 3', 'nor of what is not ours', 'WwW.eLsEwHeRe.ExAmPlE. A', 'REFUSED'),
  row('4343 2', 'ASCII only: 0xC1 is not 0xE1', '\\000\\223.conform.test. A', 'NXDOMAIN aa', NEGATIVE),
  row('4343 2', '[ is not {', '\\091.conform.test. A', 'NXDOMAIN aa', NEGATIVE),
];

const RFC_4592: readonly ProtocolRow[] = [
  row('4592 2.2.1', 'the owner is the name asked for', 'x.wild.conform.test. A', 'NOERROR aa', {
    answer: 'x.wild.conform.test. 300 A 192.0.2.20',
  }),
  row('4592 2.2.1', 'several labels deep', 'x.y.z.wild.conform.test. MX', 'NOERROR aa', {
    answer: 'x.y.z.wild.conform.test. 300 MX 5 mail.conform.test.',
  }),
  row('4592 2.2.1', 'NODATA', 'x.wild.conform.test. AAAA', 'NOERROR aa', NEGATIVE),
  row('4592 2.2.1', 'a name hides it', 'here.wild.conform.test. MX', 'NOERROR aa', NEGATIVE),
  row('4592 2.2.1', 'below that name too', 'x.here.wild.conform.test. A', 'NXDOMAIN aa', NEGATIVE),
  row('4592 2.2.1', 'an empty non-terminal hides it', 'ent.wild.conform.test. A', 'NOERROR aa', NEGATIVE),
  row('4592 2.2.1', 'below that too', 'x.ent.wild.conform.test. A', 'NXDOMAIN aa', NEGATIVE),
  row('4592 2.1.3', 'an asterisk asked for', '*.wild.conform.test. A', 'NOERROR aa', {
    answer: '*.wild.conform.test. 300 A 192.0.2.20',
  }),
  row('4592 2.2.1', 'below the asterisk', 'x.*.wild.conform.test. A', 'NXDOMAIN aa', NEGATIVE),
  row('4592 4.4', 'an alias', 'x.aliases.conform.test. A', 'NOERROR aa', {
    answer: `x.aliases.conform.test. 300 CNAME www.conform.test.\n${WWW}`,
  }),
  row('4592 4.4', 'an alias to one', 'towild.conform.test. A', 'NOERROR aa', {
    answer: 'towild.conform.test. 300 CNAME x.wild.conform.test.\nx.wild.conform.test. 300 A 192.0.2.20',
  }),
  row('4592 4.5', 'SRV', '_http._tcp.x.srv.conform.test. SRV', 'NOERROR aa', {
    answer: '_http._tcp.x.srv.conform.test. 300 SRV 0 0 80 www.conform.test.',
  }),
];

const RFC_4035: readonly ProtocolRow[] = [
  row('4035 3.1.4.1', 'DS belongs to the parent', 'signed.conform.test. DS', 'NOERROR aa', { check: CHECK.answers(1) }),
  row('4035 3.1.4.1', 'no DS there', 'sub.conform.test. DS', 'NOERROR aa', NEGATIVE),
  row('4035 3.1.4.1', 'DS below the cut', 'x.sub.conform.test. DS', 'NOERROR', REFERRAL),
  row('3225 3', 'DO comes back', 'www.conform.test. A do', 'NOERROR aa', { answer: WWW }),
  row('4035 3.1.6', 'AD in a query', 'www.conform.test. A flags=0020', 'NOERROR aa', { answer: WWW }),
  row('4035 3.1.6', 'CD in a query', 'www.conform.test. A flags=0010', 'NOERROR aa', { answer: WWW }),
];

const RFC_9471: readonly ProtocolRow[] = [
  row('9471 3.1', '26 glue records fit', 'x.manyglue.conform.test. A edns', 'NOERROR', {
    answer: '',
    additional: Array.from(
      { length: 13 },
      (_, i) =>
        `ns${i}.manyglue.conform.test. 300 A 192.0.2.${50 + i}\nns${i}.manyglue.conform.test. 300 AAAA 2001:db8::5:${i}`,
    ).join('\n'),
  }),
  row('9471 3.1', 'they do not: TC', 'x.manyglue.conform.test. A', 'NOERROR tc', {
    over: 'udp',
    except: { NSD: 'older than the RFC', BIND: 'leaves out what does not fit' },
  }),
];

/** refuse-any of NSD, over UDP. */
const NSD_ANY = { except: { NSD: 'TC and a header, so that it is asked over TCP' } };

const RFC_8482: readonly ProtocolRow[] = [
  row('8482 4', 'ANY at the apex', 'conform.test. ANY', 'NOERROR aa or NOERROR aa tc', { over: 'udp', ...NSD_ANY }),
  row('8482 4', 'ANY of an alias', 'alias.conform.test. ANY edns', 'NOERROR aa or NOERROR aa tc', NSD_ANY),
  row('8482 4', 'ANY of what is not there', 'nobody.conform.test. ANY', 'NXDOMAIN aa', { ...NEGATIVE, ...NSD_ANY }),
  row('8482 4', 'ANY of an empty non-terminal', 'ent.conform.test. ANY', 'NOERROR aa', { ...NEGATIVE, ...NSD_ANY }),
  row('8482 4', 'ANY below a cut', 'x.sub.conform.test. ANY', 'NOERROR', {
    answer: '',
    authority: SUB,
    over: 'stream',
    ...NSD_ANY,
  }),
  row('8482 4.4', 'ANY below a cut, over UDP', 'x.sub.conform.test. ANY', 'NOERROR or NOERROR tc', {
    answer: '',
    over: 'udp',
    ...NSD_ANY,
  }),
];

/** Names from the registry, asked of the others when they have taken the zone over. */
const REGISTRY: readonly ProtocolRow[] = [
  row('2782', 'SRV of a service', 'web.service.local. SRV', 'NOERROR aa', {
    answer: [1, 2, 3].map((i) => `web.service.local. 5 SRV 0 1 80 10-0-0-${i}.addr.service.local.`).join('\n'),
  }),
  row('2782', 'its targets have addresses', '10-0-0-2.addr.service.local. A', 'NOERROR aa', {
    answer: '10-0-0-2.addr.service.local. 5 A 10.0.0.2',
  }),
  row('2782', 'and are not aliases', '10-0-0-2.addr.service.local. CNAME', 'NOERROR aa', {
    answer: '',
    negative: 'service.local.',
  }),
  row('2782', 'nor compressed', '_web._tcp.service.local. SRV', 'NOERROR aa', {
    check: CHECK.spells('08 31302d302d302d31 04 61646472 07 73657276696365 05 6c6f63616c 00'),
  }),
  row('1034', 'A of a service', 'web.service.local. A edns', 'NOERROR aa', {
    answer: [1, 2, 3].map((i) => `web.service.local. 5 A 10.0.0.${i}`).join('\n'),
  }),
  row('4343', 'in any letter case', 'WeB.SeRvIcE.LoCaL. A', 'NOERROR aa', { check: CHECK.answers(3) }),
  row('2308', 'no AAAA', 'web.service.local. AAAA', 'NOERROR aa', { answer: '', negative: 'service.local.' }),
  row('2308', 'no such service', 'nobody.service.local. A', 'NXDOMAIN aa', { answer: '', negative: 'service.local.' }),
  row('8020', 'below a service', 'x.y.web.service.local. A', 'NXDOMAIN aa', { answer: '', negative: 'service.local.' }),
  row('8020', 'above the targets', 'addr.service.local. A', 'NOERROR aa', { answer: '', negative: 'service.local.' }),
  row('8020', 'above the protocols', '_tcp.service.local. A', 'NOERROR aa', { answer: '', negative: 'service.local.' }),
  row('8906', 'a type nobody knows', 'web.service.local. TYPE1000', 'NOERROR aa', {
    answer: '',
    negative: 'service.local.',
  }),
  row('6763 4.1', 'browsing', '_http._tcp.service.local. PTR', 'NOERROR aa', { check: CHECK.answers(3) }),
  row('6763 6.1', 'a TXT record at least', 'w1._http._tcp.service.local. TXT', 'NOERROR aa', {
    check: CHECK.answers(1),
  }),
  row('6763 9', 'types', '_services._dns-sd._udp.service.local. PTR', 'NOERROR aa'),
  row('8482', 'ANY of a service', 'web.service.local. ANY', 'NOERROR aa', NSD_ANY),
];

export const PROTOCOL_ROWS: readonly ProtocolRow[] = [
  RFC_1034,
  RFC_1035,
  FORM_ROWS,
  RFC_2181,
  RFC_2308,
  RFC_2782,
  RFC_3597,
  RFC_4343,
  RFC_4592,
  RFC_4035,
  RFC_9471,
  RFC_8482,
  REGISTRY,
].flat();

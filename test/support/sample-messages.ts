// sample-messages.ts -- real-looking messages of every type, to mutate and to measure

import { encodeMessage, type Message, queryMessage } from '../../src/dns/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { parseRecord } from '../../src/dns/presentation.ts';
import { octets } from './wire.ts';

const APEX = 'service.local.';

/** RDATA of every type that has a shape, and of some that have none, below `service.local.`. */
export const SAMPLE_RDATA: readonly string[] = [
  'A 10.0.0.7',
  'AAAA 2001:db8::7',
  'AAAA ::ffff:10.0.0.7',
  `NS ns.${APEX}`,
  `CNAME cart-service.${APEX}`,
  `SOA ns.${APEX} hostmaster.${APEX} 2026010101 15 5 604800 5`,
  `PTR cart-service.${APEX}`,
  'HINFO "RFC8482" ""',
  `MX 10 mail.${APEX}`,
  'TXT "version=1.4.2" "zone=eu-1" "" "note=\\"quoted\\" \\\\ \\000\\255"',
  `RP admin.${APEX} .`,
  `AFSDB 1 afs.${APEX}`,
  `SRV 1 10 8080 10-0-0-7.addr.${APEX}`,
  `NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:info@example.com!" .`,
  'DS 60485 8 2 2BB183AF5F22588179A53B0A98631FAD1A292118AABBCCDDEEFF001122334455',
  'SSHFP 4 2 123456789ABCDEF67890123456789ABCDEF67890',
  `RRSIG SRV 13 4 5 20260301000000 20260201000000 2642 ${APEX} oJB1W6WNGv+ldvQ3WDG0MQkg5IEhjRip`,
  `NSEC cart-service.${APEX} A AAAA SRV RRSIG NSEC TYPE1234 TYPE65280`,
  'DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxIL',
  'NSEC3 1 1 12 AABBCCDD 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A RRSIG CAA',
  'NSEC3PARAM 1 0 0 -',
  'TLSA 3 1 1 D2ABDE240D7CD3EE6B4B28C54DF034B97983A1D16E8A410E4561CB106618E971',
  'CDS 0 0 0 00',
  'CDNSKEY 0 3 0 AA==',
  `SVCB 16 10-0-0-7.addr.${APEX} mandatory=alpn,ipv4hint alpn="h2,h3-19,a\\\\,b" port=8443 ipv4hint=10.0.0.7 key667="x y"`,
  'HTTPS 1 . alpn="h2" no-default-alpn port=8443 ech=AEj+DQ== ipv6hint=2001:db8::7 dohpath="/q{?dns}" ohttp',
  `HTTPS 0 cart-service.${APEX}`,
  'CAA 128 issue "letsencrypt.org; validationmethods=dns-01"',
  'URI 10 1 "https://cart-service.service.local/"',
  'DNAME \\# 1 00',
  'TYPE731 \\# 6 ABCDEF012345',
  'TYPE62347 \\# 0',
];

const EDNS = { udpSize: 1232, extendedRcode: 0, version: 0, dnssecOk: true, options: [] };
const COOKIE = { code: 10, data: octets('0102030405060708') };
const SUBNET = { code: 8, data: octets('0001 18 00 0a0000') };

/** Queries as clients send them, and responses with one record of each type, with many, and with none. */
export function sampleMessages(): Uint8Array[] {
  const owner = `cart-service.${APEX}`;
  const name = parseName(owner);
  const messages: Message[] = [];
  for (const type of [1, 28, 33, 16, 6, 255, 252, 65, 65280]) {
    messages.push(queryMessage(0x1234, { name, type, class: 1 }));
    messages.push(queryMessage(0xbeef, { name, type, class: 1 }, { ...EDNS, options: [COOKIE, SUBNET] }));
  }
  const ixfr = queryMessage(1, { name: parseName(APEX), type: 251, class: 1 });
  const tsig = parseRecord('key. 0 CLASS255 TYPE250 \\# 8 0000000000000000');
  const soa = parseRecord(`${APEX} 5 IN SOA ns.${APEX} hostmaster.${APEX} 1 15 5 604800 5`);
  messages.push({ ...ixfr, authorities: [soa], additionals: [tsig], edns: EDNS });
  messages.push({ ...queryMessage(2, { name, type: 6, class: 1 }), opcode: 4, answers: [soa] });
  const records = SAMPLE_RDATA.map((text) => parseRecord(`${owner} 5 IN ${text}`));
  const response = { ...queryMessage(0xffff, { name, type: 33, class: 1 }, EDNS), flags: 0x8580 };
  for (const record of records) messages.push({ ...response, answers: [record, record], additionals: [records[0]!] });
  messages.push({ ...response, answers: records, authorities: [soa] });
  messages.push({ ...response, authorities: [soa], rcode: 3 }, { ...response, rcode: 16 });
  messages.push({ ...response, edns: undefined, flags: 0x8100, rcode: 5 });
  return messages.map(encodeMessage);
}

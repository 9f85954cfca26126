// protocol-zone.ts -- the zone that the rows of protocol-rows.ts ask about

/** SOA MINIMUM: the last 32 bits of its RDATA. */
export function soaMinimum(rdata: Uint8Array): number {
  return Buffer.from(rdata).readUInt32BE(rdata.length - 4);
}

const LONG_LABEL = 'l'.repeat(63);

/** A name of 255 octets below conform.test. */
export const LONGEST_NAME = `${LONG_LABEL}.${LONG_LABEL}.${LONG_LABEL}.${'l'.repeat(48)}.conform.test.`;

export const PROTOCOL_ZONE = `$ORIGIN conform.test.
$TTL 300
@ SOA ns1 hostmaster 2026010101 3600 600 86400 120
  NS ns1
  NS ns2
  MX 10 mail
  TXT "apex"
ns1 A 192.0.2.1
  AAAA 2001:db8::1
ns2 A 192.0.2.2
mail A 192.0.2.3
www A 192.0.2.10
  A 192.0.2.11
  TXT "www"
six AAAA 2001:db8::6
MiXeD A 192.0.2.12
${LONGEST_NAME} A 192.0.2.13
sp\\032ace TXT "a space"
dot\\.ted A 192.0.2.14
\\000\\255 A 192.0.2.15
under_score A 192.0.2.16

alias CNAME www
chain1 CNAME chain2
chain2 CNAME chain3
chain3 CNAME www
dangling CNAME nobody
tonodata CNAME six
outside CNAME www.elsewhere.example.
loop1 CNAME loop2
loop2 CNAME loop1
self CNAME self
towild CNAME x.wild
tocut CNAME host.sub

*.wild A 192.0.2.20
  MX 5 mail
here.wild A 192.0.2.21
deep.ent.wild TXT "below"
*.aliases CNAME www
*.srv SRV 0 0 80 www
a.b.ent A 192.0.2.30
_sip._tcp.host SRV 1 2 5060 mail

sub NS ns.sub
  NS ns1
ns.sub A 192.0.2.40
  AAAA 2001:db8::40
hidden.sub A 192.0.2.41
signed NS ns.signed
  DS 60485 13 2 D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A
ns.signed A 192.0.2.42
unsigned NS ns.elsewhere.example.
manyglue ${Array.from({ length: 13 }, (_, i) => `NS ns${i}.manyglue`).join('\nmanyglue ')}
${Array.from({ length: 13 }, (_, i) => `ns${i}.manyglue A 192.0.2.${50 + i}\nns${i}.manyglue AAAA 2001:db8::5:${i}`).join('\n')}

_http._tcp SRV 0 5 80 www
  SRV 0 0 8080 mail
_none._tcp SRV 0 0 0 .
types TYPE65280 \\# 4 0A000001
  TXT "a" "" "\\"q\\" \\000"
  HTTPS 1 . alpn=h2 port=8443
  SVCB 0 www
  CAA 0 issue "ca.example.net"
  NAPTR 100 10 "S" "SIP+D2U" "" _sip._udp
zero 0 A 192.0.2.62
medium TXT ${Array.from({ length: 3 }, (_, i) => `"${'abc'[i]!.repeat(230)}"`).join(' ')}
big TXT ${Array.from({ length: 8 }, (_, i) => `"${'abcdefgh'[i]!.repeat(230)}"`).join(' ')}
huge ${Array.from({ length: 99 }, (_, i) => `TXT "${String(i).padStart(3, '0')}${'x'.repeat(250)}"`).join('\nhuge ')}
many ${Array.from({ length: 70 }, (_, i) => `A 198.51.100.${i + 1}`).join('\nmany ')}
`;

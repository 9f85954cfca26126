// dns-answer.ts -- a DNS reply as it is shown: records as text, whichever codec read them

import { Packet } from 'dns2';
import { formatClientSubnet } from '../dns/client-subnet.ts';
import { EDNS_OPTION, formatRcode, formatType } from '../dns/codes.ts';
import { FLAG } from '../dns/header.ts';
import type { Message } from '../dns/message.ts';
import { formatName } from '../dns/name.ts';
import { formatRdata, readRdata } from '../dns/rdata/rdata.ts';
import type { ResourceRecord } from '../dns/rrset.ts';
import { WireReader } from '../dns/wire-reader.ts';

/** One record, all of it text. */
export interface RecordText {
  readonly name: string;
  /** Seconds. */
  readonly ttl: number;
  readonly type: string;
  readonly data: string;
}

/** A reply. */
export interface DnsAnswer {
  readonly rcode: string;
  /** `aa`, `tc`, `rd`, `ra`, those that are set. */
  readonly flags: readonly string[];
  readonly answers: readonly RecordText[];
  readonly authorities: readonly RecordText[];
  readonly additionals: readonly RecordText[];
  /** The client subnet of the reply: address, what was told of it, and how much of it the answer holds for. */
  readonly clientSubnet?: string;
}

const FLAGS = ['aa', 'tc', 'rd', 'ra'] as const;

/** From our own codec. */
export function fromMessage(message: Message): DnsAnswer {
  const bits = { aa: FLAG.AA, tc: FLAG.TC, rd: FLAG.RD, ra: FLAG.RA };
  const toText = ({ name, ttlSeconds, type, rdata }: ResourceRecord): RecordText => ({
    name: formatName(name),
    ttl: ttlSeconds,
    type: formatType(type),
    data: formatRdata(type, rdata),
  });
  const subnet = message.edns?.options.find(({ code }) => code === EDNS_OPTION.CLIENT_SUBNET);
  const clientSubnet = subnet === undefined ? undefined : formatClientSubnet(subnet.data);
  return {
    rcode: formatRcode(message.rcode),
    flags: FLAGS.filter((flag) => (message.flags & bits[flag]) !== 0),
    answers: message.answers.map(toText),
    authorities: message.authorities.map(toText),
    additionals: message.additionals.map(toText),
    ...(clientSubnet === undefined ? {} : { clientSubnet }),
  };
}

type PacketRecord = Packet['answers'][number];

/** From dns2's codec. Its names have no escapes: a dot within a label looks like one between labels. */
export function fromPacket(packet: Packet): DnsAnswer {
  const { header } = packet;
  const toTexts = (records: readonly PacketRecord[]): RecordText[] =>
    records
      .filter(({ type }) => type !== Packet.TYPE.EDNS)
      .map((record) => ({
        name: absolute(record.name),
        ttl: record.ttl,
        type: formatType(record.type),
        data: packetData(record),
      }));
  return {
    rcode: formatRcode(header.rcode),
    flags: FLAGS.filter((flag) => header[flag] === 1),
    answers: toTexts(packet.answers),
    authorities: toTexts(packet.authorities),
    additionals: toTexts(packet.additionals),
  };
}

function packetData(record: PacketRecord): string {
  switch (formatType(record.type)) {
    case 'A':
    case 'AAAA':
      return String(record.address);
    case 'NS':
      return absolute(record.ns);
    case 'CNAME':
    case 'PTR':
      return absolute(record.domain);
    case 'MX':
      return `${record.priority} ${absolute(record.exchange)}`;
    case 'SRV':
      return `${record.priority} ${record.weight} ${record.port} ${absolute(record.target)}`;
    case 'TXT':
      return [record.data]
        .flat()
        .map((text) => quote(String(text)))
        .join(' ');
    case 'CAA':
      return `${record.flags} ${record.tag} ${quote(record.value ?? '')}`;
    case 'SOA': {
      const { serial, refresh, retry, expiration, minimum } = record;
      return [absolute(record.primary), absolute(record.admin), serial, refresh, retry, expiration, minimum].join(' ');
    }
    default:
      return opaque(record);
  }
}

function absolute(name: string | undefined): string {
  return `${name ?? ''}.`;
}

function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** Types that dns2 leaves as octets: in our own words where we have some. */
function opaque({ type, data }: PacketRecord): string {
  if (!Buffer.isBuffer(data)) return '(not shown)';
  try {
    return formatRdata(type, readRdata(new WireReader(data), type, data.length));
  } catch {
    // A compressed name leads out of the record; the rest of the message is gone by now.
    return `\\# ${data.length} ${data.toString('hex').toUpperCase()}`;
  }
}

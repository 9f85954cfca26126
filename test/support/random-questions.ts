// random-questions.ts -- seeded questions about what zones hold, and about what is above, below and beside it

import type { Random } from '../../src/base/random.ts';
import { formatType, parseType, TYPE } from '../../src/dns/codes.ts';
import { formatName, type Name, parentName, prependLabels } from '../../src/dns/name.ts';
import type { ResourceRecord } from '../../src/dns/rrset.ts';

/** One question, as text (support/query-text.ts). */
export interface AskedQuestion {
  readonly text: string;
  readonly name: Name;
  readonly type: number;
}

const TYPES =
  'A NS CNAME SOA PTR HINFO MX TXT AAAA SRV NAPTR DS SSHFP TLSA SVCB HTTPS URI CAA RP AFSDB DNSKEY ANY TYPE65280 TYPE999'
    .split(' ')
    .map((text) => parseType(text)!);
const LABELS = 'x * a ns www here wild cut UPPER _tcp _udp _http _sub addr v1 v2 eu svc-1 svc-25 i-1-0 10 0 zzz'.split(
  ' ',
);
const ODD_LABELS = ['sp ace', 'a.b', '\xff', '\0', '"', 'l'.repeat(63)];
const SIZES = [0, 512, 513, 700, 1231, 1232, 1233, 4096, 65535];
const OPTIONS = [
  '',
  '',
  ' opt=65001:00ff',
  ' opt=100:',
  ' opt=10:0102030405060708',
  ' opt=3:',
  ' opt=12:0000000000',
  ' opt=8:00011800c00002',
  ' opt=100: opt=10:1122334455667788 opt=101:aa',
];
/** RD, AD, CD, and the reserved bit. */
const FLAGS = ['0000', '0000', '0100', '0100', '0010', '0020', '0130', '0040'];

/** Make so many of them about the owners of these records, and a few about `others`. */
export function randomQuestions(
  random: Random,
  records: readonly ResourceRecord[],
  others: readonly Name[],
  count: number,
): readonly AskedQuestion[] {
  const pick = <T>(from: readonly T[]): T => from[random.below(from.length)]!;
  const owners = [...new Map(records.map((record) => [formatName(record.name), record])).values()];
  const make = (): AskedQuestion => {
    const { name: owner, type: ownType } = pick(random.below(2) === 0 ? owners : records);
    const name = varied(random.below(20) === 0 ? pick(others) : owner, random);
    const type = random.below(3) === 0 ? ownType : random.below(3) === 0 ? pick([TYPE.A, TYPE.SRV]) : pick(TYPES);
    const shown = formatName(random.below(3) === 0 ? withRandomCase(name, random) : name);
    const edns =
      random.below(3) === 0 ? '' : ` size=${pick(SIZES)}${random.below(3) === 0 ? ' do' : ''}${pick(OPTIONS)}`;
    return { text: `${shown} ${formatType(type)} flags=${pick(FLAGS)}${edns}`, name, type };
  };
  return Array.from({ length: count }, make);
}

/** The name itself, or one near it. */
function varied(name: Name, random: Random): Name {
  const label = () => {
    const from = random.below(8) === 0 ? ODD_LABELS : LABELS;
    return from[random.below(from.length)]!;
  };
  switch (random.below(9)) {
    case 0:
      return parentOf(name);
    case 1:
      return below([label()], name);
    case 2:
      return below([label(), label()], name);
    case 3:
      return below([label()], parentOf(name));
    case 4:
      return below([label()], parentOf(parentOf(name)));
    case 5:
      return changed(name, random);
    default:
      return name;
  }
}

function parentOf(name: Name): Name {
  return name.length > 1 ? parentName(name) : name;
}

/** The name as it is when there is no room. */
function below(labels: readonly string[], name: Name): Name {
  const length = labels.reduce((sum, label) => sum + 1 + label.length, name.length);
  return length > 255 ? name : prependLabels(labels, name);
}

/** One octet of the first label is another. */
function changed(name: Name, random: Random): Name {
  if (name.length < 2) return name;
  const copy = Uint8Array.from(name) as Name;
  copy[1 + random.below(copy[0]!)] = random.below(256);
  return copy;
}

function withRandomCase(name: Name, random: Random): Name {
  const isLetter = (octet: number) => (octet | 0x20) >= 0x61 && (octet | 0x20) <= 0x7a;
  return name.map((octet) => (isLetter(octet) && random.next() < 0.5 ? octet ^ 0x20 : octet)) as Name;
}

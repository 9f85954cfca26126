// lookup.test.ts -- where names lead: the examples of RFC 1034 and RFC 4592, dynamic names, and a model

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatProblem } from '../../src/base/errors.ts';
import { formatType } from '../../src/dns/codes.ts';
import { equalNames, formatName, isWithin, labelCount, parentName, parseName } from '../../src/dns/name.ts';
import { formatRRset } from '../../src/dns/presentation.ts';
import { buildZone } from '../../src/zone/build-zone.ts';
import { findNode, glueOf, nodeAt } from '../../src/zone/lookup.ts';
import { readMasterFile } from '../../src/zone/master-file.ts';
import type { Zone } from '../../src/zone/zone.ts';

function zoneOf(text: string): Zone {
  const { records, problems } = readMasterFile({ file: 'z.zone', text });
  const built = buildZone(records, 'z.zone');
  const errors = [...problems, ...built.problems].filter(({ severity }) => severity === 'error');
  assert.deepEqual(errors.map(formatProblem), []);
  return built.zone!;
}

/** What a name leads to, in a line. `dynamic` are names that exist beside the zone, and so do those above them. */
function look(zone: Zone, name: string, dynamic: readonly string[] = []): string {
  const registered = dynamic.map((each) => parseName(each));
  const found = findNode(zone, parseName(name), (asked) => registered.some((each) => isWithin(each, asked)));
  if (found.kind === 'delegation') return `delegation ${formatName(found.cut.name)}`;
  if (found.kind === 'grafted') return 'grafted';
  if (found.kind === 'missing') return `missing below ${formatName(found.closestEncloser)}`;
  const types = [...found.node.sets.keys()].map(formatType).join(' ') || 'nothing';
  return `${found.wildcard ? 'wildcard' : 'node'} ${formatName(found.node.name)}: ${types}`;
}

describe('the root zone of RFC 1034 section 6.1', () => {
  const zone = zoneOf(
    `
    $TTL 86400
    $ORIGIN .
.                   IN SOA SRI-NIC.ARPA. HOSTMASTER.SRI-NIC.ARPA. 870611 1800 300 604800 86400
                    NS A.ISI.EDU.
                    NS C.ISI.EDU.
                    NS SRI-NIC.ARPA.
MIL.                NS SRI-NIC.ARPA.
                    NS A.ISI.EDU.
EDU.                NS SRI-NIC.ARPA.
                    NS C.ISI.EDU.
SRI-NIC.ARPA.       A 26.0.0.73
                    A 10.0.0.51
                    MX 0 SRI-NIC.ARPA.
                    HINFO DEC-2060 TOPS20
ACC.ARPA.           A 26.6.0.65
USC-ISIC.ARPA.      CNAME C.ISI.EDU.
73.0.0.26.IN-ADDR.ARPA.  PTR SRI-NIC.ARPA.
A.ISI.EDU.          A 26.3.0.103
C.ISI.EDU.          A 10.0.0.52
`
      .replace('    $TTL', '$TTL')
      .replace('    $ORIGIN', '$ORIGIN'),
  );

  const looks: readonly (readonly [string, string])[] = [
    ['.', 'node .: SOA NS'],
    ['SRI-NIC.ARPA.', 'node SRI-NIC.ARPA.: A MX HINFO'],
    ['sri-nic.arpa.', 'node SRI-NIC.ARPA.: A MX HINFO'],
    ['USC-ISIC.ARPA.', 'node USC-ISIC.ARPA.: CNAME'],
    ['SIR-NIC.ARPA.', 'missing below ARPA.'],
    ['a.b.SIR-NIC.ARPA.', 'missing below ARPA.'],
    ['BRL.MIL.', 'delegation MIL.'],
    ['MIL.', 'delegation MIL.'],
    ['A.ISI.EDU.', 'delegation EDU.'],
    ['ISI.EDU.', 'delegation EDU.'],
    ['ARPA.', 'node ARPA.: nothing'],
    ['0.0.26.in-addr.arpa.', 'node 0.0.26.IN-ADDR.ARPA.: nothing'],
    ['COM.', 'missing below .'],
  ];
  for (const [name, expected] of looks) it(`${name} is ${expected}`, () => assert.equal(look(zone, name), expected));

  it('has glue below its cuts', () => {
    assert.deepEqual(glueOf(zone, parseName('a.isi.edu.')).flatMap(formatRRset), ['A.ISI.EDU. 86400 IN A 26.3.0.103']);
    assert.deepEqual(glueOf(zone, parseName('b.isi.edu.')), []);
    assert.deepEqual(glueOf(zone, parseName('usc-isic.arpa.')), []);
    assert.equal(nodeAt(zone, parseName('isi.edu.'))?.sets.size, 0);
  });
});

const RFC_4592 = zoneOf(`
$ORIGIN example.
$TTL 3600
@                 SOA ns.example.com. host.example.com. 1 1 1 1 1
                  NS  ns.example.com.
                  NS  ns.example.net.
*                 TXT "this is a wildcard"
                  MX  10 host1
sub.*             TXT "this is not a wildcard"
host1             A   192.0.2.1
_ssh._tcp.host1   SRV 0 0 22 host1
_ssh._tcp.host2   SRV 0 0 22 host1
subdel            NS  ns.example.com.
                  NS  ns.example.net.
`);

describe('the zone of RFC 4592 section 2.2.1', () => {
  const looks: readonly (readonly [string, string])[] = [
    ['host3.example.', 'wildcard *.example.: TXT MX'],
    ['foo.bar.example.', 'wildcard *.example.: TXT MX'],
    ['host1.example.', 'node host1.example.: A'],
    ['sub.*.example.', 'node sub.*.example.: TXT'],
    ['_telnet._tcp.host1.example.', 'missing below _tcp.host1.example.'],
    ['host.subdel.example.', 'delegation subdel.example.'],
    ['ghost.*.example.', 'missing below *.example.'],
    ['*.example.', 'node *.example.: TXT MX'],
    ['host2.example.', 'node host2.example.: nothing'],
    ['_tcp.host2.example.', 'node _tcp.host2.example.: nothing'],
    ['x.host2.example.', 'missing below host2.example.'],
  ];
  for (const [name, expected] of looks)
    it(`${name} is ${expected}`, () => assert.equal(look(RFC_4592, name), expected));

  it('gives nothing, not NXDOMAIN, from a wildcard that is an empty non-terminal (section 4.9 as in 2.2.2)', () => {
    const zone = zoneOf('$ORIGIN e.\n@ 5 SOA n.o. h.o. 1 1 1 1 1\n NS n.o.\na.*.b TXT x');
    assert.equal(look(zone, 'c.b.e.'), 'wildcard *.b.e.: nothing');
  });
});

describe('names that exist dynamically', () => {
  const dynamic = ['web.example.', 'v2.tagged.example.', 'in.subdel.example.', 'extra.host1.example.'];
  const looks: readonly (readonly [string, string])[] = [
    ['web.example.', 'grafted'],
    ['WEB.example.', 'grafted'],
    ['tagged.example.', 'grafted'],
    ['v2.tagged.example.', 'grafted'],
    // They are their own closest enclosers: the wildcard at the apex does not reach below them.
    ['x.web.example.', 'missing below web.example.'],
    ['x.y.web.example.', 'missing below web.example.'],
    ['x.tagged.example.', 'missing below tagged.example.'],
    ['x.v2.tagged.example.', 'missing below v2.tagged.example.'],
    ['host3.example.', 'wildcard *.example.: TXT MX'],
    // Static and dynamic at one name, or one below the other.
    ['host1.example.', 'node host1.example.: A'],
    ['extra.host1.example.', 'grafted'],
    ['other.host1.example.', 'missing below host1.example.'],
    // Below a zone cut nothing is ours.
    ['in.subdel.example.', 'delegation subdel.example.'],
    ['example.', 'node example.: SOA NS'],
  ];
  for (const [name, expected] of looks) {
    it(`${name} is ${expected}`, () => assert.equal(look(RFC_4592, name, dynamic), expected));
  }

  it('are asked for once when nobody has heard of the name, however long it is', () => {
    let asked = 0;
    const name = parseName(`${'a.'.repeat(120)}example.`);
    findNode(RFC_4592, name, () => {
      asked++;
      return false;
    });
    assert.equal(asked, 1);
  });

  it('are not asked for when the zone has the name or a cut above it', () => {
    const never = (): boolean => assert.fail('asked');
    for (const name of ['example.', 'host1.example.', 'x.subdel.example.']) findNode(RFC_4592, parseName(name), never);
  });
});

describe('a name outside the zone', () => {
  it('has no node', () => {
    assert.equal(nodeAt(RFC_4592, parseName('example.com.')), undefined);
    assert.equal(nodeAt(RFC_4592, parseName('.')), undefined);
    assert.deepEqual(glueOf(RFC_4592, parseName('host1.example.com.')), []);
  });
});

/** The definitions of RFC 1034 section 4.3.2 and RFC 4592 section 2.2.2 and 3.3.1, said over lists of names. */
function lookByDefinition(
  name: string,
  owners: readonly string[],
  cuts: readonly string[],
  dynamic: readonly string[],
): string {
  const parse = (texts: readonly string[]) => texts.map((text) => parseName(text));
  const [asked, owned, cut, grafted] = [
    parseName(name),
    parse(['z.', ...owners, ...cuts]),
    parse(cuts),
    parse(dynamic),
  ];
  const above = cut.filter((each) => isWithin(asked, each)).sort((a, b) => labelCount(a) - labelCount(b))[0];
  if (above !== undefined) return `delegation ${formatName(above)}`;
  const isStatic = (each: typeof asked) => owned.some((owner) => isWithin(owner, each));
  const exists = (each: typeof asked) => isStatic(each) || grafted.some((owner) => isWithin(owner, each));
  if (isStatic(asked)) return `node ${formatName(asked)}`;
  if (exists(asked)) return 'grafted';
  let encloser = parentName(asked);
  while (!exists(encloser)) encloser = parentName(encloser);
  const source = parseName('*', encloser);
  return isStatic(source) ? `wildcard ${formatName(source)}` : `missing below ${formatName(encloser)}`;
}

describe('any zone, and any dynamic names', () => {
  const label = fc.constantFrom('a', 'b', '*');
  const plain = fc.constantFrom('a', 'b', 'c');
  const below = (each: fc.Arbitrary<string>) =>
    fc.array(each, { minLength: 1, maxLength: 4 }).map((labels) => `${labels.join('.')}.z.`);

  it('are looked up as the RFCs define it', () => {
    const input = [
      fc.array(below(label), { maxLength: 6 }),
      fc.array(below(plain), { maxLength: 1 }),
      fc.array(below(plain), { maxLength: 3 }),
      below(fc.constantFrom('a', 'b', 'c', '*')),
    ] as const;
    fc.assert(
      fc.property(...input, (owners, cuts, dynamic, name) => {
        const lines = ['z. 5 SOA n.o. h.o. 1 1 1 1 1', 'z. 5 NS n.o.'];
        lines.push(...owners.map((owner) => `${owner} 5 TXT x`), ...cuts.map((cut) => `${cut} 5 NS n.o.`));
        const got = look(zoneOf(lines.join('\n')), name, dynamic).replace(/: .*/, '');
        assert.equal(got, lookByDefinition(name, owners, cuts, dynamic));
      }),
      { seed: 4592, numRuns: 3_000 },
    );
  });
});

describe('the tree', () => {
  it('names its nodes as they were first written, at any depth', () => {
    const zone = zoneOf('$ORIGIN Ex.\n@ 5 SOA n.o. h.o. 1 1 1 1 1\n NS n.o.\nA.B.c TXT x\na.b.C.ex. A 192.0.2.1');
    const node = nodeAt(zone, parseName('a.b.c.ex.'))!;
    assert.deepEqual([...node.sets.values()].flatMap(formatRRset), [
      'A.B.c.Ex. 5 IN TXT "x"',
      'a.b.C.ex. 5 IN A 192.0.2.1',
    ]);
    assert.ok(equalNames(nodeAt(zone, parseName('b.c.ex.'))!.name, parseName('b.c.ex.')));
  });
});

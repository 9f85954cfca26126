// build-zone.test.ts -- what makes a zone wrong or doubtful, and that named-checkzone sees it the same way

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { formatProblem } from '../../src/base/errors.ts';
import { TYPE } from '../../src/dns/codes.ts';
import { formatName, parseName } from '../../src/dns/name.ts';
import { formatRRset } from '../../src/dns/presentation.ts';
import { type BuiltZone, buildZone } from '../../src/zone/build-zone.ts';
import { nodeAt } from '../../src/zone/lookup.ts';
import { readMasterFile } from '../../src/zone/master-file.ts';
import { nodesOf } from '../../src/zone/zone.ts';
import { requireTools, run } from '../support/tools.ts';

/** Five lines, so that what a case adds begins in line 6. */
const HEAD = '$ORIGIN ex.test.\n$TTL 300\n@ SOA ns h 1 1h 2h 3w 4m\n@ NS ns\nns A 127.0.0.1\n';

function build(text: string): BuiltZone {
  const { records, problems } = readMasterFile({ file: 'z', text });
  assert.deepEqual(problems.map(formatProblem), [], 'the text itself is sound');
  return buildZone(records, 'z');
}

/** What, master-file text (behind HEAD, or whole when it begins with `$`), problems, and why named thinks otherwise. */
type Case = readonly [what: string, text: string, problems: readonly string[], differs?: string];

const ERRORS: readonly Case[] = [
  ['no SOA', '$TTL 5\na.ex.test. NS b.', ['z: no SOA record']],
  ['a second SOA', '@ SOA ns h 2 1 1 1 1', ['z:6:3: a zone has exactly one SOA record']],
  ['an SOA below the apex', 'x SOA ns h 2 1 1 1 1', ['z:6:3: SOA at x.ex.test., below the apex ex.test.']],
  ['no NS', '$ORIGIN ex.test.\n\n@ 5 SOA ns h 1 1 1 1 1\nns 5 NS x.', ['z:3:5: no NS record at the apex ex.test.']],
  [
    'an apex NS that is a CNAME',
    '@ NS c\nc CNAME ns',
    ['z:6:3: NS target c.ex.test. is a CNAME (RFC 2181 section 10.3)'],
  ],
  ['an apex NS without address', '@ NS no', ['z:6:3: NS target no.ex.test. has no address (A or AAAA) in the zone']],
  ['a CNAME beside data', 'a A 192.0.2.1\na CNAME ns', ['z:7:3: a.ex.test. has a CNAME and other data (A)']],
  ['a CNAME at the apex', '@ CNAME b.', ['z:6:3: ex.test. has a CNAME and other data (SOA, NS)']],
  ['two CNAMEs', 'a CNAME ns\na CNAME b', ['z:7:3: a.ex.test. has more than one CNAME']],
  ['a wildcard with NS', '*.w NS ns', ['z:6:5: a wildcard cannot own NS records']],
  [
    'records outside the zone',
    'a.other. A 192.0.2.1\ntest. TXT x\nxex.test. TXT x',
    [
      'z:6:10: a.other. is outside the zone ex.test.',
      'z:7:7: test. is outside the zone ex.test.',
      'z:8:11: xex.test. is outside the zone ex.test.',
    ],
    'named ignores them',
  ],
];

const WARNINGS: readonly Case[] = [
  [
    'a delegation to a CNAME',
    'c CNAME ns\nd NS c',
    ['z:7:3: warning: NS target c.ex.test. is a CNAME (RFC 2181 section 10.3)'],
  ],
  [
    'an MX to a CNAME',
    'c CNAME ns\nd MX 1 c',
    ['z:7:3: warning: MX target c.ex.test. is a CNAME (RFC 2181 section 10.3)'],
  ],
  [
    'an SRV to a CNAME',
    'c CNAME ns\nd SRV 0 0 1 c',
    ['z:7:3: warning: SRV target c.ex.test. is a CNAME (RFC 2181 section 10.3)'],
  ],
  ['an MX to nowhere', 'd MX 1 no', ['z:6:3: warning: MX target no.ex.test. has no address (A or AAAA) in the zone']],
  [
    'an SRV to nowhere',
    'd SRV 0 0 1 no',
    ['z:6:3: warning: SRV target no.ex.test. has no address (A or AAAA) in the zone'],
  ],
  [
    'a delegation to nowhere',
    'd NS no',
    ['z:6:3: warning: NS target no.ex.test. has no address (A or AAAA) in the zone'],
  ],
  [
    'missing glue',
    'd NS ns.d',
    ['z:6:3: warning: NS target ns.d.ex.test. is below a zone cut and has no glue (A or AAAA)'],
  ],
  [
    'missing glue below another cut',
    'c NS ns\nd NS ns.c',
    ['z:7:3: warning: NS target ns.c.ex.test. is below a zone cut and has no glue (A or AAAA)'],
  ],
  [
    'two TTLs in a set',
    'a 10 A 192.0.2.1\na 5 A 192.0.2.2',
    ['z:7:5: warning: TTL 5 of this A record of a.ex.test. differs from 10 in line 6; the least is used'],
  ],
  ['a repeated record', 'a A 192.0.2.1\nA A 192.0.2.1', ['z:7:3: warning: repeated A record of A.ex.test. is dropped']],
  [
    'a record repeated in other case',
    'a MX 1 ns\na MX 1 NS',
    ['z:7:3: warning: repeated MX record of a.ex.test. is dropped'],
  ],
  [
    'data below a zone cut',
    'd NS ns\nx.d TXT x\ny.x.d NS ns',
    [
      'z:7:5: warning: TXT record of x.d.ex.test. is below the zone cut d.ex.test. and is never answered',
      'z:8:7: warning: NS record of y.x.d.ex.test. is below the zone cut d.ex.test. and is never answered',
    ],
  ],
  [
    'data at a zone cut',
    'd NS ns\nd TXT x',
    ['z:7:3: warning: TXT record of d.ex.test. is at a zone cut and is never answered'],
  ],
];

const SOUND: readonly Case[] = [
  ['a delegation with glue', 'd NS ns.d\nns.d A 192.0.2.1\ne NS e\ne AAAA ::1', []],
  ['a delegation elsewhere', 'd NS ns.other.', []],
  [
    'a CNAME that is signed',
    'a CNAME ns\na RRSIG CNAME 13 3 300 20300101000000 20200101000000 1 @ AA==\na NSEC ns CNAME RRSIG NSEC',
    [],
  ],
  ['targets that say "none"', 'd MX 0 .\ne SRV 0 0 0 .', []],
  ['targets that a wildcard has', 'd MX 1 a.w\n*.w A 192.0.2.1', []],
  ['targets below a cut, which are not ours', 'c NS ns\nd MX 1 a.c', []],
  ['targets out of the zone', 'd MX 1 a.other.\ne SRV 0 0 1 test.', []],
  ['a name below an asterisk', 'a.*.w TXT x', []],
  ['text that differs in case only', 'a TXT x\na TXT X', []],
  ['numbers that differ as letters do in case', 'a MX 65 ns\na MX 97 ns', []],
  [
    'signatures with the TTLs of what they sign',
    'a 5 A 192.0.2.1\na 5 RRSIG A 13 3 5 20300101000000 20200101000000 1 @ AA==\na 9 RRSIG TXT 13 3 9 20300101000000 20200101000000 1 @ AA==',
    [],
  ],
];

for (const [kind, cases] of Object.entries({ 'an error': ERRORS, 'a warning': WARNINGS, sound: SOUND })) {
  describe(`${kind}:`, () => {
    for (const [what, text, expected] of cases) {
      it(what, () => {
        const { zone, problems } = build(text.startsWith('$') ? text : HEAD + text);
        assert.deepEqual(problems.map(formatProblem), expected);
        assert.equal(zone === undefined, kind === 'an error');
      });
    }
  });
}

describe('named-checkzone', () => {
  it('refuses and loads the same zones', async (t) => {
    if (!(await requireTools(t, { 'named-checkzone': 'bind9-utils' }))) return;
    const folder = mkdtempSync(join(tmpdir(), 'build-zone-'));
    t.after(() => rmSync(folder, { recursive: true }));
    for (const cases of [ERRORS, WARNINGS, SOUND]) {
      for (const [what, text, , differs] of cases) {
        if (differs !== undefined) continue;
        writeFileSync(join(folder, 'z'), `${text.startsWith('$') ? text : HEAD + text}\n`);
        const { exitCode, stdout } = await run('named-checkzone', ['ex.test', join(folder, 'z')]);
        assert.equal(exitCode, cases === ERRORS ? 1 : 0, `${what}: ${stdout}`);
      }
    }
  });
});

describe('the zone', () => {
  it('has its apex, SOA and file', () => {
    const { zone } = build(HEAD);
    assert.equal(formatName(zone!.apex), 'ex.test.');
    assert.deepEqual(formatRRset(zone!.soa), ['ex.test. 300 IN SOA ns.ex.test. h.ex.test. 1 3600 7200 1814400 240']);
    assert.equal(zone!.soa, zone!.root.sets.get(TYPE.SOA));
    assert.equal(zone!.file, 'z');
  });

  it('takes the least TTL and the records in order of the file', () => {
    const { zone } = build(`${HEAD}a 9 A 192.0.2.9\nb A 192.0.2.8\na 5 A 192.0.2.1\na 7 A 192.0.2.5`);
    assert.deepEqual(formatRRset(nodeAt(zone!, parseName('a.ex.test.'))!.sets.get(TYPE.A)!), [
      'a.ex.test. 5 IN A 192.0.2.9',
      'a.ex.test. 5 IN A 192.0.2.1',
      'a.ex.test. 5 IN A 192.0.2.5',
    ]);
  });

  it('lists its nodes in canonical order (RFC 4034 section 6.1), empty non-terminals too', () => {
    const names = ['a', 'yljkjljk.a', 'Z.a', 'zABC.a', 'z', String.raw`\001.z`, '*.z', String.raw`\200.z`, 'x.y.w'];
    const { zone } = build(
      HEAD +
        [...names]
          .reverse()
          .map((name) => `${name} TXT x\n`)
          .join(''),
    );
    assert.deepEqual(
      [...nodesOf(zone!)].map(({ name }) => formatName(name).replace('ex.test.', '')),
      [
        '',
        'a.',
        'yljkjljk.a.',
        'Z.a.',
        'zABC.a.',
        'ns.',
        'w.',
        'y.w.',
        'x.y.w.',
        'z.',
        String.raw`\001.z.`,
        '*.z.',
        String.raw`\200.z.`,
      ],
    );
  });

  it('is built in time for many records of one owner', () => {
    const lines = Array.from({ length: 50_000 }, (_, i) => `a A 10.${i >> 16}.${(i >> 8) & 255}.${i & 255}\n`);
    const before = process.cpuUsage();
    assert.equal(
      nodeAt(build(HEAD + lines.join('')).zone!, parseName('a.ex.test.'))!.sets.get(TYPE.A)!.rdatas.length,
      50_000,
    );
    // CPU time, since the machine may be busy; a square of 50,000 would take minutes.
    assert.ok(process.cpuUsage(before).user < 10_000_000);
  });
});

// zone-files.test.ts -- the zones folder: what is read, what is refused, and that nothing outside it is

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { formatProblem } from '../../src/base/errors.ts';
import { type ReadZonesOptions, readZones } from '../../src/config/zone-files.ts';
import { formatName } from '../../src/dns/name.ts';
import { formatZone } from '../support/zone-text.ts';

const SOA = '@ 5 SOA ns.o. h.o. 1 1 1 1 1\n  NS ns.o.\n';

/** A folder `zones`, and beside it a file that is none of its business. */
function folderWith(t: TestContext, files: Readonly<Record<string, string | Uint8Array>>): string {
  const above = mkdtempSync(join(tmpdir(), 'zone-files-'));
  t.after(() => rmSync(above, { recursive: true }));
  writeFileSync(join(above, 'secret'), 'secret 5 TXT "not for the world"\n');
  const folder = join(above, 'zones');
  mkdirSync(folder);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

/** What reading comes to, with paths relative to the folder. */
function outcome(folder: string, options?: ReadZonesOptions) {
  const { zones, problems, files } = readZones(folder, options);
  const short = (text: string) => text.replaceAll(`${folder}/`, '').replaceAll(folder, 'FOLDER');
  return {
    apexes: zones.map(({ apex }) => formatName(apex)),
    problems: problems.map((problem) => short(formatProblem(problem))),
    files: files.map(short),
  };
}

describe('the zones folder', () => {
  it('gives a zone for each *.zone, in order, and tells what it read', (t) => {
    const folder = folderWith(t, {
      'b.test.zone': SOA,
      'a.test.zone': `${SOA}$INCLUDE parts/hosts\n`,
      'parts/hosts': 'h 5 A 192.0.2.1\n$INCLUDE more\n',
      'parts/more': 'm 5 A 192.0.2.2\n',
      'notes.txt': 'no zone',
      '.hidden.zone': 'no zone either',
    });
    assert.deepEqual(outcome(folder), {
      apexes: ['a.test.', 'b.test.'],
      problems: [],
      files: ['a.test.zone', 'parts/hosts', 'parts/more', 'b.test.zone'],
    });
    assert.match(formatZone(readZones(folder).zones[0]!), /^h\.a\.test\. 5 IN A 192\.0\.2\.1\nm\.a\.test\. 5 IN A/m);
  });

  it('takes the origin from the name of the file, unless the file states one', (t) => {
    const folder = folderWith(t, {
      'a.test.zone': `$ORIGIN real.test.\n${SOA}`,
      'no name.zone': `$ORIGIN other.test.\n${SOA}`,
      'sub.zone': `$ORIGIN down\n${SOA}`,
    });
    assert.deepEqual(outcome(folder).apexes, ['real.test.', 'other.test.', 'down.sub.']);
    const without = folderWith(t, { 'no name.zone': SOA });
    assert.deepEqual(outcome(without).problems, ["no name.zone:1:1: relative name '@' without an origin"]);
  });

  it('may be missing, unless it must not', () => {
    assert.deepEqual(outcome('/nowhere/zones'), { apexes: [], problems: [], files: [] });
    const statedAt = { file: 'r.yaml', line: 3, column: 10 };
    const { problems } = outcome('/nowhere/zones', { statedAt });
    assert.deepEqual(problems, ['r.yaml:3:10: dns.zones: FOLDER does not exist']);
  });

  it('must be a folder', (t) => {
    const folder = folderWith(t, { 'a.zone': SOA });
    assert.deepEqual(
      readZones(join(folder, 'a.zone')).problems.map(({ message }) => message),
      ['is not a folder'],
    );
  });

  it('has the sample zone of the project, without a complaint', () => {
    const zones = join(dirname(fileURLToPath(import.meta.url)), '../../zones');
    const { apexes, problems } = outcome(zones, { statedAt: { file: 'r.yaml', line: 1, column: 1 } });
    assert.deepEqual([apexes, problems], [['service.local.'], []]);
  });
});

describe('problems', () => {
  it('of all files are told at once, and sound zones still come', (t) => {
    const folder = folderWith(t, {
      'a.test.zone': `${SOA}x 5 A nowhere\ny 5 BAD\n`,
      'b.test.zone': 'x 5 A 192.0.2.1\n',
      'c.test.zone': `${SOA}x 5 A 192.0.2.1\nx 5 A 192.0.2.1\n`,
    });
    assert.deepEqual(outcome(folder), {
      apexes: ['c.test.'],
      problems: [
        "a.test.zone:3:7: 'nowhere' is not an IPv4 address",
        "a.test.zone:4:5: unknown type or class 'BAD'",
        'b.test.zone: no SOA record',
        'c.test.zone:4:5: warning: repeated A record of x.c.test. is dropped',
      ],
      files: ['a.test.zone', 'b.test.zone', 'c.test.zone'],
    });
  });

  const refused: readonly (readonly [string, string | Uint8Array, string])[] = [
    ['not UTF-8', Uint8Array.of(0x61, 0xff, 0x62), 'a.zone: is not UTF-8 text'],
    ['binary', Buffer.concat([Buffer.from('PK'), Buffer.alloc(8)]), 'a.zone: is not text: NUL at octet 2'],
    ['too large', ' '.repeat(101), 'a.zone: has 101 octets (at most 100)'],
  ];
  for (const [what, content, expected] of refused) {
    it(`of a file that is ${what}`, (t) => {
      const folder = folderWith(t, { 'a.zone': content });
      assert.deepEqual(outcome(folder, { maxFileOctets: 100 }).problems, [expected]);
    });
  }

  it('of what is no file: a folder, a FIFO nobody writes to, a dangling link', (t) => {
    const folder = folderWith(t, {});
    mkdirSync(join(folder, 'a.zone'));
    execFileSync('mkfifo', [join(folder, 'b.zone')]);
    symlinkSync('gone', join(folder, 'c.zone'));
    assert.deepEqual(outcome(folder).problems, [
      'a.zone: is not a regular file',
      'b.zone: is not a regular file',
      'c.zone: does not exist',
    ]);
  });

  it('of a file that may not be read', { skip: process.getuid?.() === 0 ? 'root may read everything' : false }, (t) => {
    const folder = folderWith(t, { 'a.zone': SOA });
    chmodSync(join(folder, 'a.zone'), 0);
    assert.deepEqual(outcome(folder).problems, ['a.zone: may not be read']);
  });

  it('of two files for one zone', (t) => {
    const folder = folderWith(t, {
      'a.test.zone': SOA,
      'b.zone': `$ORIGIN A.Test.\n${SOA}`,
      'c.zone': `$ORIGIN a.test.\n${SOA}`,
    });
    assert.deepEqual(outcome(folder), {
      apexes: ['a.test.'],
      problems: [
        'b.zone: A.Test. is the zone of a.test.zone already',
        'c.zone: a.test. is the zone of a.test.zone already',
      ],
      files: ['a.test.zone', 'b.zone', 'c.zone'],
    });
  });

  it('are cut when there are too many, warnings first', (t) => {
    const folder = folderWith(t, { 'a.test.zone': `${SOA}${'x 5 A 192.0.2.1\n'.repeat(500)}o. 5 A 192.0.2.1\n` });
    const { problems } = outcome(folder);
    assert.equal(problems.length, 101);
    assert.equal(problems[0], 'a.test.zone:503:6: o. is outside the zone a.test.');
    assert.equal(problems.at(-1), 'a.test.zone: 400 more problems');
  });
});

describe('nothing outside the folder is read', () => {
  const paths: readonly (readonly [string, string])[] = [
    ['../secret', "'../secret' must be a path below FOLDER, without '..'"],
    ['parts/../../secret', "'parts/../../secret' must be a path below FOLDER, without '..'"],
    ['parts/../a.zone', "'parts/../a.zone' must be a path below FOLDER, without '..'"],
    ['/etc/passwd', "'/etc/passwd' must be a path below FOLDER, without '..'"],
    ['link', 'link: leads out of FOLDER'],
    ['way/secret', 'way/secret: leads out of FOLDER'],
    ['parts/hop', 'parts/hop: leads out of FOLDER'],
    ['parts', 'parts: is not a regular file'],
    ['gone', 'gone: does not exist'],
    ['.', 'FOLDER: is not a regular file'],
    ['a.zone/x', 'a.zone/x: is not a folder'],
  ];
  for (const [path, message] of paths) {
    it(`by $INCLUDE ${path}`, (t) => {
      const folder = folderWith(t, { 'a.zone': `${SOA}$INCLUDE ${path}\n`, 'parts/x': '' });
      symlinkSync('../secret', join(folder, 'link'));
      symlinkSync('..', join(folder, 'way'));
      symlinkSync('../link', join(folder, 'parts/hop'));
      const { apexes, problems } = outcome(folder);
      assert.deepEqual([apexes, problems], [[], [`a.zone:3:10: ${message}`]]);
    });
  }

  it('by a link for a zone file', (t) => {
    const folder = folderWith(t, {});
    symlinkSync('../secret', join(folder, 'a.zone'));
    symlinkSync('/dev/zero', join(folder, 'b.zone'));
    assert.deepEqual(outcome(folder).problems, ['a.zone: leads out of FOLDER', 'b.zone: leads out of FOLDER']);
  });

  it('while links within it are followed, as mounted configuration has them', (t) => {
    const folder = folderWith(t, { '..2026/a.test.zone': `${SOA}$INCLUDE part\n`, '..2026/part': 'x 5 A 192.0.2.1\n' });
    symlinkSync('..2026', join(folder, '..data'));
    symlinkSync('..data/a.test.zone', join(folder, 'a.test.zone'));
    symlinkSync('..data/part', join(folder, 'part'));
    const outer = join(dirname(folder), 'mounted');
    symlinkSync('zones', outer);
    assert.deepEqual(outcome(outer), { apexes: ['a.test.'], problems: [], files: ['a.test.zone', 'part'] });
  });

  it('and a file that includes itself by another name ends', (t) => {
    const folder = folderWith(t, { 'a.zone': `${SOA}$INCLUDE again\n` });
    symlinkSync('a.zone', join(folder, 'again'));
    assert.match(outcome(folder).problems.join('\n'), /again includes itself/);
  });
});

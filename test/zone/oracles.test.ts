// oracles.test.ts -- named-compilezone and ldns-read-zone read the fixtures, and read the same from what we read
//
// Each oracle turns the fixture, and our zone written out in the plainest form, into its own canonical text: no parser
// of ours stands between the two texts that are compared.

import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { formatProblem } from '../../src/base/errors.ts';
import { parseName } from '../../src/dns/name.ts';
import { buildZone } from '../../src/zone/build-zone.ts';
import { readMasterFile } from '../../src/zone/master-file.ts';
import { requireTools, run } from '../support/tools.ts';
import { formatZone } from '../support/zone-text.ts';

const FIXTURES = join(dirname(fileURLToPath(import.meta.url)), 'fixtures');
const SAMPLE = join(dirname(fileURLToPath(import.meta.url)), '../../zones/service.local.zone');

interface Fixture {
  readonly path: string;
  readonly apex: string;
  /** Why ldns cannot read it. */
  readonly notForLdns?: string;
}

const ZONES: readonly Fixture[] = [
  { path: join(FIXTURES, 'forms.zone'), apex: 'example.test', notForLdns: 'takes no class before the TTL' },
  { path: join(FIXTURES, 'types.zone'), apex: 'types.test' },
  { path: join(FIXTURES, 'delegations.zone'), apex: 'del.test' },
  { path: join(FIXTURES, 'including.zone'), apex: 'inc.test', notForLdns: 'has no $INCLUDE' },
  { path: SAMPLE, apex: 'service.local', notForLdns: 'takes no origin from outside' },
];

/** The zone as we read it, as text; the names of included files are relative to the folder of the fixtures. */
function ourText({ path, apex }: Fixture): string {
  const include = (name: string) => ({ file: name, text: readFileSync(join(FIXTURES, name), 'utf8') });
  const text = readFileSync(path, 'utf8');
  const { records, problems } = readMasterFile({ file: path, text, include, origin: parseName(`${apex}.`) });
  const built = buildZone(records, path);
  const errors = [...problems, ...built.problems].filter(({ severity }) => severity === 'error');
  assert.deepEqual(errors.map(formatProblem), []);
  return formatZone(built.zone!);
}

function scratchFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'oracles-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const name of readdirSync(FIXTURES)) copyFileSync(join(FIXTURES, name), join(folder, name));
  return folder;
}

describe('named-compilezone', () => {
  for (const fixture of ZONES) {
    it(`reads the same from ${fixture.path.slice(fixture.path.lastIndexOf('/') + 1)}`, async (t) => {
      if (!(await requireTools(t, { 'named-compilezone': 'bind9-utils' }))) return;
      const folder = scratchFolder(t);
      const compile = async (path: string): Promise<string> => {
        // The fixtures have names that no host may have, and targets without address.
        const args = ['-k', 'ignore', '-i', 'none', '-o', join(folder, 'out'), fixture.apex, path];
        const { exitCode, stdout } = await run('named-compilezone', args, { cwd: folder });
        assert.equal(exitCode, 0, stdout);
        return readFileSync(join(folder, 'out'), 'utf8');
      };
      writeFileSync(join(folder, 'ours'), ourText(fixture));
      const theirs = await compile(fixture.path);
      assert.ok(theirs.split('\n').length > 10, theirs);
      assert.equal(await compile(join(folder, 'ours')), theirs);
    });
  }
});

describe('ldns-read-zone', () => {
  for (const fixture of ZONES) {
    const name = fixture.path.slice(fixture.path.lastIndexOf('/') + 1);
    it(`reads the same from ${name}`, { skip: fixture.notForLdns ?? false }, async (t) => {
      if (!(await requireTools(t, { 'ldns-read-zone': 'ldnsutils' }))) return;
      const folder = scratchFolder(t);
      const canonical = async (path: string): Promise<string> => {
        const { exitCode, stdout, stderr } = await run('ldns-read-zone', ['-z', path], { cwd: folder });
        assert.equal(exitCode, 0, stderr);
        return stdout;
      };
      writeFileSync(join(folder, 'ours'), ourText(fixture));
      const theirs = await canonical(fixture.path);
      assert.ok(theirs.split('\n').length > 10, theirs);
      assert.equal(await canonical(join(folder, 'ours')), theirs);
    });
  }
});

describe('named-checkzone', () => {
  it('has nothing to say about the sample zone', async (t) => {
    if (!(await requireTools(t, { 'named-checkzone': 'bind9-utils' }))) return;
    const { exitCode, stdout } = await run('named-checkzone', ['service.local', SAMPLE]);
    assert.equal(exitCode, 0, stdout);
    assert.equal(stdout, 'zone service.local/IN: loaded serial 1\nOK\n');
  });
});

// architecture.test.ts -- the floors of the house, and the other rules of its layout, hold
//
// ARCHITECTURE.md explains the floors. The second half plants a breach of every rule in a small house of its own:
// a check that cannot fail would pass a project that it cannot read.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { blank, type Files, findBreaches, findImports, type House, type Rule } from './support/architecture.ts';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

const HOUSE: House = {
  floors: {
    base: 0,
    dns: 1,
    zone: 2,
    health: 2,
    registry: 3,
    balance: 4,
    routing: 5,
    cluster: 5,
    nameserver: 6,
    net: 7,
    stores: 8,
    checkers: 8,
    schedule: 8,
    client: 8,
    gateway: 9,
    api: 9,
    config: 10,
    wiring: 11,
    'server.ts': 12,
    'shard.ts': 12,
    cli: 13,
    'main.ts': 14,
  },
  // Programs that only pick an instance must not pull in the server's sockets.
  ceilings: { client: 5 },
  ioFloor: 7,
  rooms: ['src/base/clock.ts', 'src/base/random.ts', 'src/base/log.ts'],
  // The last two are what the package exports: `rollcall/client` and `rollcall/gateway`.
  entries: [
    'src/main.ts',
    'src/shard.ts',
    'src/stores/verifier.ts',
    'src/cli/demo-gateway-cart.ts',
    'src/client/client.ts',
    'src/gateway/middleware.ts',
  ],
  maxLines: { src: 400, test: 600 },
};

function readFiles(...folders: string[]): Map<string, string> {
  const files = new Map<string, string>();
  for (const folder of folders) {
    for (const name of readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })) {
      const path = `${folder}/${name.replaceAll('\\', '/')}`;
      if (path.endsWith('.ts')) files.set(path, readFileSync(join(ROOT, path), 'utf8'));
    }
  }
  return files;
}

describe('the house as it stands', () => {
  const files = readFiles('src', 'test');
  const breaches = findBreaches(files, HOUSE);
  const rules: Rule[] = [
    'banned-call',
    'barrel',
    'cycle',
    'dead-file',
    'default-export',
    'file-name',
    'file-size',
    'floor',
    'header',
    'unresolved-import',
  ];
  for (const rule of rules) {
    it(`has no ${rule}`, () => {
      const found = breaches.filter((breach) => breach.rule === rule);
      assert.equal(found.length, 0, found.map(({ file, message }) => `\n${file} ${message}`).join(''));
    });
  }

  it('was read: sources and the arrows between them are seen', () => {
    const sources = [...files].filter(([path]) => path.startsWith('src/'));
    const arrows = sources.flatMap(([, text]) => findImports(text).filter((specifier) => specifier.startsWith('.')));
    assert.ok(sources.length > 10, `${sources.length} sources`);
    assert.ok(arrows.length > sources.length / 2, `${arrows.length} arrows`);
  });
});

const SMALL_HOUSE: House = {
  floors: { base: 0, dns: 1, zone: 2, health: 2, net: 7, client: 8, 'main.ts': 9 },
  ceilings: { client: 2 },
  ioFloor: 7,
  rooms: ['src/base/clock.ts'],
  entries: ['src/main.ts'],
  maxLines: { src: 20, test: 30 },
};

const SOUND: Readonly<Record<string, string>> = {
  'src/base/clock.ts': `export const now = () => Date.now() + setTimeout.length;`,
  'src/dns/name.ts': `import { now } from '../base/clock.ts';\nexport type Name = string;\nexport const born = now();`,
  'src/zone/zone.ts': `import type { Name } from '../dns/name.ts';\nexport const apex: Name = 'a';`,
  'src/health/rise.ts': `// Date.now() is said only in a comment\nexport const text = 'Math.random() /* ';`,
  'src/net/udp.ts': `import { createSocket } from 'node:dgram';\nexport const open = createSocket;`,
  'src/client/pick.ts': `export { apex } from '../zone/zone.ts';\nexport const pick = 1;`,
  'src/main.ts': `import './net/udp.ts';\nimport * as c from './client/pick.ts';\nawait import('./health/rise.ts');\nc;`,
  'test/dns/name.test.ts': `export {};`,
};

/** The sound house with some files replaced or added; headers are put on where a file does not bring its own. */
function houseWith(changes: Readonly<Record<string, string>>): Files {
  return new Map(
    Object.entries({ ...SOUND, ...changes }).map(([path, text]) => [
      path,
      text.startsWith('//!') ? text : `// ${path.slice(path.lastIndexOf('/') + 1)} -- a file\n${text}\n`,
    ]),
  );
}

const ZONE = 'src/zone/zone.ts';
const zone = (text: string) => ({ [ZONE]: `export const apex = 'a';\n${text}` });

const PLANTED: readonly (readonly [string, Rule, string, Readonly<Record<string, string>>])[] = [
  ['an upward import', 'floor', ZONE, zone(`import { open } from '../net/udp.ts';`)],
  ['an upward import of a type', 'floor', ZONE, zone(`import type { open } from '../net/udp.ts';`)],
  ['an upward import over several lines', 'floor', ZONE, zone(`import {\n  open,\n} from "../net/udp.ts";`)],
  ['an upward import()', 'floor', ZONE, zone(`const udp = await import('../net/udp.ts');`)],
  ['an upward import type', 'floor', ZONE, zone(`type Open = typeof import('../net/udp.ts').open;`)],
  ['an upward export from', 'floor', ZONE, zone(`export { open } from '../net/udp.ts';`)],
  ['a sideways import', 'floor', ZONE, zone(`import { text } from '../health/rise.ts';`)],
  ['an import above the ceiling', 'floor', 'src/client/pick.ts', { 'src/client/pick.ts': `import '../net/udp.ts';` }],
  ['a folder without a floor', 'floor', 'src/attic/box.ts', { 'src/attic/box.ts': 'export const box = 1;' }],
  ['an import of nothing', 'unresolved-import', ZONE, zone(`import { x } from './gone.ts';`)],
  ['a cycle of two', 'cycle', 'src/dns/name.ts', { 'src/dns/name.ts': `import '../zone/zone.ts';` }],
  ['a file that imports itself', 'cycle', ZONE, zone(`import type { apex as a } from './zone.ts';`)],
  ['a file that nobody imports', 'dead-file', 'src/zone/old.ts', { 'src/zone/old.ts': 'export const old = 1;' }],
  ['export default', 'default-export', ZONE, zone('export default apex;')],
  ['export as default', 'default-export', ZONE, zone('export { apex as default };')],
  ['a file of re-exports', 'barrel', ZONE, { [ZONE]: `export * from '../dns/name.ts';` }],
  ['imports exported again', 'barrel', ZONE, { [ZONE]: `import { a } from '../dns/name.ts';\nexport { a };` }],
  ['the wall clock', 'banned-call', ZONE, zone('export const t = Date.now();')],
  ['the wall clock by another name', 'banned-call', ZONE, zone('export const t = new Date();')],
  ['a call inside a template', 'banned-call', ZONE, zone(`export const t = \`at \${\`\${Date.now()}\`} /*\`;`)],
  ['a call after a regular expression', 'banned-call', ZONE, zone(`const r = /["'\`/*]/; r; Date.now();`)],
  ['chance', 'banned-call', ZONE, zone('export const r = Math.random();')],
  ['a timer', 'banned-call', ZONE, zone('setInterval(() => {}, 1);')],
  ['the environment', 'banned-call', ZONE, zone('export const home = process.env.HOME;')],
  ['files', 'banned-call', ZONE, zone(`import { readFile } from 'node:fs/promises';`)],
  ['a socket', 'banned-call', ZONE, zone(`import type { Socket } from 'node:net';`)],
  ['a long file', 'file-size', ZONE, zone('\n'.repeat(30))],
  ['a long test', 'file-size', 'test/dns/name.test.ts', { 'test/dns/name.test.ts': '\n'.repeat(40) }],
  ['a name that says nothing', 'file-name', 'test/support/utils.ts', { 'test/support/utils.ts': 'export {};' }],
  ['a name in camelCase', 'file-name', 'test/support/fakeClock.ts', { 'test/support/fakeClock.ts': 'export {};' }],
  ['a missing header', 'header', 'test/dns/name.test.ts', { 'test/dns/name.test.ts': '//! nothing said\n' }],
];

describe('the rules themselves', () => {
  it('find nothing in a sound house', () => {
    assert.deepEqual(findBreaches(houseWith({}), SMALL_HOUSE), []);
  });

  for (const [name, rule, file, changes] of PLANTED) {
    it(`find ${name}`, () => {
      const found = findBreaches(houseWith(changes), SMALL_HOUSE);
      const hit = found.some((breach) => breach.rule === rule && breach.file === file);
      assert.ok(hit, `no ${rule} in ${file}; found ${JSON.stringify(found)}`);
    });
  }

  const blanked: readonly (readonly [string, string])[] = [
    [`a("x\\"y", 'p'); // "e"\nf /* g */;`, `a("    ", ' ');       \nf        ;`],
    [`a(/[/"]/g, 6 / 3 / 1);`, `a(       , 6 / 3 / 1);`],
    [`\`h\${k({ c: 'd' })}i\` + \`\``, `\`  {k({ c: ' ' })} \` + \`\``],
  ];
  for (const [text, code] of blanked) it(`read ${JSON.stringify(text)}`, () => assert.equal(blank(text), code));
});

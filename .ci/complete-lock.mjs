// complete-lock.mjs -- put back into package-lock.json the packages for other platforms that npm left out
//
// Behind a registry mirror that lacks some of them, `npm install` drops the optional packages of other platforms from
// the lock file, and `npm ci` then refuses that file everywhere. They are pinned by their parents, so their entries
// can be written from what the lock file holds: version from the parent, platform from the name. What was never
// fetched has no integrity hash. `--check` only tells (and fails) when something is missing.

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const LOCK = fileURLToPath(new URL('../package-lock.json', import.meta.url));
const PLATFORM =
  /\b(aix|android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32)-(arm64|arm|ia32|loong64|ppc64|riscv64|s390x|x64)\b/;

const lock = JSON.parse(readFileSync(LOCK, 'utf8'));
const missing = new Map();
for (const [path, { optionalDependencies = {}, dev }] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    if (!isNamed(path, name)) missing.set(`node_modules/${name}`, describe(name, version, dev));
  }
}

for (const [path, { version }] of missing) console.log(`missing: ${path} ${version}`);
if (process.argv.includes('--check')) process.exitCode = missing.size === 0 ? 0 : 1;
else if (missing.size > 0) {
  const [[rootPath, root], ...rest] = [...Object.entries(lock.packages), ...missing];
  const sorted = rest.sort(([left], [right]) => left.localeCompare(right, 'en'));
  lock.packages = Object.fromEntries([[rootPath, root], ...sorted]);
  writeFileSync(LOCK, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`package-lock.json: ${missing.size} entries added`);
}

/** Whether the lock file has the package where Node would look for it from `path`: beside it, or in a folder above. */
function isNamed(path, name) {
  for (let from = path; ; from = from.slice(0, Math.max(from.lastIndexOf('/node_modules/'), 0))) {
    if (lock.packages[`${from === '' ? '' : `${from}/`}node_modules/${name}`] !== undefined) return true;
    if (from === '') return false;
  }
}

/** A lock entry for a package that is for one platform and pinned to one version; throws for any other. */
function describe(name, version, dev) {
  const [, os, cpu] = PLATFORM.exec(name) ?? [];
  if (os === undefined || !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) {
    throw new Error(`${name}@${version} is neither for one platform nor pinned: run npm install again`);
  }
  const libc = name.endsWith('musl') ? ['musl'] : /gnu(eabihf)?$/.test(name) ? ['glibc'] : undefined;
  return { version, cpu: [cpu], ...(dev && { dev }), ...(libc && { libc }), optional: true, os: [os] };
}

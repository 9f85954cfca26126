// read-cookies.test.ts -- secrets of server cookies from a file, and what is wrong with one

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { formatProblem } from '../../src/base/errors.ts';
import { loadConfig } from '../../src/config/load-config.ts';

const A = '00112233445566778899001122334455';
const B = 'ffeeddccbbaa00998877665544332211';

describe('dns.cookieSecretsFile', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-cookies-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const load = (secrets: string | undefined, more = '') => {
    if (secrets !== undefined) writeFileSync(join(folder, 'cookies.secret'), secrets);
    writeFileSync(join(folder, 'rollcall.yaml'), `dns:\n  cookieSecretsFile: cookies.secret\n${more}`);
    const { config, problems } = loadConfig({ file: 'rollcall.yaml', env: {}, cwd: folder });
    const messages = problems.map((each) => formatProblem(each).replace(/^.*?(?=dns\.)/, ''));
    return { secrets: config?.dns.cookieSecrets, path: config?.dns.cookieSecretsFile, messages };
  };

  it('cannot be missing', () => {
    const { messages } = load(undefined);
    assert.match(messages.join(), /^dns\.cookieSecretsFile: cannot be read: ENOENT/);
  });

  it('has a secret a line, the first signs; comments and empty lines are skipped', () => {
    const text = `# shared with ns2\n\n  ${A.toUpperCase()}  \r\n${B}`;
    assert.deepEqual(load(text), { secrets: [A, B], path: join(folder, 'cookies.secret'), messages: [] });
  });

  const broken: readonly (readonly [what: string, text: string, message: string])[] = [
    ['nothing', '# later\n', 'holds no secret'],
    ['a line that is none', `${A}\n${B}0\n`, 'line 2 must be 32 hexadecimal digits'],
    ['one twice', `${A}\n\n${A}\n`, 'line 3 stands twice'],
    [
      'too many',
      Array.from({ length: 9 }, (_, i) => `${i}`.padStart(32, '0')).join('\n'),
      'line 9 is one more than the 8 there may be',
    ],
  ];
  for (const [what, text, message] of broken) {
    it(`with ${what} is refused, and no secret is shown`, () => {
      assert.deepEqual(load(text).messages, [`dns.cookieSecretsFile: ${message}`]);
    });
  }

  it('does not go together with secrets in the configuration', () => {
    const { messages } = load(A, `  cookieSecrets: ["${B}"]\n`);
    assert.deepEqual(messages, ['dns.cookieSecretsFile: cannot stand beside cookieSecrets']);
  });
});

// docs-client.test.ts -- the examples of docs/client.md run as they stand there

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openApiServer } from '../support/api-server.ts';
import { run } from '../support/tools.ts';

const ROOT = new URL('../../', import.meta.url);
const PAGE = readFileSync(new URL('docs/client.md', ROOT), 'utf8');
const CLIENT = fileURLToPath(new URL('src/client/client.ts', ROOT));

/** The section that each example stands in, the example, and what it prints. */
const EXPECTED: Readonly<Record<string, RegExp>> = {
  'The client library': /^$/,
  Register: /^cart-service-127\.0\.0\.1:\d+ is healthy\n$/,
  Watch: /^register cart-service-127\.0\.0\.1:8080 healthy false\n(?:deregister .* false\n)?$/,
  Pick: /^http:\/\/127\.0\.0\.1:8080\ncart-service-127\.0\.0\.1:8080 false\n$/,
  'Services as hosts': /^cart-service\.service\.local\n$/,
  'By DNS alone': /^function\n$/,
};

describe('docs/client.md', () => {
  const sections = PAGE.split(/^#+ /m).slice(1);
  const examples = sections.flatMap((section) => {
    const title = section.slice(0, section.indexOf('\n'));
    return [...section.matchAll(/```js\n(.*?)```/gs)].map(([, code = '']) => ({ title, code }));
  });

  it('has an example in each of these sections', () => {
    assert.deepEqual(
      examples.map(({ title }) => title),
      Object.keys(EXPECTED),
    );
  });

  for (const { title, code } of examples) {
    it(`runs: ${title}`, async (t) => {
      const server = await openApiServer({ ttlInForceSeconds: () => 0 });
      t.after(() => server.close());
      // Nobody probes here: the check of the example would have no result.
      const program = code.replaceAll("'rollcall/client'", JSON.stringify(CLIENT)).replace(/^ *checks: .*\n/m, '');
      const { exitCode, stdout, stderr } = await run(
        process.execPath,
        ['--import', 'tsx', '--input-type=module', '--eval', program],
        { timeoutMs: 30_000, env: { ...process.env, ROLLCALL_HTTP: server.url } },
      );
      assert.equal(exitCode, 0, stderr);
      assert.match(stdout, EXPECTED[title]!);
    });
  }
});

// differential.test.ts -- a short cut of the ordeal `differential`: Knot with our zones by AXFR answers as we do

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Differential } from '../support/differential.ts';
import { requireTools } from '../support/tools.ts';

const QUESTIONS = 2000;

describe('Knot with our zones by AXFR answers the same, but for what is written down', () => {
  for (const [title, workers] of [
    ['shards', 'auto'],
    ['the main thread', 0],
  ] as const) {
    it(`as ${title}`, async (t) => {
      if (!(await requireTools(t, { knotd: 'knot', dig: 'bind9-dnsutils' }))) return;
      const servers = await Differential.open(t, workers);
      const { unexplained, rcodes, known, largest, anyFactor, overTcp } = await servers.run(QUESTIONS, 1);
      t.diagnostic(JSON.stringify({ rcodes, known, overTcp }));
      assert.equal(unexplained.length, 0, `${unexplained.length} differences\n${unexplained.slice(0, 10).join('\n')}`);
      const explained = Object.values(known).reduce((sum, each) => sum + each, 0);
      assert.ok(explained < QUESTIONS / 10, `${explained} replies differ: there is little left to compare`);
      assert.ok((rcodes.NOERROR ?? 0) > 500 && (rcodes.NXDOMAIN ?? 0) > 500, 'both kinds of answers');
      assert.ok(largest.edns <= 1232 && largest.plain <= 512, `${largest.edns} and ${largest.plain} octets over UDP`);
      assert.ok(anyFactor <= 4, `ANY: ${anyFactor} times the query`);
    });
  }
});

// check-examples.test.ts -- every example of docs/health-checks.md is a check, and there is one of every type

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { CHECK_TYPES } from '../../src/health/check-spec.ts';
import { Findings, InputObject } from '../../src/registry/input.ts';
import { readCheck } from '../../src/registry/validate-check.ts';

const text = readFileSync(new URL('../../docs/health-checks.md', import.meta.url), 'utf8');
const examples = [...text.matchAll(/^```json\n([\s\S]*?)^```/gm)].map(([, json]) => JSON.parse(json!));
const defaults = { intervalMs: 5000, timeoutMs: 2000, rise: 2, fall: 3, allowExec: true };

describe('docs/health-checks.md', () => {
  for (const [index, example] of examples.entries()) {
    it(`example ${index + 1}, ${example.type}`, () => {
      const findings = new Findings();
      const input = InputObject.of(example, '', findings)!;
      const check = readCheck(input, { address: '10.0.0.1', port: 8080 }, defaults);
      assert.deepEqual([...findings.invalid, ...findings.unsupported], []);
      assert.equal(check?.type, example.type);
    });
  }

  it('has every type', () => {
    assert.deepEqual(new Set(examples.map(({ type }) => type)), new Set(CHECK_TYPES));
  });
});

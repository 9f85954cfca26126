// scenarios.test.ts -- every scenario file says what it should; REWRITE=1 writes down what was answered instead

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readScenario, Scenario, writeScenario } from '../support/scenario.ts';

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), 'scenarios');
const isRewriting = process.env.REWRITE === '1';

describe('scenarios', () => {
  for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.txt'))) {
    it(file, async () => {
      const path = join(FOLDER, file);
      const text = readFileSync(path, 'utf8');
      const paragraphs = readScenario(text);
      const scenario = new Scenario();
      const outputs: string[][] = [];
      for (const paragraph of paragraphs) {
        const output = await scenario.run(paragraph);
        outputs.push(output);
        if (!isRewriting) {
          const commands = paragraph.lines.filter((line) => !line.startsWith('#')).join('\n');
          assert.deepEqual(output, paragraph.expected, `${file}:${paragraph.line}\n${commands}`);
        }
      }
      assert.ok(
        outputs.some((output) => output.length > 0),
        'a scenario asks something',
      );
      const rewritten = writeScenario(paragraphs, outputs);
      if (isRewriting) writeFileSync(path, rewritten);
      else assert.equal(text, rewritten, `${file} is not in its plain form; run with REWRITE=1`);
    });
  }
});

// checkers.ts -- what every checker must do, whatever it probes

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CheckSpec } from '../../src/health/check-spec.ts';
import type { Checker } from '../../src/health/checker.ts';
import { OUTPUT_LIMIT_BYTES } from '../../src/health/probe-output.ts';
import { probeTarget } from '../support/probe-target.ts';

/**
 * How the thing that is probed behaves: well, badly, not there at all, never done, or (where it can talk at all)
 * talking without end.
 */
export type Behaviour = 'passing' | 'critical' | 'absent' | 'hanging' | 'flooding';

/** Something to probe. */
export interface Subject {
  /** The check that probes it, except for its timeout. */
  readonly check: CheckSpec;
  /** Resolves when all that the last probe opened or started is gone, as seen from the subject's side. */
  released(): Promise<void>;
  close(): Promise<void>;
}

export interface CheckerSetup {
  readonly create: () => Checker;
  readonly start: (behaviour: Behaviour) => Promise<Subject>;
  /** Behaviours that this kind of check cannot meet, with the reason. */
  readonly skips?: Partial<Record<Behaviour, string>>;
}

const DEADLINE_MS = 250;
const LATENESS_MS = 150;

/** Register the suite for one checker. */
export function testChecker(name: string, setup: CheckerSetup): void {
  const scenario = (
    behaviour: Behaviour,
    title: string,
    body: (checker: Checker, subject: Subject) => Promise<void>,
  ) => {
    it(title, { skip: setup.skips?.[behaviour] ?? false }, async () => {
      const checker = setup.create();
      const subject = await setup.start(behaviour);
      try {
        await body(checker, subject);
      } finally {
        await checker.close();
        await subject.close();
      }
    });
  };
  const probe = (checker: Checker, subject: Subject, timeoutMs = 2000) =>
    checker.probe(probeTarget({ ...subject.check, timeoutMs }));

  describe(`${name}: checker conformance`, () => {
    scenario('passing', 'what works is passing, time after time', async (checker, subject) => {
      for (let i = 0; i < 3; i++) {
        const result = await probe(checker, subject);
        assert.equal(result.outcome, 'passing', result.output);
        assert.ok(result.latencyMs > 0 && result.latencyMs < 2000, `latency ${result.latencyMs}`);
        assert.notEqual(result.output, '');
      }
    });

    scenario('critical', 'what fails is critical and says why', async (checker, subject) => {
      const result = await probe(checker, subject);
      assert.equal(result.outcome, 'critical');
      assert.notEqual(result.output, '');
    });

    scenario('absent', 'what is not there is critical, at once', async (checker, subject) => {
      const result = await probe(checker, subject);
      assert.equal(result.outcome, 'critical');
      assert.match(result.output, /ECONNREFUSED|ENOENT/);
      assert.ok(result.latencyMs < 1000, `latency ${result.latencyMs}`);
    });

    scenario('hanging', 'a probe ends at its deadline and leaves nothing behind', async (checker, subject) => {
      const startedMs = performance.now();
      const result = await probe(checker, subject, DEADLINE_MS);
      const tookMs = performance.now() - startedMs;
      assert.equal(result.outcome, 'critical');
      assert.match(result.output, /timed out after 250ms/);
      assert.ok(tookMs >= DEADLINE_MS - 2 && tookMs <= DEADLINE_MS + LATENESS_MS, `took ${tookMs} ms`);
      await subject.released();
    });

    scenario('hanging', 'closing the checker ends its probes', async (checker, subject) => {
      const pending = probe(checker, subject, 60_000);
      setTimeout(() => void checker.close(), 100);
      assert.match((await pending).output, /the checker was closed/);
      await subject.released();
      assert.equal((await probe(checker, subject)).outcome, 'critical');
    });

    scenario('flooding', 'output is bounded however much there is', async (checker, subject) => {
      const result = await probe(checker, subject, DEADLINE_MS);
      const size = Buffer.byteLength(result.output);
      assert.ok(size <= OUTPUT_LIMIT_BYTES, `${size} octets`);
      await subject.released();
    });

    scenario('passing', 'closing the checker releases what was kept', async (checker, subject) => {
      await probe(checker, subject);
      await checker.close();
      await subject.released();
    });

    it('a check that makes no sense is critical, never an exception', async () => {
      const checker = setup.create();
      const subject = await setup.start('absent');
      for (const parts of [
        { url: 'nonsense', host: '\0', args: ['\0'] },
        { url: '', host: '', args: [] },
      ]) {
        const result = await checker.probe(probeTarget({ ...subject.check, ...parts, port: 0 }));
        assert.equal(result.outcome, 'critical', result.output);
      }
      await checker.close();
      await subject.close();
    });
  });
}

// checkers.ts -- what every checker must do, whatever it probes

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseNetwork } from '../../src/base/ip.ts';
import type { ProbeOptions } from '../../src/checkers/resolver.ts';
import type { CheckSpec, ProbeResult } from '../../src/health/check-spec.ts';
import type { Checker } from '../../src/health/checker.ts';
import { DEFAULT_PROBE_NETWORKS } from '../../src/health/probe-address.ts';
import { OUTPUT_LIMIT_BYTES } from '../../src/health/probe-output.ts';
import { probeTarget } from '../support/probe-target.ts';

/**
 * How the thing that is probed behaves: well, badly, not there at all, without a word, never done, or (where it can
 * talk at all) an octet now and then, without end, breaking off, or in another language.
 */
export type Behaviour =
  | 'passing'
  | 'critical'
  | 'absent'
  | 'silent'
  | 'hanging'
  | 'dribbling'
  | 'flooding'
  | 'resetting'
  | 'babbling';

/** Something to probe. */
export interface Subject {
  /** The check that probes it, except for its timeout. */
  readonly check: CheckSpec;
  readonly port: number;
  /** Resolves when all that the last probe opened or started is gone, as seen from the subject's side. */
  released(): Promise<void>;
  close(): Promise<void>;
}

export interface CheckerSetup {
  readonly create: (options: ProbeOptions) => Checker;
  /** Start a subject, at this address if it can be connected to. */
  readonly start: (behaviour: Behaviour, address: string) => Promise<Subject>;
  /** The check that asks `host`, as it is written in a check: an IPv6 address has no brackets yet. */
  readonly at?: (host: string, port: number) => CheckSpec;
  /** Behaviours that this kind of check cannot meet, with the reason. */
  readonly skips?: Partial<Record<Behaviour, string>>;
}

/** What a checker is given that is told nothing in particular. */
export const PROBE_OPTIONS: ProbeOptions = {
  networks: DEFAULT_PROBE_NETWORKS,
  isOwnListener: () => false,
  allowExec: true,
};

const DEADLINE_MS = 250;
/** By how much a result may be later than its timeout, on the clock of a process that may get little time. */
const GRACE_MS = 200;

/** 169.254.169.254, 0.0.0.0 and others, as they may be written. */
const DENIED_SPELLINGS = [
  ...['169.254.169.254', '2852039166', '0xa9fea9fe', '0251.0376.0251.0376', '169.254.43518', '0xa9.254.169.0376'],
  ...['::ffff:169.254.169.254', '::ffff:a9fe:a9fe', '64:ff9b::a9fe:a9fe', '2002:a9fe:a9fe::', '::169.254.169.254'],
  ...['fe80::1', 'ff02::1', '224.0.0.1', '0.0.0.0', '0', '::'],
];

/** Register the suite for one checker. */
export function testChecker(name: string, setup: CheckerSetup): void {
  describe(`${name}: checker conformance`, { timeout: 60_000 }, () => {
    testOutcomes(setup);
    testDeadlines(setup);
    if (setup.at !== undefined) testAddresses(setup.create, setup.start, setup.at);
  });
}

/** Run `body` with a checker and a subject, and see that nothing of them is left. */
function scenario(
  setup: Pick<CheckerSetup, 'create' | 'start' | 'skips'>,
  behaviour: Behaviour,
  title: string,
  body: (checker: Checker, subject: Subject) => Promise<void>,
  { address = '127.0.0.1', options = {} as Partial<ProbeOptions> } = {},
): void {
  it(title, { skip: setup.skips?.[behaviour] ?? false }, async () => {
    const before = openResources();
    const checker = setup.create({ ...PROBE_OPTIONS, ...options });
    const subject = await setup.start(behaviour, address);
    try {
      await body(checker, subject);
    } finally {
      await checker.close();
      await subject.close();
    }
    await untilReleased(before);
  });
}

async function probe(checker: Checker, { check }: Pick<Subject, 'check'>, timeoutMs = 5000): Promise<ProbeResult> {
  let isLate = false;
  // A timer beside that of the probe: when the machine is busy, both are held up.
  const timer = setTimeout(() => {
    isLate = true;
  }, timeoutMs + GRACE_MS);
  const result = await checker.probe(probeTarget({ ...check, timeoutMs }));
  clearTimeout(timer);
  assert.ok(!isLate, `no result within ${timeoutMs} ms`);
  const size = Buffer.byteLength(result.output);
  assert.ok(size > 0 && size <= OUTPUT_LIMIT_BYTES, `output of ${size} octets`);
  assert.match(result.output, /^(?:[\t\n]|[^\p{Cc}\p{Cf}\p{Cs}])*$/u);
  return result;
}

function testOutcomes(setup: CheckerSetup): void {
  scenario(setup, 'passing', 'what works is passing, time after time', async (checker, subject) => {
    for (let i = 0; i < 3; i++) {
      const result = await probe(checker, subject);
      assert.equal(result.outcome, 'passing', result.output);
      assert.ok(result.latencyMs > 0, `latency ${result.latencyMs}`);
    }
  });

  scenario(setup, 'critical', 'what fails is critical and says why', async (checker, subject) => {
    const result = await probe(checker, subject);
    assert.equal(result.outcome, 'critical', result.output);
  });

  scenario(setup, 'absent', 'what is not there is critical, at once', async (checker, subject) => {
    const result = await probe(checker, subject);
    assert.equal(result.outcome, 'critical', result.output);
    assert.match(result.output, /ECONNREFUSED|ENOENT/);
  });

  scenario(setup, 'resetting', 'what breaks off is critical, at once', async (checker, subject) => {
    const result = await probe(checker, subject, 30_000);
    assert.equal(result.outcome, 'critical', result.output);
    await subject.released();
  });

  scenario(setup, 'babbling', 'what speaks another language is critical', async (checker, subject) => {
    const result = await probe(checker, subject, 1000);
    assert.equal(result.outcome, 'critical', result.output);
    await subject.released();
  });

  scenario(setup, 'flooding', 'however much there is, the output is bounded', async (checker, subject) => {
    await probe(checker, subject, DEADLINE_MS);
    await subject.released();
  });

  scenario(setup, 'absent', 'a check that makes no sense is critical, never an exception', async (checker, subject) => {
    for (const parts of [
      { url: 'nonsense', host: '\0', args: ['\0'] },
      { url: '', host: '', args: [] },
    ]) {
      const check = { ...subject.check, ...parts, port: 0 };
      assert.equal((await probe(checker, { check })).outcome, 'critical');
    }
  });
}

function testDeadlines(setup: CheckerSetup): void {
  for (const behaviour of ['silent', 'hanging', 'dribbling'] as const) {
    scenario(setup, behaviour, `${behaviour}: ends at the deadline, leaving nothing`, async (checker, subject) => {
      const startedMs = performance.now();
      const result = await probe(checker, subject, DEADLINE_MS);
      assert.equal(result.outcome, 'critical', result.output);
      assert.match(result.output, /timed out after 250ms/);
      assert.ok(performance.now() - startedMs >= DEADLINE_MS - 2, 'not before its time');
      await subject.released();
    });
  }

  scenario(setup, 'hanging', 'closing the checker ends its probes', async (checker, subject) => {
    const pending = probe(checker, subject, 60_000);
    setTimeout(() => void checker.close(), 100);
    assert.match((await pending).output, /the checker was closed/);
    await subject.released();
    assert.equal((await probe(checker, subject)).outcome, 'critical');
  });

  scenario(setup, 'passing', 'closing the checker releases what was kept', async (checker, subject) => {
    await probe(checker, subject);
    await checker.close();
    await subject.released();
  });
}

function testAddresses(
  create: CheckerSetup['create'],
  start: CheckerSetup['start'],
  at: NonNullable<CheckerSetup['at']>,
): void {
  const setup = { create, start };
  for (const host of DENIED_SPELLINGS) {
    it(`${host} is refused`, async () => {
      const checker = create(PROBE_OPTIONS);
      const result = await probe(checker, { check: at(host, 80) });
      assert.equal(result.outcome, 'critical');
      assert.match(result.output, /^refused: .* is in a network that checks may not reach$/);
      await checker.close();
    });
  }

  const refuses = (title: string, host: string, options: Partial<ProbeOptions>, expected: RegExp) => {
    scenario(
      setup,
      'passing',
      title,
      async (checker, subject) => {
        const result = await probe(checker, { check: at(host, subject.port) });
        assert.equal(result.outcome, 'critical', result.output);
        assert.match(result.output, expected);
      },
      { options },
    );
  };
  const networks = { allow: [], deny: parseNetwork('loopback')! };
  refuses('a name is judged by what it resolves to', 'localhost', { networks }, /^refused: localhost \(/);
  const isOwnListener = (address: string) => address === '127.0.0.1';
  for (const host of ['127.0.0.1', 'localhost', '127.1', '::ffff:127.0.0.1']) {
    refuses(`a listener of our own, as ${host}, is refused`, host, { isOwnListener }, /^refused: .* own listeners$/);
  }

  const reaches = (title: string, host: string, address: string) => {
    scenario(
      setup,
      'passing',
      title,
      async (checker, subject) => {
        for (let i = 0; i < 2; i++) {
          const result = await probe(checker, { check: at(host, subject.port) });
          assert.equal(result.outcome, 'passing', result.output);
        }
      },
      { address },
    );
  };
  reaches('an IPv6 address is reached', '::1', '::1');
  reaches('a host by its name is reached', 'localhost', '127.0.0.1');
}

/** Sockets, servers and processes that are open now, by kind. */
function openResources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    if (/^(TCP|UDP|TLS|Process|HTTP2)/i.test(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

async function untilReleased(before: ReadonlyMap<string, number>): Promise<void> {
  const giveUpMs = performance.now() + 10_000;
  for (;;) {
    const left = [...openResources()].filter(([kind, count]) => count > (before.get(kind) ?? 0));
    if (left.length === 0) return;
    assert.ok(performance.now() < giveUpMs, `still open: ${JSON.stringify(left)}`);
    await sleep(5);
  }
}

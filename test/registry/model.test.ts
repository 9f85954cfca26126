// model.test.ts -- random commands, several at a time and with restarts in between, against a registry of a few lines

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { CodedError } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/log.ts';
import type { Outcome } from '../../src/health/check-spec.ts';
import type { Instance } from '../../src/registry/instance.ts';
import { Registry } from '../../src/registry/registry.ts';
import { openMemoryStore } from '../../src/stores/memory.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { aCheck, anInstance, aResult } from '../support/registrations.ts';

type Write =
  | { readonly kind: 'register'; readonly instance: Instance; readonly onlyNew: boolean }
  | { readonly kind: 'deregister' | 'drain' | 'undrain'; readonly id: string }
  | { readonly kind: 'maintain'; readonly id: string; readonly reason: string | undefined }
  | { readonly kind: 'maintain-service'; readonly service: string; readonly reason: string | undefined }
  | { readonly kind: 'policy'; readonly service: string; readonly maxAnswers: number | undefined };

/** What happens between one look and the next: writes all at once, then results, then time, then perhaps a restart. */
interface Round {
  readonly writes: readonly Write[];
  readonly results: readonly { readonly id: string; readonly check: string; readonly outcome: Outcome }[];
  readonly beats: readonly string[];
  readonly passMs: number;
  readonly restarts: boolean;
}

const id = fc.constantFrom('a', 'b', 'c');
const service = fc.constantFrom('web', 'mail');
const reason = fc.constantFrom(undefined, 'disk', 'move');
const check = fc.constantFrom('one', 'two');
const instance = fc
  .record({
    id,
    // Mostly its own service, so that `id_taken` stays the exception.
    service: fc.constantFrom('web', 'web', 'web', 'mail'),
    weight: fc.nat(2),
    leaseTtlMs: fc.constantFrom(undefined, undefined, 3000, 8000),
    checks: fc.uniqueArray(fc.record({ id: check, port: fc.constantFrom(80, 81) }), { selector: (each) => each.id }),
  })
  .map(({ leaseTtlMs, checks, ...rest }) =>
    anInstance({
      ...rest,
      ...(leaseTtlMs === undefined ? {} : { leaseTtlMs }),
      checks: checks.map((each) => aCheck(each.id, { port: each.port })),
    }),
  );
const write: fc.Arbitrary<Write> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('register' as const), instance, onlyNew: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('deregister', 'drain', 'undrain'), id }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('maintain' as const), id, reason }) },
  fc.record({ kind: fc.constant('maintain-service' as const), service, reason }),
  fc.record({ kind: fc.constant('policy' as const), service, maxAnswers: fc.constantFrom(undefined, 1, 2) }),
);
const round: fc.Arbitrary<Round> = fc.record({
  writes: fc.array(write, { maxLength: 6 }),
  results: fc.array(fc.record({ id, check, outcome: fc.constantFrom('passing', 'warning', 'critical') }), {
    maxLength: 4,
  }),
  beats: fc.array(id, { maxLength: 2 }),
  passMs: fc.constantFrom(0, 0, 1000, 2999, 5000),
  restarts: fc.boolean(),
});

interface Modelled {
  instance: Instance;
  /** `none`: no result yet; `neutral`: none, and no say either. */
  outcomes: Map<string, Outcome | 'none' | 'neutral'>;
  draining: boolean;
  maintenance: string | undefined;
  expiresAtMs: number | undefined;
  /** Without what a restart gave. */
  storedExpiryMs: number | undefined;
}

/** The registry in a few lines: one command after the other, no store. */
class Model {
  readonly instances = new Map<string, Modelled>();
  readonly maintenance = new Map<string, string>();
  readonly policies = new Map<string, number>();
  nowMs = 0;

  /** Do it; returns what a caller would hear. */
  write(command: Write): string {
    if (command.kind === 'register') return this.#register(command.instance, command.onlyNew);
    if (command.kind === 'maintain-service') return setOrDelete(this.maintenance, command.service, command.reason);
    if (command.kind === 'policy') return setOrDelete(this.policies, command.service, command.maxAnswers);
    const known = this.instances.get(command.id);
    if (known === undefined) return 'unknown_instance';
    if (command.kind === 'deregister') this.instances.delete(command.id);
    else if (command.kind === 'maintain') known.maintenance = command.reason;
    else known.draining = command.kind === 'drain';
    return 'ok';
  }

  #register(instance: Instance, onlyNew: boolean): string {
    const known = this.instances.get(instance.id);
    if (known !== undefined && known.instance.service !== instance.service) return 'id_taken';
    if (known !== undefined && onlyNew) return 'already_registered';
    const isWell = known !== undefined && ['healthy', 'warning'].includes(statusOfChecks(known));
    const outcomes: Modelled['outcomes'] = new Map();
    const same = instance.checks.filter(({ id, port }) =>
      known?.instance.checks.some((each) => each.id === id && each.port === port),
    );
    const keepsFailing = same.some(({ id }) => known!.outcomes.get(id) === 'critical');
    for (const check of instance.checks) {
      const unproven = isWell || keepsFailing ? 'neutral' : 'none';
      outcomes.set(check.id, same.includes(check) ? known!.outcomes.get(check.id)! : unproven);
    }
    const { draining = false, maintenance = undefined } = known ?? {};
    this.instances.set(instance.id, {
      instance,
      outcomes,
      draining,
      maintenance,
      expiresAtMs: undefined,
      storedExpiryMs: undefined,
    });
    this.beat(instance.id);
    return known === undefined ? 'created' : 'replaced';
  }

  result(id: string, check: string, outcome: Outcome): void {
    const outcomes = this.instances.get(id)?.outcomes;
    if (outcomes?.has(check)) outcomes.set(check, outcome);
  }

  beat(id: string): boolean {
    const known = this.instances.get(id);
    const ttlMs = known?.instance.leaseTtlMs;
    if (known !== undefined) known.storedExpiryMs = ttlMs === undefined ? undefined : this.nowMs + ttlMs;
    if (known !== undefined) known.expiresAtMs = known.storedExpiryMs;
    return known !== undefined;
  }

  pass(ms: number): void {
    this.nowMs += ms;
    for (const [id, { expiresAtMs }] of this.instances) {
      if (expiresAtMs !== undefined && expiresAtMs <= this.nowMs) this.instances.delete(id);
    }
  }

  /** What is left of a lease, and a second more. */
  restart(): void {
    for (const known of this.instances.values()) {
      const { leaseTtlMs } = known.instance;
      if (known.storedExpiryMs === undefined || leaseTtlMs === undefined) continue;
      known.expiresAtMs = Math.min(this.nowMs + leaseTtlMs, known.storedExpiryMs + 1000);
    }
  }

  picture(): unknown {
    const instances = [...this.instances].map(([id, known]) => {
      const { service, weight } = known.instance;
      const maintenance = known.maintenance ?? this.maintenance.get(service);
      const held = known.draining ? 'draining' : maintenance === undefined ? undefined : 'maintenance';
      return [id, service, weight, held ?? statusOfChecks(known), maintenance];
    });
    const services = new Set([
      ...this.policies.keys(),
      ...[...this.instances.values()].map((each) => each.instance.service),
    ]);
    return { instances: instances.sort(), services: [...services].sort(), policies: Object.fromEntries(this.policies) };
  }
}

function setOrDelete<T>(map: Map<string, T>, key: string, value: T | undefined): string {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
  return 'ok';
}

function statusOfChecks({ outcomes }: Modelled): string {
  const all = [...outcomes.values()];
  if (all.includes('none')) return 'pending';
  if (all.includes('critical')) return 'unhealthy';
  return all.includes('warning') ? 'warning' : 'healthy';
}

/** The real thing, pictured as the model is. */
function picture(registry: Registry): unknown {
  const instances = [...registry.instances()].map(({ instance: { id, service, weight }, status, maintenance }) => {
    assert.equal(registry.service(service)?.instances.get(id)?.status, status);
    return [id, service, weight, status, maintenance];
  });
  const services = [...registry.services()];
  const listed = services.reduce((sum, each) => sum + each.instances.size, 0);
  assert.deepEqual([listed, registry.instanceCount], [instances.length, instances.length]);
  const policies = services.flatMap(({ name, policy }) => (policy === undefined ? [] : [[name, policy.maxAnswers]]));
  return {
    instances: instances.sort(),
    services: services.map(({ name }) => name).sort(),
    policies: Object.fromEntries(policies),
  };
}

async function perform(registry: Registry, command: Write): Promise<string> {
  switch (command.kind) {
    case 'register':
      return (await registry.register(command.instance, command.onlyNew)).isNew ? 'created' : 'replaced';
    case 'deregister':
      await registry.deregister(command.id);
      return 'ok';
    case 'drain':
    case 'undrain':
      await registry.setDraining(command.id, command.kind === 'drain');
      return 'ok';
    case 'maintain':
      await registry.setMaintenance(command.id, command.reason);
      return 'ok';
    case 'maintain-service':
      await registry.setServiceMaintenance(command.service, command.reason);
      return 'ok';
    case 'policy': {
      const { maxAnswers } = command;
      await registry.setPolicy(command.service, maxAnswers === undefined ? undefined : { maxAnswers });
      return 'ok';
    }
  }
}

async function heard(registry: Registry, command: Write): Promise<string> {
  try {
    return await perform(registry, command);
  } catch (error) {
    if (error instanceof CodedError) return error.code;
    throw error;
  }
}

/** Do each round with both, and compare what callers hear and what there is to see. */
async function compare(rounds: readonly Round[]): Promise<void> {
  const clock = new FakeClock();
  const store = openMemoryStore();
  const model = new Model();
  let registry = await Registry.open({ store, clock, log: silentLogger });
  let sequence = registry.sequence;
  const follow = () =>
    registry.onChange((change) => {
      assert.equal(change.sequence, ++sequence);
    });
  follow();
  for (const { writes, results, beats, passMs, restarts } of rounds) {
    const replies = await Promise.all(writes.map((command) => heard(registry, command)));
    assert.deepEqual(
      replies,
      writes.map((command) => model.write(command)),
    );
    for (const { id, check, outcome } of results) {
      registry.reportResult(id, check, aResult(outcome));
      model.result(id, check, outcome);
    }
    for (const beaten of beats) {
      if (model.beat(beaten)) registry.heartbeat(beaten, undefined);
      else assert.throws(() => registry.heartbeat(beaten, undefined), { code: 'unknown_instance' });
    }
    assert.deepEqual(picture(registry), model.picture());
    await clock.advance(passMs);
    model.pass(passMs);
    assert.deepEqual(picture(registry), model.picture());
    if (!restarts) continue;
    await registry.stop();
    await assertNoOrphans(store, registry);
    registry = await Registry.open({ store, clock, log: silentLogger });
    sequence = registry.sequence;
    follow();
    model.restart();
    assert.deepEqual(picture(registry), model.picture());
  }
  await registry.stop();
  await assertNoOrphans(store, registry);
  assert.equal(clock.pendingCount, 0);
}

/** Nothing in the store speaks of an instance that is not there. */
async function assertNoOrphans(store: ReturnType<typeof openMemoryStore>, registry: Registry): Promise<void> {
  const { records } = await store.load();
  const ids = records
    .filter(({ key }) => /^(status|hold)\//.test(key))
    .map(({ key }) => key.slice(key.indexOf('/') + 1));
  assert.deepEqual(
    ids.filter((each) => registry.instance(each) === undefined),
    [],
  );
}

it('the registry does what a registry of a few lines does', async () => {
  await fc.assert(fc.asyncProperty(fc.array(round, { maxLength: 12 }), compare), { numRuns: 300 });
});

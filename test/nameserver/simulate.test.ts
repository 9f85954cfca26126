// simulate.test.ts -- simulated clients get what strategies promise, and nothing real is touched

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parsePrefix } from '../../src/base/ip.ts';
import { parseType, TYPE } from '../../src/dns/codes.ts';
import { formatRecord } from '../../src/dns/presentation.ts';
import { type Simulation, type SimulationResult, simulate } from '../../src/nameserver/simulate.ts';
import { readPolicy } from '../../src/registry/validate-policy.ts';
import { NameServer } from '../support/name-server.ts';

type Wish = Partial<Omit<Simulation, 'type' | 'network'>> & { readonly type?: string; readonly network?: string };

function run(server: NameServer, policy: object | undefined, wish: Wish = {}): SimulationResult {
  const service = server.registry.service('web')!;
  const instances = [...service.instances.values()];
  const work = simulate(
    {
      service: { name: 'web', instances, rollout: service.rollout },
      domain: server.zones[0]!.domain!,
      picks: 'first',
      clients: 200,
      durationMs: 60_000,
      requestsPerSecond: 2,
      serviceTimesMs: instances.map(() => 100),
      failures: [],
      seed: 1,
      ...wish,
      type: parseType(wish.type ?? 'A')!,
      network: parsePrefix(wish.network ?? '10.0.0.0/8')!,
    },
    policy === undefined ? undefined : readPolicy(policy),
  );
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

async function weighing(...weights: readonly number[]): Promise<NameServer> {
  const server = await NameServer.open();
  for (const [i, weight] of weights.entries()) {
    await server.register('web', `web-${i}`, { address: `10.0.0.${i + 1}`, port: 80, weight });
  }
  return server;
}

const sharesOf = ({ loads }: SimulationResult): number[] => loads.map(({ share }) => share);

describe('shares', () => {
  const rows: readonly (readonly [policy: object, wish: Wish, shares: readonly number[]])[] = [
    [{}, {}, [0.25, 0.25, 0.25, 0.25]],
    [{ strategy: 'random' }, {}, [0.25, 0.25, 0.25, 0.25]],
    [{ strategy: 'weighted' }, {}, [0.1, 0.2, 0.3, 0.4]],
    [{ strategy: 'weighted', maxAnswers: 1 }, { picks: 'any' }, [0.1, 0.2, 0.3, 0.4]],
    [{ strategy: 'weighted' }, { picks: 'any' }, [0.25, 0.25, 0.25, 0.25]],
    [{ strategy: 'weighted' }, { type: 'SRV' }, [0.1, 0.2, 0.3, 0.4]],
    [{ strategy: 'hash' }, { clients: 5000, requestsPerSecond: 0.5 }, [0.1, 0.2, 0.3, 0.4]],
    [{ strategy: 'subset', maxAnswers: 2 }, { clients: 5000, requestsPerSecond: 0.5 }, [0.1, 0.2, 0.3, 0.4]],
    [{ strategy: 'failover' }, {}, [0, 0, 0, 1]],
    [{ strategy: 'failover' }, { type: 'SRV' }, [0, 0, 0, 1]],
  ];
  for (const [policy, wish, shares] of rows) {
    it(`${JSON.stringify(policy)} ${JSON.stringify(wish)}: ${shares.join(' ')}`, async () => {
      const result = run(await weighing(1, 2, 3, 4), policy, wish);
      for (const [i, share] of sharesOf(result).entries()) {
        assert.ok(Math.abs(share - shares[i]!) < 0.03, `web-${i} has ${share}`);
      }
      assert.equal(result.failed + result.unanswered, 0);
    });
  }
});

describe('a simulation', () => {
  it('is the same for the same seed, and another for another', async () => {
    const server = await weighing(1, 1, 1);
    const policy = { strategy: 'least-connections' };
    assert.deepEqual(run(server, policy), run(server, policy));
    assert.notDeepEqual(run(server, policy), run(server, policy, { seed: 2 }));
  });

  it('touches neither turns nor instances', async () => {
    const server = await weighing(1, 1, 1);
    const first = () => formatRecord(server.ask('web.service.local. A').answers[0]!);
    const before = [...server.registry.instances()];
    const seen = [first()];
    run(server, { strategy: 'least-connections' }, { failures: [{ instance: 0, atMs: 0, forMs: 1000 }] });
    seen.push(first());
    run(server, {});
    seen.push(first());
    assert.equal(new Set(seen).size, 3);
    assert.deepEqual([...server.registry.instances()], before);
  });

  it('sends clients on as their TTL ends: to a failing instance only those who have it cached', async () => {
    const failures = [{ instance: 0, atMs: 20_000, forMs: 20_000 }];
    const server = await weighing(1, 1);
    const result = run(server, { ttl: '5s' }, { failures });
    const cached = run(server, { ttl: '0s' }, { failures });
    assert.ok(result.failed > 0, 'some had it cached');
    assert.equal(cached.failed, 0);
    assert.ok(result.loads[0]!.share > 0.25 && result.loads[0]!.share < 0.45, `web-0: ${result.loads[0]!.share}`);
    const alone = run(await weighing(1), undefined, { failures });
    assert.ok(alone.unanswered > 0, 'nobody else is there');
    const back = run(await weighing(1), undefined, {
      failures: [...failures, { instance: 0, atMs: 10_000, forMs: 15_000 }],
    });
    assert.ok(back.unanswered > alone.unanswered, 'failures may overlap');
  });

  it('leaves out what is not answerable, also when a failure of it ends', async () => {
    const server = await weighing(1, 1);
    await server.registry.setDraining('web-0', true);
    const result = run(server, {}, { failures: [{ instance: 0, atMs: 1000, forMs: 1000 }] });
    assert.deepEqual(sharesOf(result), [0, 1]);
  });

  it('keeps clients of hash where they are, and moves only those of an instance that fails', async () => {
    const server = await weighing(1, 1, 1, 1, 1);
    const before = run(server, { strategy: 'hash' }, { clients: 2000 });
    assert.equal(before.changed, 0);
    const failures = [{ instance: 0, atMs: 0, forMs: Number.POSITIVE_INFINITY }];
    const after = run(server, { strategy: 'hash' }, { clients: 2000, failures });
    for (const [client, favourite] of before.favourites.entries()) {
      if (favourite !== 0) assert.equal(after.favourites[client], favourite, `client ${client}`);
    }
  });

  it('sees routes and affinity as clients do', async () => {
    const server = await NameServer.open({ clientZones: { eu: ['10.0.0.0/9'] } });
    await server.register('web', 'eu', { address: '10.0.0.1', port: 80, zone: 'eu' });
    await server.register('web', 'us', { address: '10.0.0.2', port: 80, zone: 'us' });
    const [eu] = sharesOf(run(server, { affinity: { by: 'zone' } }, { clients: 2000, requestsPerSecond: 0.5 }));
    assert.ok(Math.abs(eu! - 0.75) < 0.03, `half of the clients are near, the others share: ${eu}`);
    const routes = [{ match: { meta: { x: 'y' } }, client: ['10.1.0.0/16'] }];
    await server.register('web', 'us', { address: '10.0.0.2', port: 80, meta: { x: 'y' } });
    assert.deepEqual(sharesOf(run(server, { routes }, { network: '10.1.0.0/16' })), [0, 1]);
  });

  it('shows what least-connections does for uneven service times', async () => {
    const server = await weighing(1, 1, 1, 1);
    const wish: Wish = {
      clients: 10,
      requestsPerSecond: 20,
      durationMs: 600_000,
      serviceTimesMs: [100, 100, 100, 1000],
    };
    const turns = run(server, {}, wish);
    const least = run(server, { strategy: 'least-connections' }, wish);
    assert.ok(least.p99 <= 0.6 * turns.p99, `p99 ${least.p99} beside ${turns.p99}`);
  });
});

describe('a large service', () => {
  for (const strategy of ['round-robin', 'least-connections', 'hash']) {
    it(`${strategy}: no step looks at many instances`, async () => {
      const server = await NameServer.open();
      await server.registerMany('web', 2000);
      const service = server.registry.service('web')!;
      let reads = 0;
      let most = 0;
      const watched = [...service.instances.values()].map((state) => ({
        ...state,
        instance: new Proxy(state.instance, {
          get(instance, key) {
            if (key === 'address') most = Math.max(most, ++reads);
            return Reflect.get(instance, key);
          },
        }),
      }));
      const work = simulate(
        {
          service: { name: 'web', instances: watched, rollout: undefined },
          ...{ domain: server.zones[0]!.domain!, type: TYPE.SRV, picks: 'first', clients: 2, durationMs: 3500 },
          ...{ requestsPerSecond: 10, serviceTimesMs: watched.map(() => 100), seed: 1 },
          failures: [{ instance: 0, atMs: 1000, forMs: 1000 }],
          network: parsePrefix('10.0.0.0/8')!,
        },
        readPolicy({ strategy, ttl: '0s' }),
      );
      let all = 0;
      for (let step = work.next(); !step.done; step = work.next()) {
        all += reads;
        reads = 0;
      }
      assert.ok(all > 10_000, `it was looked at them ${all} times`);
      // The address itself, and where a name is made of it.
      assert.ok(most <= 3 * 256, `${most} times in one step`);
    });
  }
});

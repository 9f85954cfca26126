// joined-answers.test.ts -- branches that share the most of their instances answer as if each had all of its own

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { STRATEGIES } from '../../src/balance/strategies.ts';
import { parsePrefix } from '../../src/base/ip.ts';
import { atOnce } from '../../src/base/pauses.ts';
import { TYPE } from '../../src/dns/codes.ts';
import { parseName } from '../../src/dns/name.ts';
import { formatRecord } from '../../src/dns/presentation.ts';
import { prefixClient } from '../../src/nameserver/client.ts';
import { explain } from '../../src/nameserver/explain.ts';
import { NameServer } from '../support/name-server.ts';

/** As many subnets, so many that what they have in common is shared. */
const HOMES = 200;
const NAME = 'web.service.local.';
const POLICY = {
  tiers: [{ match: { tags: ['first'] } }, { match: { tags: ['second'] } }],
  affinity: { by: 'subnet', mode: 'prefer' },
};

/** `web-0` on, each at 10.0.i.1 and in the first, second and last tier by turns; the last ones have weight 0. */
async function serverWith(policy: object, instanceOf: (i: number) => object = () => ({})): Promise<NameServer> {
  const server = await NameServer.open({});
  for (let i = 0; i < HOMES; i++) {
    const tags = [['first'], ['second'], []][i % 3]!;
    const weight = i >= HOMES - 6 ? 0 : 1 + (i % 4);
    await server.register('web', `web-${i}`, { address: `10.0.${i}.1`, port: 80, tags, weight, ...instanceOf(i) });
  }
  await server.setPolicy('web', { ...POLICY, ...policy });
  return server;
}

interface Srv {
  readonly priority: number;
  readonly weight: number;
  readonly target: string;
}

function srvOf(server: NameServer, client: string): Srv[] {
  const { answers } = server.ask(`${NAME} SRV`, { client, transport: 'tcp' });
  return answers.map((record) => {
    const [priority, weight, , target] = formatRecord(record).split(/\s+/).slice(-4);
    return { priority: Number(priority), weight: Number(weight), target: target! };
  });
}

/** The number of an instance from the name of its address. */
function numberOf(target: string): number {
  return Number(target.split('-')[2]);
}

describe('answers of branches that share', () => {
  for (const strategy of Object.keys(STRATEGIES)) {
    it(`${strategy}: have everybody as often as those explained, which share nothing`, async () => {
      const server = await serverWith({ strategy });
      for (const [home, type] of [
        [0, 'A'],
        [0, 'SRV'],
        [1, 'A'],
        [1, 'SRV'],
        [2, 'SRV'],
      ] as const) {
        const client = `10.0.${home}.9`;
        const asked = { name: parseName(NAME), type: TYPE[type], client: prefixClient(parsePrefix(client)!) };
        const told = atOnce(explain(asked, server.handler.view, (service) => server.registry.service(service)));
        const draws = 800;
        const first = new Map<number, number>();
        const included = new Map<number, number>();
        for (let draw = 0; draw < draws; draw++) {
          const { answers } = server.ask(`${NAME} ${type}`, { client });
          for (const [place, record] of answers.entries()) {
            const number = type === 'A' ? record.rdata[2]! : numberOf(formatRecord(record).split(/\s+/).at(-1)!);
            included.set(number, (included.get(number) ?? 0) + 1 / draws);
            if (place === 0) first.set(number, (first.get(number) ?? 0) + 1 / draws);
          }
        }
        for (const { member, share, inclusion } of told.instances) {
          const number = Number(member.instance.id.slice('web-'.length));
          const got = [first.get(number) ?? 0, included.get(number) ?? 0];
          const text = `${type} ${client}: web-${number} has ${got}, explained as ${share}, ${inclusion}`;
          assert.ok(Math.abs(got[0]! - share) < 0.05 && Math.abs(got[1]! - inclusion) < 0.07, text);
        }
      }
    });

    it(`${strategy}: name everybody once, in the order of their tiers, the near one alone in its own`, async () => {
      const server = await serverWith({ strategy, maxAnswers: 1000 });
      for (const home of [0, 1, 2, HOMES - 1]) {
        const records = srvOf(server, `10.0.${home}.9`);
        const numbers = records.map(({ target }) => numberOf(target));
        assert.equal(new Set(numbers).size, numbers.length, 'each once');
        // Of the last six, two are in each tier; who weighs nothing is not preferred to others.
        const isNarrowed = home < HOMES - 6;
        const own = numbers.filter((number) => number % 3 === home % 3);
        if (isNarrowed) assert.deepEqual(own, [home]);
        const others = Array.from({ length: HOMES }, (_, i) => i).filter((i) => !isNarrowed || i % 3 !== home % 3);
        assert.equal(numbers.length, others.length + (isNarrowed ? 1 : 0));
        const rankOf = (number: number): number => (number >= HOMES - 6 ? 3 : 0) + (number % 3);
        const ranks = numbers.map(rankOf);
        assert.deepEqual(ranks, ranks.toSorted(), 'in the order of the tiers, weight 0 behind all');
        for (const [i, { priority }] of records.entries()) {
          const before = records[i - 1];
          if (before === undefined) continue;
          const isNext = ranks[i]! > ranks[i - 1]!;
          assert.ok(
            isNext ? priority > before.priority : priority >= before.priority,
            `${before.priority}, ${priority}`,
          );
        }
      }
    });
  }

  it('hold one record of a target that is in two tiers', async () => {
    const server = await serverWith({ strategy: 'weighted', maxAnswers: 1000 }, (i) =>
      i === 0 ? { address: '10.0.1.1' } : {},
    );
    const twice = srvOf(server, '10.0.1.9').filter(({ target }) => target.startsWith('10-0-1-1.'));
    assert.equal(twice.length, 1);
    // Of weights 1 and 2, and in the better of their tiers.
    assert.deepEqual([twice[0]!.weight, twice[0]!.priority], [3, 0]);
  });

  it('hold each text once', async () => {
    const server = await serverWith({ maxAnswers: 1000 }, (i) => ({ meta: { version: i === 1 ? 'own' : `${i % 5}` } }));
    for (const [client, count] of [
      ['10.0.1.9', 6],
      ['10.0.4.9', 5],
    ] as const) {
      const texts = server.ask(`${NAME} TXT`, { client }).answers.map(({ rdata }) => Buffer.from(rdata).toString());
      assert.equal(texts.length, count, `${texts}`);
      assert.equal(new Set(texts).size, count, `${texts}`);
    }
  });

  it('change with the instances', async () => {
    const server = await serverWith({});
    const first = (): number => server.ask(`${NAME} A`, { client: '10.0.0.9' }).answers[0]!.rdata[2]!;
    assert.equal(first(), 0);
    await server.registry.deregister('web-0');
    assert.notEqual(first(), 0);
  });
});

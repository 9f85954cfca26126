// able-instances.test.ts -- what has no record of the type, or not the port, that is asked for keeps no route, tier or home going

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parsePrefix } from '../../src/base/ip.ts';
import { atOnce } from '../../src/base/pauses.ts';
import { parseType } from '../../src/dns/codes.ts';
import { parseName } from '../../src/dns/name.ts';
import { formatRecord } from '../../src/dns/presentation.ts';
import { prefixClient } from '../../src/nameserver/client.ts';
import { explain } from '../../src/nameserver/explain.ts';
import { NameServer } from '../support/name-server.ts';

interface Case {
  readonly what: string;
  /** `id=address`, and behind it `#tag`, `@zone`, `:port name`, `+meta key`, `!` for one that is unhealthy. */
  readonly instances: string;
  readonly policy: object;
  readonly question: string;
  readonly client?: string;
  /** Ids of those in answers. */
  readonly answered: string;
}

const CANARY = { routes: [{ match: { tags: ['v2'] } }] };
const TIERS = { tiers: [{ match: { tags: ['v2'] } }] };
const NEAR = { affinity: { by: 'zone' } };

const CASES: readonly Case[] = [
  {
    what: 'a canary of the other family falls back to the general pool',
    ...{ instances: 'a=10.0.0.1 b=2001:db8::2#v2', policy: CANARY, question: 'web A', answered: 'a' },
  },
  {
    what: 'and answers what it can',
    ...{ instances: 'a=10.0.0.1 b=2001:db8::2#v2', policy: CANARY, question: 'web AAAA', answered: 'b' },
  },
  {
    what: 'a general pool of the other family gets the routes',
    ...{ instances: 'a=2001:db8::1 b=10.0.0.2#v2', policy: { routes: [{ match: { tags: ['v2'] }, percent: 0 }] } },
    ...{ question: 'web A', answered: 'b' },
  },
  {
    what: 'a canary without the port falls back',
    ...{ instances: 'a=10.0.0.1:grpc b=10.0.0.2#v2', policy: CANARY, question: '_grpc._tcp.web SRV', answered: 'a' },
  },
  {
    what: 'a canary has its SRV records of the main port',
    ...{ instances: 'a=10.0.0.1:grpc b=10.0.0.2#v2', policy: CANARY, question: 'web SRV', answered: 'b' },
  },
  {
    what: 'a canary without metadata falls back for TXT',
    ...{ instances: 'a=10.0.0.1+x b=10.0.0.2#v2', policy: CANARY, question: 'web TXT', answered: 'a' },
  },
  {
    what: 'a canary without https falls back for HTTPS',
    ...{ instances: 'a=10.0.0.1:https b=10.0.0.2#v2', policy: CANARY, question: 'web HTTPS', answered: 'a' },
  },
  {
    what: 'an unhealthy general pool does not make the canary answer what it cannot',
    ...{ instances: 'a=10.0.0.1! b=2001:db8::2#v2', policy: CANARY, question: 'web A', answered: '' },
  },
  {
    what: 'a tier without the family is passed over',
    ...{ instances: 'a=2001:db8::1#v2 b=10.0.0.2', policy: TIERS, question: 'web A', answered: 'b' },
  },
  {
    what: 'a tier whose instance of the family is unhealthy is passed over',
    ...{ instances: 'a=2001:db8::1#v2 b=10.0.0.2#v2! c=10.0.0.3', policy: TIERS, question: 'web A', answered: 'c' },
  },
  {
    what: 'SRV has all tiers',
    ...{ instances: 'a=2001:db8::1#v2 b=10.0.0.2', policy: TIERS, question: 'web SRV', answered: 'a b' },
  },
  {
    what: 'those near that have no address of the family are nobody near',
    ...{ instances: 'a=10.0.0.1@us b=2001:db8::2@eu c=10.0.0.3@eu!', policy: NEAR, question: 'web A' },
    ...{ client: '10.1.0.9', answered: 'a' },
  },
  {
    what: 'those near by subnet answer only for their family',
    ...{ instances: 'a=10.1.0.1 b=2001:db8::2', policy: { affinity: { by: 'subnet' } }, question: 'web AAAA' },
    ...{ client: '10.1.0.9', answered: 'b' },
  },
  {
    what: 'pinned clients get nothing of others',
    ...{ instances: 'a=10.0.0.1@us b=2001:db8::2@eu', policy: { affinity: { by: 'zone', mode: 'pin' } } },
    ...{ question: 'web A', client: '10.1.0.9', answered: '' },
  },
  {
    what: 'a pinned client falls back from a canary of its own that cannot answer',
    ...{ instances: 'a=10.0.0.1@eu b=2001:db8::2@eu#v2 c=10.0.0.3@us' },
    policy: { ...CANARY, affinity: { by: 'zone', mode: 'pin' } },
    ...{ question: 'web A', client: '10.1.0.9', answered: 'a' },
  },
  {
    what: 'those near come alone in each tier where they have the port',
    ...{ instances: 'a=10.0.0.1@us#v2:grpc b=10.0.0.2@eu#v2 c=10.0.0.3@eu:grpc d=10.0.0.4@us:grpc' },
    policy: { ...TIERS, ...NEAR },
    ...{ question: '_grpc._tcp.web SRV', client: '10.1.0.9', answered: 'a c' },
  },
  {
    what: 'a canary of which too few are well is answered as whenAllUnhealthy says, and does not fall back',
    ...{ instances: 'a=10.0.0.1 b=10.0.0.2#v2 c=2001:db8::3#v2! d=10.0.0.4#v2!' },
    policy: { ...CANARY, minHealthyFraction: 0.5 },
    ...{ question: 'web A', answered: '' },
  },
  {
    what: 'whenAllUnhealthy answers of the pool that has somebody for it',
    ...{ instances: 'a=2001:db8::1#v2 b=10.0.0.2! c=2001:db8::3' },
    policy: { ...CANARY, minHealthyFraction: 0.9, whenAllUnhealthy: 'all' },
    ...{ question: 'web A', answered: 'b' },
  },
];

describe('instances without a record of what is asked for', () => {
  for (const { what, instances, policy, question, client = '127.0.0.1', answered } of CASES) {
    it(what, async () => {
      const server = await NameServer.open({ clientZones: { eu: ['10.1.0.0/16'] } });
      const targets = new Map<string, string>();
      for (const text of instances.split(' ')) {
        const [, id, address] = /^(\w+)=([\da-f.]+|[\da-f]+:[\da-f:]+?)(?=[#@!+]|:[g-z]|$)/.exec(text)!;
        const part = (pattern: RegExp) => pattern.exec(text)?.[1];
        const [tag, zone, port, meta] = [part(/#(\w+)/), part(/@(\w+)/), part(/:([g-z]\w+)/), part(/\+(\w+)/)];
        await server.register('web', id!, {
          ...{ address, port: 80, tags: tag === undefined ? [] : [tag] },
          ...(zone === undefined ? {} : { zone }),
          ...(port === undefined ? {} : { ports: { [port]: 9000 } }),
          ...(meta === undefined ? {} : { meta: { [meta]: id } }),
          ...(text.endsWith('!')
            ? { checks: [{ id: 'c', type: 'heartbeat', interval: '5s', initial: 'critical' }] }
            : {}),
        });
        targets.set(address!, id!);
      }
      await server.setPolicy('web', policy);
      const [name, type] = question.split(' ');
      const asked = `${name}.service.local. ${type}`;
      // The first one is made by the general path, the others are kept.
      for (let turn = 0; turn < 4; turn++) {
        const { answers } = server.ask(asked, { client });
        const text = answers.map(formatRecord).join('\n');
        const found = [...targets].filter(
          ([address, id]) =>
            text.includes(address) ||
            text.includes(dashed(address)) ||
            text.includes(`="${id}"`) ||
            text.includes(`=${id}"`),
        );
        assert.equal(
          found
            .map(([, id]) => id)
            .sort()
            .join(' '),
          answered,
          text,
        );
      }
      const told = atOnce(
        explain(
          {
            ...{ name: parseName(`${name}.service.local.`), type: parseType(type!)! },
            client: prefixClient(parsePrefix(client)!),
          },
          server.handler.view,
          (service) => server.registry.service(service),
        ),
      );
      const inAnswers = told.instances.filter(({ rank }) => rank !== undefined).map(({ member }) => member.instance.id);
      assert.equal(inAnswers.sort().join(' '), answered, 'explained');
      assert.equal(told.trace.result, answered === '' ? 'nodata' : 'answer');
    });
  }
});

/** An address as the label of its name below `addr`. */
function dashed(address: string): string {
  if (!address.includes(':')) return `${address.replaceAll('.', '-')}.addr`;
  const [head, tail] = address.split('::').map((half) => half.split(':'));
  return `${[...head!, ...new Array(8 - head!.length - tail!.length).fill('0'), ...tail!].join('-')}.addr`;
}

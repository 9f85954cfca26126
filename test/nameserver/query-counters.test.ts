// query-counters.test.ts -- what is counted in one thread is read in another, and goes on where a thread ended

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RCODE, TYPE } from '../../src/dns/codes.ts';
import {
  createCounterMemory,
  DURATION_BOUNDS_MS,
  QueryCounters,
  SERVICE_PLACES,
} from '../../src/nameserver/query-counters.ts';

describe('query counters', () => {
  it('are read by another thread as they were written, by transport, type and rcode', () => {
    const memory = createCounterMemory();
    const reader = new QueryCounters(memory);
    const writer = new QueryCounters(memory);
    const counted = [
      ['udp', TYPE.A, RCODE.NOERROR, 3],
      ['udp', TYPE.A, RCODE.NOERROR, 3],
      ['udp', TYPE.A, RCODE.NXDOMAIN, -1],
      ['tcp', TYPE.SRV, RCODE.NOERROR, SERVICE_PLACES - 1],
      ['https', 65280, RCODE.BADVERS, -1],
      ['udp', 0, RCODE.FORMERR, -1],
    ] as const;
    for (const [transport, type, rcode, place] of counted) writer.answered(transport, type, rcode, place);
    const rows = [...reader.queries()].map(({ proto, type, rcode, count }) => `${proto} ${type} ${rcode} ${count}`);
    assert.deepEqual(rows.sort(), [
      'https TYPE65280 BADVERS 1',
      'tcp SRV NOERROR 1',
      'udp A NOERROR 2',
      'udp A NXDOMAIN 1',
      'udp none FORMERR 1',
    ]);
    assert.deepEqual(
      [...reader.answers()],
      [
        { place: 3, type: 'A', count: 2 },
        { place: SERVICE_PLACES - 1, type: 'SRV', count: 1 },
      ],
    );
  });

  it('count the rest apart', () => {
    const counters = new QueryCounters();
    counters.dropped('short');
    counters.dropped('response');
    counters.dropped('response');
    counters.unknownName();
    counters.failed();
    const { unknownNames, failures } = counters;
    const drops = [counters.droppedCount('short'), counters.droppedCount('response')];
    assert.deepEqual({ drops, unknownNames, failures }, { drops: [1, 2], unknownNames: 1, failures: 1 });
    assert.deepEqual([[...counters.queries()], [...counters.answers()]], [[], []]);
  });

  it('put the types that come after the 63rd together, and mix them up with none', () => {
    const counters = new QueryCounters();
    for (let type = 1; type <= 100; type++) counters.answered('udp', type, RCODE.NOERROR, 0);
    counters.answered('udp', 1, RCODE.NOERROR, 0);
    const rows = [...counters.queries()];
    const count = (type: string): number | undefined => rows.find((row) => row.type === type)?.count;
    assert.deepEqual([rows.length, count('A'), count('other')], [64, 2, 37]);
    assert.equal([...counters.answers()].length, 64);
  });

  it('sort durations into buckets, the bounds belonging to the bucket below', () => {
    const counters = new QueryCounters();
    for (const ms of [0, 0.001, 0.0011, 10, 10.5, 400]) counters.took(ms);
    const filled = [...counters.durations.entries()].filter(([, count]) => count > 0);
    const last = DURATION_BOUNDS_MS.length;
    assert.deepEqual(filled, [
      [0, 2],
      [1, 1],
      [last - 1, 1],
      [last, 2],
    ]);
    assert.equal(counters.durationSumMs, 420.5021);
    assert.deepEqual([[...counters.queries()], [...counters.answers()]], [[], []]);
  });

  it('go on with the counts, and the types, of a thread that ended', () => {
    const memory = createCounterMemory();
    new QueryCounters(memory).answered('udp', TYPE.TXT, RCODE.NOERROR, -1);
    const successor = new QueryCounters(memory);
    successor.answered('udp', TYPE.AAAA, RCODE.NOERROR, -1);
    successor.answered('udp', TYPE.TXT, RCODE.NOERROR, -1);
    const rows = [...new QueryCounters(memory).queries()].map(({ type, count }) => [type, count]);
    assert.deepEqual(rows, [
      ['TXT', 2],
      ['AAAA', 1],
    ]);
  });
});

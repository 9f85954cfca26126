// gateway.test.ts -- the parts of the gateway bench that read, count and write: a wrong figure is worse than none

import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { Crew } from '../support/crew.ts';
import { findGatewayMarks } from './gateway-marks.ts';
import { readGatewayOptions } from './gateway-options.ts';
import { formatGatewayReport } from './gateway-report.ts';
import { type GatewaySummary, summarizeGateway } from './gateway-sample.ts';
import type { OpenLoadOptions, OpenLoadReport } from './open-load.ts';
import { parseWrk } from './wrk.ts';

interface Figures {
  readonly perSecond: number;
  readonly cpuUs: number;
  readonly p99Us: number;
  readonly errors?: number;
}

function aSummary(
  role: GatewaySummary['role'],
  title: string,
  figures: readonly Figures[],
  caseName = 'get-1k',
): GatewaySummary {
  const samples = {
    full: figures.map(({ perSecond, cpuUs, errors = 0 }) => ({
      ...{ perSecond, errors, userUs: cpuUs / 4, systemUs: (cpuUs * 3) / 4, busyShare: 1 },
    })),
    paced: figures.map(({ perSecond, p99Us }) => ({
      ...{ ratePerSecond: 5000, perSecond: Math.min(5000, perSecond), p50Us: 90, p99Us, errors: 0, lateShare: 0.01 },
    })),
  };
  return summarizeGateway({ name: title, title, role }, '1.2', { name: caseName }, samples);
}

const OWN = aSummary('own', 'Rollcall', [{ perSecond: 15_000, cpuUs: 50, p99Us: 300 }]);

describe('what our script makes wrk print', () => {
  it('is read', () => {
    const stdout = 'Running 1s test\nresult: {"requests":7,"durationUs":500000,"bytes":900,"errors":2}\n';
    assert.deepEqual(parseWrk(stdout), { requests: 7, seconds: 0.5, bytes: 900, errors: 2 });
  });

  it('is refused where it is missing', () => {
    assert.throws(() => parseWrk('unable to connect'), /printed no result/);
  });
});

describe('marks', () => {
  const marksOf = (...summaries: GatewaySummary[]): [number, boolean][] =>
    findGatewayMarks(summaries).map(({ value, isMet }) => [value, isMet]);

  it('are medians of Rollcall over those of each rival and of HAProxy', () => {
    const reference = aSummary('reference', 'HAProxy', [
      { perSecond: 40_000, cpuUs: 10, p99Us: 100 },
      { perSecond: 40_000, cpuUs: 8, p99Us: 200 },
      { perSecond: 40_000, cpuUs: 12, p99Us: 140 },
    ]);
    const [fast, slow] = [11_000, 10_000].map((perSecond) =>
      aSummary('rival', String(perSecond), [{ perSecond, cpuUs: 90, p99Us: 900 }]),
    );
    assert.deepEqual(marksOf(OWN, reference, fast!, slow!), [
      [15 / 11, false],
      [1.5, true],
      [5, true],
      [300 / 140, false],
      [0, true],
    ]);
  });

  it('are found where what they compare was measured, in the main case', () => {
    const other = aSummary('rival', 'other', [{ perSecond: 1, cpuUs: 1, p99Us: 1 }], 'get-64k');
    assert.deepEqual(marksOf(OWN, other), [[0, true]]);
    assert.deepEqual(marksOf(), []);
  });

  it('let no error pass, whoever made it', () => {
    const floor = aSummary('floor', 'bare', [{ perSecond: 1, cpuUs: 1, p99Us: 1, errors: 3 }], 'get-64k');
    assert.deepEqual(marksOf(floor), [[3, false]]);
  });
});

describe('the report', () => {
  const machine = { cpu: 'CPU', cores: 2, system: 'Linux', node: 'v20', busyShare: 0.01 };
  const options = readGatewayOptions(['--quick', '--case', 'all']);
  assert.ok(typeof options === 'object', 'these are options');
  const summaries = [
    aSummary('rival', 'httpxy', [{ perSecond: 4000, cpuUs: 100, p99Us: 900 }]),
    OWN,
    aSummary('reference', 'HAProxy', [{ perSecond: 40_000, cpuUs: 20, p99Us: 200 }]),
    aSummary('own', 'Rollcall', [{ perSecond: 700, cpuUs: 1000, p99Us: 9 }], 'get-64k'),
  ];

  it('has a table for each case, the fastest first, the marks and what is missing', () => {
    const skipped = [{ title: 'http-proxy-3', reason: 'not up' }];
    const report = formatGatewayReport({ summaries, skipped }, options, machine, new Date(0));
    assert.match(report, /^1970-01-01, 2 x CPU/);
    const rows = report.split('\n').filter((line) => / 1\.2 \|/.test(line));
    assert.deepEqual(
      rows.map((row) => row.split('|').map((cell) => cell.trim())),
      [
        [
          '',
          'HAProxy 1.2',
          '40k (40k-40k)',
          '0.38',
          '20.0 (20.0-20.0)',
          '5.0',
          '15.0',
          '1.00',
          '100 %',
          '90',
          '200 (200-200)',
          '0',
          '',
        ],
        [
          '',
          'Rollcall 1.2',
          '15k (15k-15k)',
          '1.00',
          '50.0 (50.0-50.0)',
          '12.5',
          '37.5',
          '2.50',
          '100 %',
          '90',
          '300 (300-300)',
          '0',
          '',
        ],
        [
          '',
          'httpxy 1.2',
          '4.0k (4.0k-4.0k)',
          '3.75',
          '100 (100-100)',
          '25.0',
          '75.0',
          '5.00',
          '100 %',
          '90 *',
          '900 (900-900)',
          '0',
          '',
        ],
        [
          '',
          'Rollcall 1.2',
          '0.7k (0.7k-0.7k)',
          '1.00',
          '1000 (1000-1000)',
          '250',
          '750',
          '',
          '100 %',
          '90 *',
          '9 (9-9)',
          '0',
          '',
        ],
      ],
    );
    assert.match(report, /\* could not carry 5,000 requests a second/);
    assert.match(report, /^\| CPU per request, Rollcall \/ HAProxy \| 2\.50 \| <= 5\.00 \| met \|$/m);
    assert.match(report, /^- http-proxy-3: not up$/m);
    assert.doesNotMatch(report, /not for quoting|was late/);
    const busy = formatGatewayReport({ summaries, skipped }, options, { ...machine, busyShare: 0.2 }, new Date(0));
    assert.match(busy, /not for quoting/);
  });
});

describe('the command line', () => {
  it('picks gateways and cases in the order of the tables', () => {
    const options = readGatewayOptions(['--only', 'httpxy,rollcall', '--case', 'get-64k,get-1k', '--rate', '700']);
    assert.ok(typeof options === 'object', 'these are options');
    const names = [options.contestants, options.cases].map((all) => all.map(({ name }) => name));
    assert.deepEqual(names, [
      ['rollcall', 'httpxy'],
      ['get-1k', 'get-64k'],
    ]);
    assert.equal(options.ratePerSecond, 700);
  });

  const refused = ['--only=nobody', '--case=', '--rounds=0', '--rate=0', '--server-core=1', '--unknown', 'word'];
  for (const argument of refused)
    it(`refuses ${argument}`, () => assert.throws(() => readGatewayOptions([argument]), Error));
});

describe('the load at a fixed rate', () => {
  const load = async (t: TestContext, server: Server, options: Partial<OpenLoadOptions>): Promise<OpenLoadReport> => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
      server.close();
      server.closeAllConnections();
    });
    const { port } = server.address() as AddressInfo;
    const crew = await Crew.start<OpenLoadOptions, OpenLoadReport>(t, new URL('./open-load.ts', import.meta.url), {
      ...{
        port,
        method: 'GET',
        path: '/',
        bodyBytes: 0,
        replyBytes: 5,
        ratePerSecond: 200,
        warmUpSeconds: 0,
        seconds: 0.5,
      },
      ...{ connections: 4, ...options },
    });
    return await crew.report;
  };

  it('sends all that is due and counts what is answered otherwise or breaks off', async (t) => {
    let requests = 0;
    const bodies = new Set<number>();
    const server = createServer((request, response) => {
      const number = ++requests;
      let bytes = 0;
      request.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      request.on('end', () => {
        bodies.add(bytes);
        if (number === 10) response.writeHead(503);
        if (number === 20) response.destroy();
        else response.end(number === 30 ? 'short'.slice(1) : 'right');
      });
    });
    const report = await load(t, server, { method: 'POST', bodyBytes: 70_000 });
    assert.deepEqual([report.sent, report.latenciesUs.length, report.errors, [...bodies]], [100, 97, 3, [70_000]]);
  });

  it('does not count what is sent to warm up', async (t) => {
    let requests = 0;
    const server = createServer((_request, response) => {
      requests++;
      response.end('right');
    });
    const { sent, latenciesUs, errors } = await load(t, server, { warmUpSeconds: 0.25 });
    assert.deepEqual([requests, sent, latenciesUs.length, errors], [150, 100, 100, 0]);
  });

  it('charges a stall to every request that was due in it', async (t) => {
    let isStalled = true;
    const held: (() => void)[] = [];
    const server = createServer((_request, response) => {
      const answer = () => response.end('right');
      if (isStalled) held.push(answer);
      else answer();
      // Four connections are open, so no more than these come while it stands still.
      if (held.length === 4 && isStalled) {
        setTimeout(() => {
          isStalled = false;
          for (const each of held) each();
        }, 300);
      }
    });
    const { sent, latenciesUs, errors } = await load(t, server, {});
    assert.deepEqual([sent, latenciesUs.length, errors], [100, 100, 0]);
    const slow = latenciesUs.filter((latencyUs) => latencyUs > 50_000).length;
    assert.ok(slow >= 40, `only ${slow} of the 60 that were due while it stood still for 300 ms were slow`);
  });
});

// bench.test.ts -- the parts of the bench that read, count and write: a wrong figure is worse than none

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { BASE_CASE, CASES, queryLines } from './bench-case.ts';
import { readOptions } from './bench-options.ts';
import { formatChart } from './chart.ts';
import { cpuTimeOf } from './cpu-accounting.ts';
import { parseDnsperf } from './dnsperf.ts';
import { findMarks } from './marks.ts';
import { checkReportFile, formatReport, writeReport } from './report.ts';
import { type Sample, type Summary, summarize } from './sample.ts';
import { zoneContent, zoneFile } from './zone-content.ts';

const DNSPERF_OUTPUT = `DNS Performance Testing Tool
> NOERROR svc-0.service.local A 0.000210
> T svc-1.service.local A
> NXDOMAIN nobody-1.service.local SRV 0.001000

Statistics:

  Queries sent:         13
  Queries completed:    12 (92.31%)
  Queries lost:         1 (7.69%)

  Response codes:       NOERROR 9 (75.00%), NXDOMAIN 3 (25.00%)
  Average packet size:  request 38, response 281
  Run time (s):         2.500000
  Queries per second:   4.800000
`;

function aSample(cpuUs: number, lost = 0): Sample {
  const full = { answersPerSecond: 1e6 / cpuUs, userUs: cpuUs / 4, systemUs: (cpuUs * 3) / 4, busyShare: 1, lost };
  return {
    full: { ...full, replyBytes: 200 },
    paced: { answersPerSecond: 10_000, cpuUs: 20, p50Us: 50, p99Us: 150, lost },
  };
}

function aSummary(name: string, cpuUs: readonly number[], caseName = 'base'): Summary {
  const of = { name, title: `<${name}>`, case: caseName, version: '1.2', isFloor: false, note: undefined };
  return summarize(
    of,
    cpuUs.map((each) => aSample(each, 1)),
  );
}

function marksOf(...summaries: Summary[]): [number, boolean][] {
  return findMarks(summaries).map(({ ratio, isMet }) => [ratio, isMet]);
}

describe('what dnsperf prints', () => {
  it('is read, with the latencies of what was answered only', () => {
    assert.deepEqual(parseDnsperf(DNSPERF_OUTPUT), {
      sent: 13,
      answered: 12,
      lost: 1,
      seconds: 2.5,
      replyBytes: 281,
      rcodes: { NOERROR: 9, NXDOMAIN: 3 },
      latenciesUs: [210, 1000],
    });
  });

  it('is refused where a figure is missing', () => {
    assert.throws(() => parseDnsperf(DNSPERF_OUTPUT.replace('Queries lost', 'Lost')), /printed no Queries lost/);
  });
});

describe('the content', () => {
  it('has an A and an SRV record and an address of the target for each instance', () => {
    const lines = zoneFile(zoneContent(300, 5)).trim().split('\n');
    assert.equal(lines.length, 5 + 300 * 5 * 3);
    assert.equal(new Set(lines).size, lines.length);
    assert.ok(lines.includes('svc-299 IN SRV 0 1 8080 10-0-5-220.addr.service.local.'));
    assert.ok(lines.includes('10-0-5-220.addr.service.local. IN A 10.0.5.220'));
  });

  it('is asked for in the shares that are promised, the same each time', () => {
    const content = zoneContent(1000, 5);
    const lines = queryLines(BASE_CASE, content).trim().split('\n');
    const share = (pattern: RegExp, of = lines) => of.filter((line) => pattern.test(line)).length / of.length;
    assert.ok(Math.abs(share(/ SRV$/) - 0.3) < 0.01);
    assert.equal(share(/^svc-\d+\.service\.local (A|SRV)$/), 1);
    const mixed = queryLines(CASES.find(({ name }) => name === 'edns-nxdomain')!, content)
      .trim()
      .split('\n');
    assert.ok(Math.abs(share(/^nobody-/, mixed) - 0.2) < 0.01);
    assert.equal(queryLines(BASE_CASE, content), `${lines.join('\n')}\n`);
  });
});

describe('CPU time', () => {
  it('is that of a process and of its children', { skip: process.platform !== 'linux' }, async (t) => {
    const burn = `const end = process.cpuUsage().user + 3e5; while (process.cpuUsage().user < end); console.log(1);
      setInterval(() => {}, 1000);`;
    const parent = `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(burn)}], { stdio: 'inherit' })`;
    const child = spawn(process.execPath, ['-e', parent], { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
    t.after(() => process.kill(-child.pid!, 'SIGKILL'));
    await once(child.stdout, 'data');
    const { userUs, systemUs } = cpuTimeOf(child.pid!);
    assert.ok(userUs + systemUs >= 300_000, `${userUs} + ${systemUs}`);
    assert.throws(() => cpuTimeOf(2 ** 22 + 1), /has ended/);
  });
});

describe('medians', () => {
  it('are those of the rounds, with the lowest and the highest; losses add up', () => {
    const { cpuUs, userUs, lost } = aSummary('nsd', [9, 5, 6]);
    assert.deepEqual(cpuUs, { median: 6, min: 5, max: 9 });
    assert.deepEqual(userUs, { median: 1.5, min: 1.25, max: 2.25 });
    assert.equal(lost, 6);
    assert.equal(aSummary('nsd', [9, 5, 6, 7]).cpuUs.median, 6.5);
  });
});

describe('marks', () => {
  const rollcall = aSummary('rollcall', [5]);

  it('are found where all servers of a mark were measured', () => {
    assert.deepEqual(marksOf(rollcall, aSummary('nsd', [4])), []);
    assert.deepEqual(marksOf(rollcall, aSummary('nsd', [4]), aSummary('knot', [10])), [[1.25, false]]);
    assert.deepEqual(marksOf(rollcall, aSummary('gdnsd', [5])), [[1, true]]);
    assert.deepEqual(marksOf(aSummary('rollcall-dgram', [12]), aSummary('dgram-echo', [10])), [[1.2, true]]);
  });

  it('hold the other cases against the base case', () => {
    assert.deepEqual(marksOf(rollcall, aSummary('rollcall', [6], '100k-services')), [[1.2, true]]);
    assert.deepEqual(marksOf(rollcall, aSummary('rollcall', [6], 'edns-nxdomain')), [[1.2, false]]);
  });
});

describe('the report', () => {
  const machine = { cpu: 'CPU', cores: 2, system: 'Linux', node: 'v20', busyShare: 0.01 };
  const options = readOptions(['--quick', '--case', 'all']);
  assert.ok(typeof options === 'object');
  const rollcall = aSummary('rollcall', [5, 6]);
  const summaries = [rollcall, aSummary('nsd', [11]), aSummary('rollcall', [11], 'one-big-service')];
  const result = { summaries, skipped: [{ title: 'BIND', reason: 'named is not installed' }] };

  it('has a row for each server, its ratio, the cases, the marks and what is missing', () => {
    const report = formatReport(result, options, machine, new Date(0));
    assert.match(report, /^1970-01-01, 2 x CPU/);
    assert.match(report, /^\| <rollcall> 1\.2 \| 5\.5 \(5\.0-6\.0\) \| 1\.4 \| 4\.1 \| 1\.00 \|.* 4 \|$/m);
    assert.match(report, /^\| <nsd> 1\.2 \| 11\.0 \(11\.0-11\.0\) \|.*\| 2\.00 \|/m);
    assert.match(report, /^\| one service of 5,000 instances, 8 to an answer \| 11\.0 \(11\.0-11\.0\) \| 2\.00 \|/m);
    assert.match(report, /\| 2\.00 \| <= 1\.25 \| \*\*missed\*\* \|/);
    assert.match(report, /^- BIND: named is not installed$/m);
    assert.doesNotMatch(report, /not for quoting/);
    assert.match(formatReport(result, options, { ...machine, busyShare: 0.2 }, new Date(0)), /not for quoting/);
  });

  it('takes the place of the one before, and leaves a page without marks alone', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'rollcall-report-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const page = join(folder, 'page.md');
    writeReport(page, 'one');
    writeFileSync(page, `before\n${readFileSync(page, 'utf8')}after\n`);
    checkReportFile(page);
    writeReport(page, 'two');
    const text = readFileSync(page, 'utf8');
    assert.match(text, /^before\n<!-- .* -->\n\ntwo\n<!-- .* -->\nafter\n$/);
    writeFileSync(page, 'text');
    assert.throws(() => checkReportFile(page), /does not hold/);
    assert.throws(() => writeReport(page, 'three'), /does not hold/);
    assert.equal(readFileSync(page, 'utf8'), 'text');
  });

  it('has a chart with a bar for each server, long ones cut', () => {
    const chart = formatChart([rollcall, aSummary('dns2', [500])], 'a & b');
    assert.match(chart, />&lt;rollcall><\/text>/);
    assert.match(chart, /a &amp; b/);
    assert.match(chart, />500<\/text>/);
    const widths = [...chart.matchAll(/<rect x="[\d.]+" y="\d+" width="([\d.]+)"/g)].map(([, width]) => Number(width));
    assert.equal(widths.length, 4);
    assert.ok(Math.max(...widths) <= 450, `${widths}`);
  });
});

describe('the command line', () => {
  it('picks servers and cases in the order of the tables', () => {
    const options = readOptions(['--only', 'nsd,rollcall', '--case', 'one-big-service,base', '--rounds', '7']);
    assert.ok(typeof options === 'object');
    assert.deepEqual(
      options.contestants.map(({ name }) => name),
      ['rollcall', 'nsd'],
    );
    assert.deepEqual(
      options.cases.map(({ name }) => name),
      ['base', 'one-big-service'],
    );
    assert.equal(options.rounds, 7);
  });

  const refused = ['--only=nobody', '--case=', '--rounds=0', '--seconds=1.5', '--server-core=1', '--unknown', 'word'];
  for (const argument of refused) it(`refuses ${argument}`, () => assert.throws(() => readOptions([argument]), Error));
});

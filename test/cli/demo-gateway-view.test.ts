// demo-gateway-view.test.ts -- the screen of the gateway's demo, its plain lines, and drawing in place

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createColors } from 'picocolors';
import {
  barText,
  type DemoView,
  eventLine,
  progressLine,
  screenText,
  summaryText,
} from '../../src/cli/demo-gateway-view.ts';
import { LiveScreen } from '../../src/cli/live-screen.ts';
import type { Terminal } from '../../src/cli/terminal.ts';

function terminal(isTerminal: boolean, out: (text: string) => void = () => {}): Terminal {
  return {
    ...{ isTerminal, columns: 80, colors: createColors(false), env: {}, cwd: '/', out, err: () => {} },
    readInput: async () => '',
  };
}

const totals = { requests: 1000, failed: 0, posts: 50, failedPosts: 1, p50Ms: 12.34, p99Ms: 45.6 };
const view: DemoView = {
  ...{ elapsedMs: 12_300, stage: 'canary: v2 gets 25 %', done: 6, total: 20, totals },
  instances: [
    {
      ...{ id: 'cart-v1-1', version: 'v1', port: 4001, status: 'draining', reason: 'draining' },
      ...{ share: 0.75, inFlight: 1.25, meanMs: 20.04 },
    },
    {
      ...{
        id: 'cart-v2-1',
        version: 'v2',
        port: 4002,
        status: 'unhealthy',
        reason: 'ejected\u001b[2J by\nthe gateway',
      },
      ...{ share: undefined, inFlight: undefined, meanMs: undefined },
    },
  ],
  versions: new Map([
    ['v2', 0.25],
    ['v1', 0.75],
  ]),
  answer: 'ports 4001',
  events: ['  1.0 s  first', '  2.0 s  second'],
};

describe('the screen', () => {
  it('has stage, bar, a line for each instance, totals, answer and events', () => {
    const lines = screenText(terminal(true), view)
      .split('\n')
      .map((line) => line.trimEnd());
    assert.deepEqual(lines.slice(0, 2), [
      'canary: v2 gets 25 %    12.3 s',
      `[${'#'.repeat(12)}${'.'.repeat(28)}] 6/20`,
    ]);
    const row = (id: string): string[] =>
      lines
        .find((line) => line.startsWith(id))!
        .trim()
        .split(/\s{2,}/);
    assert.deepEqual(row('cart-v1-1'), [
      ...['cart-v1-1', 'v1', '4001', 'draining', '#########', '75.0 %', '1.3', '20.0 ms', 'draining'],
    ]);
    assert.deepEqual(row('cart-v2-1'), [
      ...['cart-v2-1', 'v2', '4002', 'unhealthy', '-', '-', 'ejected by the gateway'],
    ]);
    const rest = lines.slice(lines.indexOf('last seconds: v1 75.0 %, v2 25.0 %') + 1);
    assert.deepEqual(rest, [
      '950 GET, 0 failed   50 POST, 1 failed   p50 12.3 ms, p99 45.6 ms',
      ...['dig SRV: ports 4001', '', '  1.0 s  first', '  2.0 s  second', 'q quits', ''],
    ]);
  });

  it('lets nothing through that would steer the terminal', () => {
    assert.ok(!screenText(terminal(true), view).includes('\u001b'), 'it holds escape sequences');
  });
});

describe('the bar', () => {
  for (const [done, total, filled] of [
    [0, 20, 0],
    [20, 20, 40],
    [30, 20, 40],
    [0, 0, 40],
  ] as const) {
    it(`${done} of ${total}`, () => assert.equal(barText(done, total).split('#').length - 1, filled));
  }
});

describe('plain lines', () => {
  it('tell how it stands', () => {
    assert.equal(
      progressLine(view),
      ' 12.3 s  1000 requests, 0 failed, p50 12.3 ms, p99 45.6 ms; v1 75.0 %, v2 25.0 %; SRV ports 4001\n',
    );
  });

  it('leave out shares that nobody has', () => {
    assert.match(progressLine({ ...view, versions: new Map() }), /p99 45\.6 ms; SRV ports/);
  });

  it('tell what happened, on one line', () => {
    assert.equal(eventLine(500, 'cart\n-1 is\u001b[31m gone'), '  0.5 s  cart -1 is gone');
  });
});

describe('the summary', () => {
  it('counts GETs and POSTs apart', () => {
    assert.equal(
      summaryText(totals, []),
      '0 failed of 950 requests (GET)\n1 of 50 POSTs, which may not be sent twice, failed; p50 12.3 ms, p99 45.6 ms\n',
    );
  });

  it('says why, each reason once', () => {
    const text = summaryText({ ...totals, failed: 3 }, ['status 503', 'status 503', 'socket hang up']);
    assert.match(text, /^3 failed of 950 requests \(GET\)\n {2}status 503\n {2}socket hang up\n1 of/);
  });
});

describe('drawing in place', () => {
  it('goes up by what was drawn before, clears what is left, and gives the cursor back', () => {
    let out = '';
    const screen = new LiveScreen(
      terminal(true, (text) => {
        out += text;
      }),
    );
    screen.draw('one\ntwo\n');
    assert.equal(out, '\x1b[?25l\x1b[?7lone\x1b[K\ntwo\x1b[K\n\x1b[J');
    out = '';
    screen.draw('three\n');
    assert.equal(out, '\x1b[2A\rthree\x1b[K\n\x1b[J');
    out = '';
    screen.end();
    screen.end();
    assert.equal(out, '\x1b[?7h\x1b[?25h');
  });
});

// rise-fall.test.ts -- damping: the truth table, and the rules over random histories

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { OUTCOMES, type Outcome } from '../../src/health/check-spec.ts';
import { freshState, type RiseFallState, restoredState, step, type Thresholds } from '../../src/health/rise-fall.ts';

const LETTER: Readonly<Record<string, Outcome>> = { p: 'passing', w: 'warning', c: 'critical' };

/** Results in, outcomes out, each as a row of first letters. */
function run(state: RiseFallState, results: string, thresholds: Thresholds): string {
  let outcomes = '';
  for (const letter of results) {
    state = step(state, LETTER[letter]!, thresholds);
    outcomes += state.outcome?.[0];
  }
  return outcomes;
}

const fresh = (letter?: string) => freshState(letter === undefined ? undefined : LETTER[letter]);
const restored = (letter: string) => restoredState(LETTER[letter]!);

describe('step: truth table', () => {
  const cases: readonly (readonly [string, RiseFallState, number, number, string, string])[] = [
    ['the first result decides: passing', fresh(), 2, 3, 'p', 'p'],
    ['the first result decides: warning', fresh(), 2, 3, 'w', 'w'],
    ['the first result decides: critical', fresh(), 2, 3, 'c', 'c'],
    ['two failures are not enough', fresh(), 2, 3, 'pccp', 'pppp'],
    ['three failures are', fresh(), 2, 3, 'pccc', 'pppc'],
    ['the third in a row, not in total', fresh(), 2, 3, 'pccpccpccc', 'pppppppppc'],
    ['one success is not enough', fresh(), 2, 3, 'cpc', 'ccc'],
    ['two successes are', fresh(), 2, 3, 'cpp', 'ccp'],
    ['after a rise the fall count starts anew', fresh(), 2, 3, 'cppccc', 'ccpppc'],
    ['rise and fall of one follow every result', fresh(), 1, 1, 'pcpwcwp', 'pcpwcwp'],
    ['passing to warning takes fall', fresh(), 2, 3, 'pwww', 'pppw'],
    ['warning to passing takes rise', fresh(), 2, 3, 'wpp', 'wwp'],
    ['warning to critical takes fall', fresh(), 2, 3, 'wccc', 'wwwc'],
    ['critical to warning takes rise', fresh(), 2, 3, 'cww', 'ccw'],
    ['bad results that take turns end passing, at the mildest', fresh(), 2, 3, 'pcwc', 'pppw'],
    ['a warning resets the count of critical results', fresh(), 2, 3, 'wccwccwccc', 'wwwwwwwwwc'],
    ['a passing result resets both', fresh(), 2, 3, 'pwcpwcpww', 'ppppppppp'],
    ['better results that take turns end critical, at the worst of them', fresh(), 2, 3, 'cwp', 'ccw'],
    ['and go on to passing from there', fresh(), 2, 3, 'cwpp', 'ccwp'],
    ['warnings on the way down count for the lesser line', fresh(), 2, 3, 'pwccc', 'pppwc'],
    ['initial is a start, not a result', fresh('p'), 2, 3, 'cccp', 'ppcc'],
    ['initial critical takes rise to leave', fresh('c'), 2, 3, 'pp', 'cp'],
    ['a restored outcome gives way to the first result', restored('p'), 2, 3, 'cp', 'cc'],
    ['a restored outcome may be confirmed', restored('c'), 2, 3, 'cpp', 'ccp'],
  ];
  for (const [title, state, rise, fall, results, outcomes] of cases) {
    it(`${title}: ${results} -> ${outcomes}`, () => assert.equal(run(state, results, { rise, fall }), outcomes));
  }

  it('before the first result there is an outcome only when it was given or restored', () => {
    assert.deepEqual([fresh().outcome, fresh('w').outcome, restored('c').outcome], [undefined, 'warning', 'critical']);
  });
});

const outcome = fc.constantFrom<Outcome>(...OUTCOMES);
const thresholds = fc.record({ rise: fc.integer({ min: 1, max: 4 }), fall: fc.integer({ min: 1, max: 4 }) });

describe('step: properties', () => {
  /** Every state along a history of at least two results. */
  const history = fc.tuple(fc.array(outcome, { minLength: 2, maxLength: 40 }), thresholds);
  const walk = (results: readonly Outcome[], limits: Thresholds) => {
    const states: Outcome[] = [];
    let state = freshState();
    for (const result of results) {
      state = step(state, result, limits);
      states.push(state.outcome!);
    }
    return states;
  };
  const level = (each: Outcome) => OUTCOMES.indexOf(each);

  it('a change is backed by that many results in a row, all at least as far', () => {
    fc.assert(
      fc.property(history, ([results, limits]) => {
        const outcomes = walk(results, limits);
        for (let i = 1; i < outcomes.length; i++) {
          const [from, to] = [level(outcomes[i - 1]!), level(outcomes[i]!)];
          if (from === to) continue;
          const needed = to > from ? limits.fall : limits.rise;
          const backing = results.slice(i - needed + 1, i + 1).map(level);
          // The result that decided at first may be among those that back a later change, but none before it.
          assert.ok(i - needed + 1 >= 0, 'enough results');
          assert.ok(
            backing.every((each) => (to > from ? each >= to : each <= to)),
            'all at least as far',
          );
        }
      }),
    );
  });

  it('that many results in a row always get their way', () => {
    fc.assert(
      fc.property(history, outcome, ([results, limits], last) => {
        const tail = new Array<Outcome>(Math.max(limits.rise, limits.fall)).fill(last);
        assert.equal(walk([...results, ...tail], limits).at(-1), last);
      }),
    );
  });

  it('a shorter row never does', () => {
    fc.assert(
      fc.property(thresholds, ({ rise, fall }) => {
        const down = walk(['passing', ...new Array<Outcome>(fall - 1).fill('critical'), 'passing'], { rise, fall });
        const up = walk(['critical', ...new Array<Outcome>(rise - 1).fill('passing'), 'critical'], { rise, fall });
        assert.ok(down.every((each) => each === 'passing') && up.every((each) => each === 'critical'), `${down} ${up}`);
      }),
    );
  });

  it('the outcome is always one that was seen, or lies between two that were', () => {
    fc.assert(
      fc.property(history, ([results, limits]) => {
        const seen = results.map(level);
        const reached = walk(results, limits).map(level);
        assert.ok(
          Math.max(...reached) <= Math.max(...seen) && Math.min(...reached) >= Math.min(...seen),
          'within what was seen',
        );
      }),
    );
  });
});

// service-places.test.ts -- the first thousand services have a place of their own, for ever

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SERVICE_PLACES } from '../../src/nameserver/query-counters.ts';
import { ServicePlaces } from '../../src/nameserver/service-places.ts';

it('services are numbered as they come, and those that come late share the last place', () => {
  const places = new ServicePlaces();
  const own = SERVICE_PLACES - 1;
  for (let i = 0; i < own; i++) assert.equal(places.of(`s${i}`), i);
  for (const late of ['late', 'later', 'late']) assert.equal(places.of(late), own);
  assert.deepEqual([places.of('s0'), places.of(`s${own - 1}`)], [0, own - 1], 'the same as before');
  assert.deepEqual([places.nameOf(0), places.nameOf(own - 1), places.nameOf(own)], ['s0', `s${own - 1}`, 'other']);
});

describe('service labels', () => {
  it('are the names of the first 1,000 services, then `other`', () => {
    const labels = new ServicePlaces();
    for (let i = 0; i < 1000; i++) assert.equal(labels.labelOf(`s${i}`), `s${i}`);
    assert.equal(labels.labelOf('late'), 'other');
    assert.equal(labels.labelOf('later'), 'other');
    assert.equal(labels.labelOf('s0'), 's0');
    assert.equal(labels.labelOf('s999'), 's999');
  });

  it('are counted once each', () => {
    const labels = new ServicePlaces();
    for (let i = 0; i < 5000; i++) assert.equal(labels.labelOf('same'), 'same');
    assert.equal(labels.labelOf('another'), 'another');
  });
});

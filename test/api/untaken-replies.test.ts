// untaken-replies.test.ts -- replies that nobody takes are bounded all together

import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, it } from 'node:test';
import { UntakenReplies } from '../../src/api/untaken-replies.ts';

describe('replies that clients have not taken', () => {
  it('are turned away beyond the bound, until some are taken or their clients gone', () => {
    const untaken = new UntakenReplies(100);
    const [first, second] = [new EventEmitter(), new EventEmitter()];
    untaken.hold(60, first);
    untaken.hold(40, second);
    assert.throws(() => untaken.hold(1, new EventEmitter()), { code: 'rate_limited' });
    assert.equal(untaken.octets, 100);
    first.emit('close');
    untaken.hold(60, new EventEmitter());
    assert.throws(() => untaken.hold(1, new EventEmitter()), { code: 'rate_limited' });
  });
  it('are forgotten once', () => {
    const untaken = new UntakenReplies(100);
    const response = new EventEmitter();
    untaken.hold(60, response);
    response.emit('close');
    response.emit('close');
    assert.equal(untaken.octets, 0);
  });
});

// rfc-9619.test.ts -- exactly one question (RFC 9619 section 4)

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeMessage } from '../../src/dns/message.ts';
import { expectReply, NameServer } from '../support/name-server.ts';
import { octets } from '../support/wire.ts';

const QUESTION = '03 776562 07 73657276696365 05 6c6f63616c 00 0001 0001'; // web.service.local. A

describe('RFC 9619', () => {
  for (const count of [0, 2, 3, 256, 65535]) {
    it(`QDCOUNT ${count} is FORMERR, with any number of questions behind it`, async () => {
      const server = await NameServer.open();
      for (const written of [0, 1, 2, 3]) {
        const header = octets('beef 0100', Uint8Array.of(count >> 8, count & 255), '0000 0000 0000');
        const reply = server.respond(octets(header, ...new Array<string>(written).fill(QUESTION)))!;
        const message = decodeMessage(reply);
        expectReply(message, { rcode: 'FORMERR', flags: 'rd', answer: '', authority: '', additional: '' });
        assert.deepEqual([message.id, message.questions.length], [0xbeef, 0]);
      }
    });
  }

  it('QDCOUNT 1 with a second question behind is FORMERR, and without is not', async () => {
    const server = await NameServer.open();
    await server.register('web', 'web-1', { address: '10.0.0.1', port: 80 });
    const ask = (...questions: string[]) =>
      decodeMessage(server.respond(octets('beef 0100 0001 0000 0000 0000', ...questions))!);
    expectReply(ask(QUESTION, QUESTION), { rcode: 'FORMERR', answer: '' });
    expectReply(ask(QUESTION), { rcode: 'NOERROR', answer: 'web.service.local. 5 IN A 10.0.0.1' });
  });

  it('records in the answer and authority sections of a query are FORMERR', async () => {
    const server = await NameServer.open();
    const record = 'c00c 0001 0001 00000005 0004 0a000001';
    for (const counts of ['0001 0001 0000 0000', '0001 0000 0001 0000']) {
      expectReply(decodeMessage(server.respond(octets('beef 0100', counts, QUESTION, record))!), { rcode: 'FORMERR' });
    }
  });
});

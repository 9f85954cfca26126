// rfc-4343.test.ts -- letter case (RFC 4343), and its use as a token in the question (0x20)

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { expectReply, NameServer, parseQuestion } from '../support/name-server.ts';

const ZONE = `
$ORIGIN Example.TEST.
$TTL 300
@ SOA ns host 1 3600 600 86400 60
  NS ns
ns A 192.0.2.1
MiXed A 192.0.2.2
*.Wild A 192.0.2.3
\\196 A 192.0.2.4
\\091 A 192.0.2.5
Alias CNAME MIXED
`;

describe('RFC 4343', () => {
  let server: NameServer;
  before(async () => {
    server = await NameServer.open({ zones: [ZONE] });
    await server.register('Web', 'web-1', { address: '2001:db8::a', port: 80, tags: ['V1'], ports: { HTTP: 8080 } });
  });

  const rows: readonly (readonly [question: string, count: number])[] = [
    ['mixed.example.test. A', 1],
    ['MIXED.EXAMPLE.TEST. A', 1],
    ['x.wILD.example.test. A', 1],
    ['aLiAs.eXample.test. A', 2],
    ['wEb.SERVICE.local. AAAA', 1],
    ['_WeB._TcP.Service.Local. SRV', 1],
    ['_wEB._v1.service.local. SRV', 1],
    ['v1.WEB.service.local. AAAA', 1],
    ['_HtTp._tCp.wEb.service.local. SRV', 1],
    ['2001-DB8-0-0-0-0-0-A.ADDR.service.local. AAAA', 1],
  ];
  for (const [question, count] of rows) {
    it(`finds ${question} and spells the question and its owner as they were asked`, () => {
      const query = encodeMessage(queryMessage(1, parseQuestion(question)));
      const octets = Buffer.from(server.respond(query)!);
      assert.deepEqual(octets.subarray(12, query.length), Buffer.from(query.subarray(12)));
      const reply = server.ask(question);
      assert.equal(reply.answers.length, count);
      assert.deepEqual(reply.answers[0]!.name, parseQuestion(question).name);
    });
  }

  it('echoes the case in denials and refusals too', () => {
    for (const question of ['NoBody.Example.test. A', 'nO.serVice.locaL. A', 'oUt.SIDE. A']) {
      assert.deepEqual(server.ask(question).questions[0], parseQuestion(question));
    }
  });

  it('folds ASCII letters only (3)', () => {
    expectReply(server.ask('\\196.example.test. A'), { rcode: 'NOERROR' });
    expectReply(server.ask('\\228.example.test. A'), { rcode: 'NXDOMAIN' });
    // [ and { are apart by the same bit as letters.
    expectReply(server.ask('\\091.example.test. A'), { rcode: 'NOERROR' });
    expectReply(server.ask('\\123.example.test. A'), { rcode: 'NXDOMAIN' });
  });
});

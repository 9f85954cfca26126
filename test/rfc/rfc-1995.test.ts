// rfc-1995.test.ts -- IXFR of a server that keeps no journal: nothing new, or all of it (RFC 1995)

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { parseNetwork } from '../../src/base/ip.ts';
import { TYPE } from '../../src/dns/codes.ts';
import { decodeMessage, encodeMessage, type Message, queryMessage } from '../../src/dns/message.ts';
import { parseRecord } from '../../src/dns/presentation.ts';
import { soaSerial } from '../../src/dns/rdata/basic.ts';
import { AddressClient } from '../../src/nameserver/client.ts';
import type { Transport } from '../../src/nameserver/query-counters.ts';
import { TRANSFER } from '../../src/nameserver/verdict.ts';
import { NameServer, parseQuestion } from '../support/name-server.ts';
import { recordsOfTransfer, transferOf } from '../support/zone-transfer.ts';

describe('RFC 1995', () => {
  let server: NameServer;
  let serial: number;
  before(async () => {
    server = await NameServer.open({ settings: { transferTo: parseNetwork('127.0.0.1')! } });
    await server.registerMany('web', 3);
    serial = soaSerial(server.ask('service.local. SOA').answers[0]!.rdata);
  });

  it('whoever is up to date gets the SOA record and nothing else (2)', () => {
    for (const transport of ['udp', 'tcp', 'tls'] as const) {
      const reply = ask(server, serial, transport);
      assert.ok(typeof reply === 'object', `${transport}: a reply`);
      assert.deepEqual(
        reply.answers.map(({ type, rdata }) => [type, soaSerial(rdata)]),
        [[TYPE.SOA, serial]],
      );
    }
  });

  it('whoever is ahead does, too: serials go round (2, RFC 1982)', () => {
    for (const by of [5, 2 ** 31 - 1]) {
      const reply = ask(server, (serial + by) >>> 0, 'tcp');
      assert.equal(typeof reply === 'object' && reply.answers.length, 1, `by ${by}`);
    }
    assert.equal(ask(server, (serial + 2 ** 31 + 1) >>> 0, 'tcp'), TRANSFER);
  });

  it('over UDP whoever is not gets the SOA record alone, and asks again by TCP (2)', () => {
    const reply = ask(server, serial - 1, 'udp');
    assert.ok(typeof reply === 'object', 'a reply');
    assert.deepEqual(
      reply.answers.map(({ type, rdata }) => [type, soaSerial(rdata)]),
      [[TYPE.SOA, serial]],
    );
  });

  it('by TCP he gets the whole zone, as by AXFR (4)', () => {
    assert.equal(ask(server, serial - 1, 'tcp'), TRANSFER);
    const records = recordsOfTransfer(transferOf(server, query(serial - 1)));
    assert.deepEqual([records[0]!.type, records.at(-1)!.type], [TYPE.SOA, TYPE.SOA]);
    // Not a SOA record behind the first, which would begin a difference.
    assert.notEqual(records[1]!.type, TYPE.SOA);
  });

  it('who may not have the zone gets nothing of it', () => {
    const reply = ask(server, serial - 1, 'tcp', '192.0.2.9');
    assert.deepEqual(typeof reply === 'object' && [reply.rcode, reply.answers], [5, []]);
  });
});

function query(serial: number): Uint8Array {
  const soa = parseRecord(`service.local. 60 IN SOA ns.service.local. host.service.local. ${serial} 1 1 1 1`);
  return encodeMessage({ ...queryMessage(1, parseQuestion('service.local. IXFR')), authorities: [soa] });
}

/** The reply, or the verdict. */
function ask(server: NameServer, serial: number, transport: Transport, client = '127.0.0.1'): Message | number {
  const out = new Uint8Array(65_535);
  const length = server.handler.respond(query(serial), transport, out, new AddressClient(client));
  return length < 0 ? length : decodeMessage(out.slice(0, length));
}

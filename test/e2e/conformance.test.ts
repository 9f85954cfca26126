// conformance.test.ts -- every duty of test/conformance/protocol-rows.ts, put to running servers: ours, Knot, NSD and BIND

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { Endpoint } from '../../src/base/ip.ts';
import { CLASS, RCODE, TYPE } from '../../src/dns/codes.ts';
import { FLAG } from '../../src/dns/header.ts';
import { decodeMessage, encodeMessage, type Message, queryMessage } from '../../src/dns/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { formatRecord } from '../../src/dns/presentation.ts';
import type { ResourceRecord } from '../../src/dns/rrset.ts';
import { faultsOf, type ProtocolRow, type ServerTitle, udpLimit } from '../conformance/protocol.ts';
import { PROTOCOL_ROWS } from '../conformance/protocol-rows.ts';
import { PROTOCOL_ZONE } from '../conformance/protocol-zone.ts';
import { type BuiltServer, startBuiltServer } from '../support/built-server.ts';
import { makeCertificate } from '../support/certificate.ts';
import { OTHER_SERVERS } from '../support/other-server.ts';
import { queryOctets } from '../support/query-text.ts';
import { exchangeAll, httpPath, type QuestionPath, streamPath, udpPath } from '../support/raw-questions.ts';
import { framed, StreamClient } from '../support/stream-client.ts';
import { requireTools, run } from '../support/tools.ts';

interface OurServer {
  readonly server: BuiltServer;
  readonly tls: Endpoint | undefined;
}

async function startOurs(t: TestContext, workers: number | 'auto'): Promise<OurServer> {
  const certificate = makeCertificate();
  t.after(() => certificate.remove());
  const { certFile, keyFile } = certificate;
  const server = await startBuiltServer(t, {
    config: {
      dns: {
        workers,
        transfer: { to: ['127.0.0.1'] },
        tls: { listen: ['127.0.0.1:0'], certFile, keyFile },
      },
    },
    zones: { 'conform.test.zone': PROTOCOL_ZONE },
  });
  for (const i of [1, 2, 3]) {
    await server.register('web', `w${i}`, { address: `10.0.0.${i}`, port: 80, ports: { http: 80 } });
  }
  const { tls } = JSON.parse(readFileSync(join(server.folder, 'run/ready.json'), 'utf8'));
  const port = Number(/:(\d+)$/.exec(tls?.[0] ?? '')?.[1]);
  return { server, tls: port > 0 ? { address: '127.0.0.1', port } : undefined };
}

/** All rows over one path; what is wrong, a line each. */
async function putRows(
  t: TestContext,
  title: ServerTitle,
  path: QuestionPath,
  needed: Set<ProtocolRow> = new Set(),
): Promise<void> {
  const wrong: string[] = [];
  let asked = 0;
  for (const [i, row] of PROTOCOL_ROWS.entries()) {
    if (row.over !== undefined && row.over !== (path.transport === 'udp' ? 'udp' : 'stream')) continue;
    const query = queryOctets(row.query, i + 1);
    const reply = await path.exchange(query);
    const faults = faultsOf(row, query, reply, path.transport);
    const limit = udpLimit(query);
    if (path.transport === 'udp' && (reply?.length ?? 0) > limit)
      faults.push(`${reply!.length} octets, above ${limit}`);
    if (row.except?.[title] !== undefined) {
      if (faults.length > 0) needed.add(row);
      continue;
    }
    asked++;
    if (faults.length > 0) wrong.push(`RFC ${row.rfc}: ${row.duty} (${row.query}): ${faults.join('; ')}`);
  }
  path.close();
  t.diagnostic(`${asked} rows`);
  assert.equal(wrong.length, 0, `${wrong.length} of ${asked} rows\n${wrong.join('\n')}`);
}

/** RFC 7766 section 6.2.1.1: many queries at once on one connection, every one with its reply. */
async function askManyAtOnce(server: Endpoint): Promise<void> {
  const queries = Array.from({ length: 200 }, (_, i) =>
    queryOctets(`${i % 2 ? 'huge' : 'www'}.conform.test. ${i % 2 ? 'TXT' : 'A'}`, i + 1),
  );
  const replies = await exchangeAll(server, queries);
  assert.deepEqual(
    replies.map((reply) => reply.readUInt16BE(0)).sort((a, b) => a - b),
    queries.map((_, i) => i + 1),
  );
}

/** RFC 7766 section 8: where a message is cut into segments means nothing. */
async function askOctetByOctet(server: Endpoint): Promise<void> {
  const client = await StreamClient.connect(server);
  for (const octet of framed(queryOctets('www.conform.test. A', 7))) {
    client.socket.write(Uint8Array.of(octet));
    await setImmediate();
  }
  const reply = await nextMessage(client);
  assert.equal(reply.id, 7);
  assert.equal(reply.answers.length, 2);
  // Half closed: what was asked before is answered all the same.
  client.socket.end(Buffer.concat([3, 4].map((id) => framed(queryOctets('mail.conform.test. A', id)))));
  const ids = [(await nextMessage(client)).id, (await nextMessage(client)).id];
  assert.deepEqual(ids.sort(), [3, 4]);
  client.socket.destroy();
}

/** RFC 5936 section 2.2: one SOA at either end, the id in every message, the question in the first. */
async function takeZone(title: ServerTitle, server: Endpoint, apex: string): Promise<void> {
  const client = await StreamClient.connect(server);
  client.socket.write(framed(queryOctets(`${apex} AXFR`, 99)));
  const records: ResourceRecord[] = [];
  const isSoa = ({ type }: ResourceRecord) => type === TYPE.SOA;
  for (let count = 0; records.filter(isSoa).length < 2; count++) {
    const { id, flags, rcode, questions, answers } = await nextMessage(client);
    assert.deepEqual([id, rcode, flags & (FLAG.QR | FLAG.TC)], [99, RCODE.NOERROR, FLAG.QR]);
    // Section 2.2.1; Knot leaves it clear.
    if (title !== 'Knot') assert.ok((flags & FLAG.AA) !== 0, 'AA');
    if (count === 0) assert.equal(questions.length, 1, 'the question');
    records.push(...answers);
  }
  assert.ok(isSoa(records[0]!) && isSoa(records.at(-1)!), 'SOA first and last');
  assert.deepEqual(records[0], records.at(-1));
  const texts = records.slice(1).map(formatRecord);
  assert.equal(new Set(texts).size, texts.length, 'a record twice');
  // RFC 1995 section 2: who has it already gets the SOA alone.
  const ixfr = { ...queryMessage(100, { name: parseName(apex), type: TYPE.IXFR, class: CLASS.IN }), flags: 0 };
  client.socket.write(framed(encodeMessage({ ...ixfr, authorities: [records[0]!] })));
  const upToDate = await nextMessage(client);
  assert.deepEqual([upToDate.id, upToDate.rcode], [100, RCODE.NOERROR]);
  assert.deepEqual(upToDate.answers.map(formatRecord), [formatRecord(records[0]!)]);
  client.socket.destroy();
}

async function nextMessage(client: StreamClient): Promise<Message> {
  const text = await client.next();
  assert.ok(text !== undefined, 'the connection is still open');
  return decodeMessage(Buffer.from(text, 'latin1'));
}

async function putAll(t: TestContext, title: ServerTitle, server: Endpoint): Promise<void> {
  const needed = new Set<ProtocolRow>();
  await t.test('UDP', async (t) => putRows(t, title, await udpPath(server), needed));
  await t.test('TCP', (t) => putRows(t, title, streamPath(server, 'tcp'), needed));
  for (const row of PROTOCOL_ROWS) {
    // Later versions learn what is newer than they are, so this is no failure.
    if (row.except?.[title] !== undefined && !needed.has(row))
      t.diagnostic(`${title} needs no exception: ${row.rfc} ${row.duty}`);
  }
  await t.test('200 queries at once over TCP', () => askManyAtOnce(server));
  await t.test('TCP, octet by octet', () => askOctetByOctet(server));
  for (const apex of ['conform.test.', 'service.local.']) {
    await t.test(`transfer of ${apex}`, () => takeZone(title, server, apex));
  }
}

describe('what an authoritative server owes', () => {
  it('Rollcall keeps it over UDP, TCP, TLS and HTTP', async (t) => {
    const { server, tls } = await startOurs(t, 'auto');
    await putAll(t, 'Rollcall', server.dns);
    await t.test('TLS', async (t) => {
      assert.ok(tls, 'there is an endpoint for TLS');
      await putRows(t, 'Rollcall', streamPath(tls, 'tls'));
    });
    await t.test('HTTP', (t) => putRows(t, 'Rollcall', httpPath(server.url)));
  });

  it('Rollcall keeps it with UDP on the main thread', async (t) => {
    const { server } = await startOurs(t, 0);
    await putRows(t, 'Rollcall', await udpPath(server.dns));
  });

  it('the same questions to Knot, NSD and BIND: nothing odd is asked', async (t) => {
    if (!(await requireTools(t, { dig: 'bind9-dnsutils' }))) return;
    const { server } = await startOurs(t, 'auto');
    const taken = await run('dig', ['@127.0.0.1', '-p', `${server.dns.port}`, 'service.local', 'AXFR', '+onesoa']);
    const files = { 'conform.test': PROTOCOL_ZONE, 'service.local': taken.stdout };
    const zones = Object.entries(files).map(([apex, text]) => {
      const file = join(server.folder, `${apex}.taken`);
      writeFileSync(file, text);
      return { apex, file };
    });
    for (const other of OTHER_SERVERS) {
      await t.test(other.title, async (t) => {
        if (!(await requireTools(t, other.tools))) return;
        await putAll(t, other.title, await other.start(t, zones));
      });
    }
  });
});

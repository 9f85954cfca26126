// zone-transfer.ts -- asks a NameServer for a zone and puts the messages together

import { systemRandom } from '../../src/base/random.ts';
import { decodeMessage, type Message } from '../../src/dns/message.ts';
import { readRequest } from '../../src/dns/request.ts';
import type { ResourceRecord } from '../../src/dns/rrset.ts';
import { QueryDraw } from '../../src/nameserver/query-draw.ts';
import { RegistrySnapshot } from '../../src/nameserver/registry-snapshot.ts';
import { transferMessages } from '../../src/nameserver/transfer.ts';
import { zoneAt } from '../../src/nameserver/transfer-gate.ts';
import { currentSoa } from '../../src/nameserver/view.ts';
import { zoneContents } from '../../src/nameserver/zone-contents.ts';
import type { NameServer } from './name-server.ts';

/** The messages of a transfer begun now; pauses are left out. */
export function* transferOf(server: NameServer, query: Uint8Array): Generator<Message> {
  const request = readRequest(query)!;
  const { view, state } = server.handler;
  const served = zoneAt(request, view)!;
  const snapshot = new RegistrySnapshot(server.registry.services());
  const contents = zoneContents(served, snapshot, new QueryDraw(systemRandom));
  const soa = currentSoa(served, state);
  for (const octets of transferMessages(request, query, soa, contents, 1232)) {
    if (octets !== undefined) yield decodeMessage(Uint8Array.from(octets));
  }
}

/** All records, in order. */
export function recordsOfTransfer(messages: Iterable<Message>): ResourceRecord[] {
  return [...messages].flatMap(({ answers }) => answers);
}

// chaos-names.ts -- the names of class CHAOS by which a server tells who it is (RFC 4892)

import { CLASS, TYPE } from '../dns/codes.ts';
import { type Name, nameKey, parseName, prependLabels } from '../dns/name.ts';
import { soaRdata, txtRdata } from '../dns/rdata/basic.ts';
import type { RRset } from '../dns/rrset.ts';
import { type Answer, emptyAnswer } from './answer.ts';

/** What a server tells of itself; what is not there is not told. */
export interface ChaosTexts {
  readonly version?: string;
  readonly id?: string;
}

/** The most octets a text may have: it is one string. */
export const MAX_CHAOS_TEXT = 255;

const NAMES: ReadonlyMap<string, keyof ChaosTexts> = new Map(
  (
    [
      ['version.bind.', 'version'],
      ['version.server.', 'version'],
      ['hostname.bind.', 'id'],
      ['id.server.', 'id'],
    ] as const
  ).map(([name, told]) => [nameKey(parseName(name)), told]),
);

/** Answer a question of class CHAOS; undefined when there is nothing to be told: it is to be refused. */
export function answerChaos(name: Name, type: number, texts: ChaosTexts | undefined): Answer | undefined {
  const told = NAMES.get(nameKey(name));
  const text = told === undefined ? undefined : texts?.[told];
  if (text === undefined) return undefined;
  const answer = emptyAnswer();
  if (type === TYPE.TXT || type === TYPE.ANY)
    answer.answer.push(chaosSet(name, TYPE.TXT, txtRdata([Buffer.from(text)])));
  else (type === TYPE.SOA ? answer.answer : answer.authority).push(soaOf(name));
  return answer;
}

/** Every name is a zone of its own, as it is with others. */
function soaOf(name: Name): RRset {
  const soa = soaRdata({
    primary: name,
    mailbox: prependLabels(['hostmaster'], name),
    serial: 0,
    refreshSeconds: 3600,
    retrySeconds: 600,
    expireSeconds: 604_800,
    minimumSeconds: 0,
  });
  return chaosSet(name, TYPE.SOA, soa);
}

/** Not to be cached: another server may answer the next time. */
function chaosSet(name: Name, type: number, rdata: Uint8Array): RRset {
  return { name, type, class: CLASS.CH, ttlSeconds: 0, rdatas: [rdata] };
}

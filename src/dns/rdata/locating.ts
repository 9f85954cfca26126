// locating.ts -- RDATA that leads to a service: SRV, NAPTR, URI, SVCB, HTTPS

import { TYPE } from '../codes.ts';
import type { Name } from '../name.ts';
import { WireWriter } from '../wire-writer.ts';
import { characterString, domainName, quotedRest, unsigned } from './field.ts';
import type { Shapes } from './shape.ts';
import { serviceParameters } from './svcb-field.ts';

const SERVICE_BINDING = [unsigned('priority', 2), domainName('target', 'modern'), serviceParameters()];

/** SRV (RFC 2782), NAPTR (RFC 3403), URI (RFC 7553), SVCB and HTTPS (RFC 9460). */
export const LOCATING: Shapes = [
  [TYPE.SRV, [unsigned('priority', 2), unsigned('weight', 2), unsigned('port', 2), domainName('target', 'legacy')]],
  [
    TYPE.NAPTR,
    [
      unsigned('order', 2),
      unsigned('preference', 2),
      characterString('flags'),
      characterString('services'),
      characterString('regexp'),
      domainName('replacement', 'legacy'),
    ],
  ],
  [TYPE.URI, [unsigned('priority', 2), unsigned('weight', 2), quotedRest('target')]],
  [TYPE.SVCB, SERVICE_BINDING],
  [TYPE.HTTPS, SERVICE_BINDING],
];

/** SRV RDATA; priority, weight and port are 0..65535. */
export function srvRdata(priority: number, weight: number, port: number, target: Name): Uint8Array {
  const writer = WireWriter.growing(6 + target.length);
  writer.u16(priority);
  writer.u16(weight);
  writer.u16(port);
  writer.name(target, false);
  return writer.written().slice();
}

/** The target of SRV RDATA. */
export function srvTarget(rdata: Uint8Array): Name {
  return rdata.subarray(6) as Name;
}

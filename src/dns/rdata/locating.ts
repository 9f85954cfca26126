// locating.ts -- RDATA that leads to a service: SRV, NAPTR, URI, SVCB, HTTPS

import { TYPE } from '../codes.ts';
import type { Name } from '../name.ts';
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
  // By hand: a large service has thousands, all made anew when it changes.
  const rdata = new Uint8Array(6 + target.length);
  for (const [i, value] of [priority, weight, port].entries()) {
    rdata[i * 2] = value >>> 8;
    rdata[i * 2 + 1] = value;
  }
  rdata.set(target, 6);
  return rdata;
}

/** The target of SRV RDATA. */
export function srvTarget(rdata: Uint8Array): Name {
  return rdata.subarray(6) as Name;
}

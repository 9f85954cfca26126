// security.ts -- RDATA that vouches for something: DNSSEC (RFC 4034, 5155), TLSA (6698), SSHFP (4255), CAA (8659)

import { TYPE } from '../codes.ts';
import { hashedOwner, salt, signatureTime, typeBitmap } from './dnssec-field.ts';
import { base64Rest, domainName, hexRest, propertyTag, quotedRest, typeCode, unsigned } from './field.ts';
import type { Shapes } from './shape.ts';

const DELEGATION_SIGNER = [
  unsigned('key tag', 2),
  unsigned('algorithm', 1),
  unsigned('digest type', 1),
  hexRest('digest', 1),
];
const KEY = [unsigned('flags', 2), unsigned('protocol', 1), unsigned('algorithm', 1), base64Rest('key')];

/** DS, DNSKEY (and their child copies), RRSIG, NSEC, NSEC3, NSEC3PARAM, TLSA, SSHFP, CAA. */
export const SECURITY: Shapes = [
  [TYPE.DS, DELEGATION_SIGNER],
  [TYPE.CDS, DELEGATION_SIGNER],
  [TYPE.DNSKEY, KEY],
  [TYPE.CDNSKEY, KEY],
  [
    TYPE.RRSIG,
    [
      typeCode('type covered'),
      unsigned('algorithm', 1),
      unsigned('labels', 1),
      unsigned('original TTL', 4),
      signatureTime('expiration'),
      signatureTime('inception'),
      unsigned('key tag', 2),
      domainName('signer', 'modern'),
      base64Rest('signature'),
    ],
  ],
  [TYPE.NSEC, [domainName('next name', 'modern'), typeBitmap()]],
  [
    TYPE.NSEC3,
    [unsigned('algorithm', 1), unsigned('flags', 1), unsigned('iterations', 2), salt(), hashedOwner(), typeBitmap()],
  ],
  [TYPE.NSEC3PARAM, [unsigned('algorithm', 1), unsigned('flags', 1), unsigned('iterations', 2), salt()]],
  [TYPE.TLSA, [unsigned('usage', 1), unsigned('selector', 1), unsigned('matching type', 1), hexRest('data', 1)]],
  [TYPE.SSHFP, [unsigned('algorithm', 1), unsigned('fingerprint type', 1), hexRest('fingerprint', 1)]],
  [TYPE.CAA, [unsigned('flags', 1), propertyTag('tag'), quotedRest('value')]],
];

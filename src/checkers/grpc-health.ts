// grpc-health.ts -- the two messages of grpc.health.v1.Health/Check, and the frame around them
//
//   message HealthCheckRequest { string service = 1; }
//   message HealthCheckResponse { ServingStatus status = 1; }
//
// A frame is an octet that tells whether the message is compressed, its length in four octets, and the message.

/** What a server says of a service; numbers it does not know are `UNKNOWN`, as proto3 has it. */
export type ServingStatus = 'UNKNOWN' | 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';

const STATUSES: readonly ServingStatus[] = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

const HEADER_BYTES = 5;

/** The longest reply that is read, with its frame: a status takes two octets. */
export const REPLY_LIMIT_BYTES = 1024;

/** A framed request for `service`. */
export function encodeRequest(service: string): Buffer {
  const name = Buffer.from(service, 'utf8');
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name]);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

/** The status in a framed reply. Throws an Error that says what is wrong with it. */
export function decodeReply(octets: Buffer): ServingStatus {
  if (octets.length < HEADER_BYTES || octets.length !== HEADER_BYTES + octets.readUInt32BE(1)) {
    throw new Error('the reply is not one whole message');
  }
  if (octets[0] !== 0) throw new Error('the reply is compressed, which was not asked for');
  return STATUSES[readStatus(octets.subarray(HEADER_BYTES))] ?? 'UNKNOWN';
}

/** Field 1 as a varint, the last one where there are several; other fields are passed over. */
function readStatus(message: Buffer): number {
  let status = 0;
  let at = 0;
  const take = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const octet = message[at++];
      if (octet === undefined) break;
      // Enumerations may be negative, in ten octets: beyond 2^53 the exact number is of no interest.
      value += (octet & 0x7f) * 2 ** shift;
      if (octet < 0x80) return value;
    }
    throw new Error('the reply is malformed');
  };
  while (at < message.length) {
    const tag = take();
    const wire = tag % 8;
    if (wire === 0) {
      const value = take();
      if (tag === 8) status = value;
    } else if (wire === 2) {
      const length = take();
      at += length;
    } else if (wire === 1) at += 8;
    else if (wire === 5) at += 4;
    else throw new Error('the reply is malformed');
    if (at > message.length) throw new Error('the reply is malformed');
  }
  return status;
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

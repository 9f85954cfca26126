// dial.ts -- open a TCP or TLS connection to addresses that were judged before

import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { connect as connectTcp, isIP, type LookupFunction, type Socket, type TcpNetConnectOpts } from 'node:net';
import { checkServerIdentity, connect as connectTls } from 'node:tls';
import type { IpAddress } from '../base/ip.ts';
import type { CheckTls } from '../health/check-spec.ts';

export interface DialTarget {
  /** As written in the check; with TLS also the name the certificate must carry, unless `tls.serverName` is given. */
  readonly host: string;
  readonly port: number;
  /** At least one; tried in order, as Node does. */
  readonly addresses: readonly IpAddress[];
  /** Present for a TLS connection. */
  readonly tls?: CheckTls;
}

/** Connect, with TLS until the handshake is done. Rejects, with the socket destroyed, on failure or when `signal` aborts. */
export async function dial(target: DialTarget, signal: AbortSignal): Promise<Socket> {
  const ca = target.tls?.caFile === undefined ? undefined : await readCaFile(target.tls.caFile);
  signal.throwIfAborted();
  const socket = target.tls === undefined ? connectTcp(endpointOf(target)) : openTls(target, target.tls, ca);
  return new Promise((resolve, reject) => {
    const fail = (reason: unknown) => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      reject(reason);
    };
    const onAbort = () => fail(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('error', fail);
    socket.once(target.tls === undefined ? 'connect' : 'secureConnect', () => {
      signal.removeEventListener('abort', onAbort);
      socket.off('error', fail);
      resolve(socket);
    });
    // A peer may reset the connection before its new owner listens; without a listener that would end the process.
    socket.on('error', () => {});
  });
}

function endpointOf(target: DialTarget): TcpNetConnectOpts {
  const [only] = target.addresses;
  const host = target.addresses.length === 1 && only !== undefined ? only.text : target.host;
  return { host, port: target.port, lookup: lookupOf(target.addresses), noDelay: true };
}

function openTls(target: DialTarget, tls: CheckTls, ca: Buffer | undefined): Socket {
  const name = tls.serverName ?? target.host;
  return connectTls({
    ...endpointOf(target),
    // The handshake names the server only when it has a name (RFC 6066 section 3).
    ...(isIP(name) === 0 ? { servername: name } : {}),
    ...(ca === undefined ? {} : { ca }),
    rejectUnauthorized: tls.skipVerify !== true,
    // Node would compare with the address dialled, not with the name that was asked for.
    checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate),
    ALPNProtocols: ['http/1.1'],
  });
}

/** A lookup that asks nobody: whatever the name, the answer is the addresses that were judged. */
function lookupOf(addresses: readonly IpAddress[]): LookupFunction {
  return (_, options, callback) => {
    const found = addresses.map(({ text, family }) => ({ address: text, family }));
    if (options.all === true) callback(null, found);
    else callback(null, found[0]!.address, found[0]!.family);
  };
}

const CA_FILE_LIMIT_BYTES = 1024 * 1024;

/** The path comes with the check, so it may name a pipe or a device: those would hang or never end. */
async function readCaFile(path: string): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = await file.stat();
    if (!found.isFile() || found.size > CA_FILE_LIMIT_BYTES) {
      throw new Error(`${path} is not a file of certificates`);
    }
    return await file.readFile();
  } finally {
    await file.close();
  }
}

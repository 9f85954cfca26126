// dial.ts -- open a TCP or TLS connection to addresses that were judged before

import { connect as connectTcp, isIP, type LookupFunction, type Socket, type TcpNetConnectOpts } from 'node:net';
import { connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls';
import type { IpAddress } from '../base/ip.ts';
import type { CheckTls } from '../health/check-spec.ts';
import type { ProbeTarget } from '../health/checker.ts';
import { identityProblem } from '../net/certificate-identity.ts';
import { noAuthorities, readAuthorities } from './ca-file.ts';
import type { ProbeSignal } from './probe-signal.ts';

/** How to make a connection with TLS. */
export interface DialTls extends CheckTls {
  /** May whoever set this up learn what is wrong with a file of this machine? */
  readonly maySeeFiles: boolean;
}

export interface DialTarget {
  /** As written in the check; with TLS also the name the certificate must carry, unless `tls.serverName` is given. */
  readonly host: string;
  readonly port: number;
  /** At least one; tried in order, as Node does. */
  readonly addresses: readonly IpAddress[];
  /** Present for a TLS connection. */
  readonly tls?: DialTls | undefined;
  /** Offered in the handshake (ALPN, RFC 7301). */
  readonly protocol?: 'http/1.1' | 'h2';
}

/** The TLS settings of a check that connects with TLS. */
export function dialTls({ check, isStatic }: ProbeTarget, allowExec: boolean): DialTls {
  return { ...check.tls, maySeeFiles: isStatic === true || allowExec };
}

/** Connect, with TLS until the handshake is done. Rejects, with the socket destroyed, on failure or when `signal` aborts. */
export async function dial(target: DialTarget, signal: ProbeSignal): Promise<Socket> {
  const authorities = target.tls === undefined ? undefined : await authoritiesOf(target.tls);
  signal.throwIfAborted();
  const socket = target.tls === undefined ? connectTcp(endpointOf(target)) : openTls(target, target.tls, authorities);
  return new Promise((resolve, reject) => {
    const fail = (reason: unknown) => {
      forget();
      socket.destroy();
      reject(reason);
    };
    const forget = signal.onAbort(() => fail(signal.reason));
    socket.once('error', fail);
    // A peer that closes in the middle of a handshake makes no error of its own.
    const onClose = () => fail(new Error('the connection was closed'));
    socket.once('close', onClose);
    socket.once(target.tls === undefined ? 'connect' : 'secureConnect', () => {
      if (isDistrusted(socket, target.tls)) {
        fail(new Error('the certificate is not vouched for by tls.caFile, or that cannot be used'));
        return;
      }
      forget();
      socket.off('error', fail);
      socket.off('close', onClose);
      resolve(socket);
    });
    // A peer may reset the connection before its new owner listens; without a listener that would end the process.
    socket.on('error', ignore);
  });
}

/** Not made where it is used: it would keep all that is in sight there for as long as the connection lives. */
function ignore(): void {}

function endpointOf(target: DialTarget): TcpNetConnectOpts {
  const [only] = target.addresses;
  const host = target.addresses.length === 1 && only !== undefined ? only.text : target.host;
  return { host, port: target.port, lookup: lookupOf(target.addresses), noDelay: true };
}

function openTls(target: DialTarget, tls: DialTls, authorities: SecureContext | undefined): TLSSocket {
  const name = tls.serverName ?? target.host;
  return connectTls({
    ...endpointOf(target),
    // The handshake names the server only when it has a name (RFC 6066 section 3).
    ...(isIP(name) === 0 ? { servername: name } : {}),
    ...(authorities === undefined ? {} : { secureContext: authorities }),
    rejectUnauthorized: tls.skipVerify !== true && !isHushed(tls),
    // Node would compare with the address dialled, not with the name that was asked for.
    checkServerIdentity: (_, certificate) => identityProblem(name, certificate),
    ...(target.protocol === undefined ? {} : { ALPNProtocols: [target.protocol] }),
  });
}

/**
 * Whoever may only use the API must not find out which files there are. So to them a file that cannot be used is one
 * that vouches for nobody: the handshake is made all the same, and a failure has one text whatever the reason.
 */
function isHushed(tls: DialTls): boolean {
  return tls.caFile !== undefined && tls.skipVerify !== true && !tls.maySeeFiles;
}

function isDistrusted(socket: Socket, tls: DialTls | undefined): boolean {
  return tls !== undefined && isHushed(tls) && !(socket as TLSSocket).authorized;
}

async function authoritiesOf(tls: DialTls): Promise<SecureContext | undefined> {
  if (tls.caFile === undefined || tls.skipVerify === true) return undefined;
  const reading = readAuthorities(tls.caFile);
  return await (isHushed(tls) ? reading.catch(noAuthorities) : reading);
}

/** A lookup that asks nobody: whatever the name, the answer is the addresses that were judged. */
function lookupOf(addresses: readonly IpAddress[]): LookupFunction {
  return (_, options, callback) => {
    const found = addresses.map(({ text, family }) => ({ address: text, family }));
    if (options.all === true) callback(null, found);
    else callback(null, found[0]!.address, found[0]!.family);
  };
}

// local-address.ts -- the address by which this machine reaches a server: where others can reach this machine

import { once } from 'node:events';
import { connect, isIP } from 'node:net';
import type { ApiCalls } from './api-calls.ts';
import { Deadline } from './deadline.ts';
import { RollcallError } from './rollcall-error.ts';

/** Connect, look, hang up. Throws RollcallError `unreachable` or `timeout`. */
export async function localAddressTowards(calls: Pick<ApiCalls, 'url' | 'closed'>, timeoutMs: number): Promise<string> {
  const { url } = calls;
  const { hostname, port, protocol } = new URL(url);
  const deadline = new Deadline(timeoutMs, calls.closed);
  const socket = connect({
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
  });
  try {
    await once(socket, 'connect', { signal: deadline.signal });
    const address = socket.localAddress?.replace(/^::ffff:(?=\d+\.)/, '') ?? '';
    if (isIP(address) === 0) throw new RollcallError('unreachable', `no address towards ${url}`);
    return address;
  } catch (thrown) {
    if (thrown instanceof RollcallError) throw thrown;
    if (deadline.isLate) throw new RollcallError('timeout', `${url} has not answered within ${timeoutMs} ms`);
    throw new RollcallError('unreachable', `cannot reach ${url}`, { cause: thrown });
  } finally {
    deadline.end();
    // What comes after is of no interest.
    socket.on('error', () => {});
    socket.destroy();
  }
}

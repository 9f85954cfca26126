// large-bodies.ts -- bodies far larger than the gateway's memory may grow, up and down

import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { Pool } from 'undici';
import { SERVICE, startGatewayServer, startInstances } from './gateway-server.ts';
import { MemoryWatch } from './siege-server.ts';

export interface LargeBody {
  readonly bytes: number;
  /** What came out is what went in, to the last octet. */
  readonly isWhole: boolean;
  /** The most that resident memory of the server grew by meanwhile, in MiB. */
  readonly growthMib: number;
  readonly seconds: number;
}

const CHUNK = Buffer.alloc(65_536, 'Rollcall. ');
const TIMEOUT = '10m';
/** Sent beforehand, so that what is allocated once has been. */
const FIRST_BYTES = 8 * 1024 * 1024;

/** One body of so many octets up, then one down. */
export async function sendLargeBodies(
  scope: { after(cleanup: () => unknown): void },
  bytes: number,
): Promise<{ up: LargeBody; down: LargeBody }> {
  const { server, gateway } = await startGatewayServer(scope, { timeout: TIMEOUT });
  await startInstances(scope, server, [0]);
  await server.untilStatus(SERVICE, 'cart-0', 'healthy');
  const pool = new Pool(`http://${gateway.address}:${gateway.port}`, { connections: 1, headersTimeout: 0 });
  scope.after(() => pool.destroy());
  await upload(pool, FIRST_BYTES);
  await download(pool, FIRST_BYTES);
  const measured = async (transfer: typeof upload): Promise<LargeBody> => {
    const memory = new MemoryWatch(scope, server.pid);
    const startMs = performance.now();
    const isWhole = await transfer(pool, bytes);
    return { bytes, isWhole, growthMib: memory.end(), seconds: (performance.now() - startMs) / 1000 };
  };
  return { up: await measured(upload), down: await measured(download) };
}

async function upload(pool: Pool, bytes: number): Promise<boolean> {
  const hash = createHash('sha256');
  const { statusCode, body } = await pool.request({
    method: 'PUT',
    path: '/sink',
    headers: { 'content-length': String(bytes) },
    body: Readable.from(chunks(bytes, hash), { objectMode: false }),
  });
  const told = (await body.json()) as { bytes?: number; sha256?: string };
  return statusCode === 200 && told.bytes === bytes && told.sha256 === hash.digest('hex');
}

async function download(pool: Pool, bytes: number): Promise<boolean> {
  const [wanted, got] = [createHash('sha256'), createHash('sha256')];
  const { statusCode, body } = await pool.request({ method: 'GET', path: `/source?bytes=${bytes}&chunked` });
  for await (const chunk of body) got.update(chunk);
  for (const _ of chunks(bytes, wanted));
  return statusCode === 200 && got.digest('hex') === wanted.digest('hex');
}

function* chunks(bytes: number, hash: ReturnType<typeof createHash>): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= CHUNK.length) {
    const chunk = left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK;
    hash.update(chunk);
    yield chunk;
  }
}

// registration-clients.ts -- one client that registers with Rollcall, and one that puts into etcd: both by hand and cheap
//
// The load must cost less than what it measures, and about the same for both: so neither uses a client library.

import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';

/** Puts one value under one key at a time. */
export interface PutClient {
  /** Put the registration with this number. Resolves when the server says that it is durable; rejects when it says anything else. */
  put(number: number): Promise<void>;
  close(): void;
}

/** What the registration with this number says; every instance has an address of its own. */
function registrationOf(number: number): object {
  const address = `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`;
  return { address, port: 8080, tags: ['v1', 'eu'], meta: { owner: 'team-cart', build: String(number) } };
}

/** Spread over 1,000 services. */
function placeOf(number: number): { service: string; id: string } {
  const service = `svc-${number % 1000}`;
  return { service, id: `${service}-${number}` };
}

/** What Rollcall stores of it (registry/stored.ts): the value of etcd's put. */
function storedOf(number: number): string {
  const instance = { ...placeOf(number), ...registrationOf(number), ports: {}, weight: 1, checks: [] };
  return JSON.stringify({ instance, registeredAtMs: 1_700_000_000_000 });
}

/** HTTP/1.1 on one kept-alive connection. */
export class RollcallClient implements PutClient {
  readonly #socket: Socket;
  readonly #host: string;
  #text = '';
  #settle: ((error: Error | undefined) => void) | undefined;

  private constructor(socket: Socket, host: string) {
    this.#socket = socket;
    this.#host = host;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#read(chunk.toString('latin1')));
    socket.on('error', (error) => this.#settle?.(error));
    socket.on('close', () => this.#settle?.(new Error('Rollcall closed the connection')));
  }

  static async open(port: number): Promise<RollcallClient> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new RollcallClient(socket, `127.0.0.1:${port}`);
  }

  put(number: number): Promise<void> {
    const { service, id } = placeOf(number);
    const body = JSON.stringify(registrationOf(number));
    this.#socket.write(
      `PUT /v1/services/${service}/instances/${id} HTTP/1.1\r\nHost: ${this.#host}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    return new Promise((resolve, reject) => {
      this.#settle = (error) => (error === undefined ? resolve() : reject(error));
    });
  }

  close(): void {
    this.#settle = undefined;
    this.#socket.destroy();
  }

  #read(chunk: string): void {
    this.#text += chunk;
    const head = this.#text.indexOf('\r\n\r\n');
    if (head < 0) return;
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(this.#text)?.[1] ?? 0);
    if (this.#text.length < head + 4 + length) return;
    const reply = this.#text;
    this.#text = '';
    const isDone = reply.startsWith('HTTP/1.1 201');
    this.#settle?.(isDone ? undefined : new Error(`Rollcall says ${reply.slice(0, 300)}`));
  }
}

/** gRPC on one HTTP/2 connection: etcdserverpb.KV/Put. */
export class EtcdClient implements PutClient {
  readonly #session: ClientHttp2Session;

  private constructor(session: ClientHttp2Session) {
    this.#session = session;
    session.on('error', () => {});
  }

  static async open(port: number): Promise<EtcdClient> {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    await once(session, 'connect');
    return new EtcdClient(session);
  }

  put(number: number): Promise<void> {
    const stream = this.#session.request({
      ':method': 'POST',
      ':path': '/etcdserverpb.KV/Put',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.end(grpcMessage(putRequest(`instance/${placeOf(number).id}`, storedOf(number))));
    return new Promise((resolve, reject) => {
      let status: unknown;
      stream.on('trailers', (trailers) => {
        status = trailers['grpc-status'];
      });
      // Without a body there are no trailers: the status stands in the head.
      stream.on('response', (headers) => {
        status ??= headers['grpc-status'];
      });
      stream.on('error', reject);
      stream.on('close', () => (status === '0' ? resolve() : reject(new Error(`etcd says grpc-status ${status}`))));
      stream.resume();
    });
  }

  close(): void {
    this.#session.destroy();
  }
}

/** Field 1 the key, field 2 the value, both of wire type 2. */
function putRequest(key: string, value: string): Buffer {
  return Buffer.concat(
    [key, value].flatMap((text, i) => {
      const bytes = Buffer.from(text);
      return [Buffer.from([((i + 1) << 3) | 2, ...varint(bytes.length)]), bytes];
    }),
  );
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}

/** Not compressed, and its length. */
function grpcMessage(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

// grpc-server.ts -- an HTTP/2 server that answers gRPC health calls as it is told

import { createSecureServer, createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { Server } from 'node:net';

/** Does what it likes with a call; `service` is the one that was asked for. */
export type GrpcHandler = (stream: ServerHttp2Stream, service: string) => void;

const HEADERS = { ':status': 200, 'content-type': 'application/grpc' };

/** A server for `Peer.listen`; with TLS when it is given a certificate. */
export function grpcServer(handler: GrpcHandler, tls?: { readonly cert: string; readonly key: string }): Server {
  const server: Http2Server = tls === undefined ? createServer() : createSecureServer({ ...tls });
  server.on('sessionError', () => {});
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    if (headers[':path'] !== '/grpc.health.v1.Health/Check') return refuseCall(stream, 12);
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => void chunks.push(chunk));
    // Five octets of frame; then field 1, its length in one octet, and the name.
    stream.on('end', () => handler(stream, Buffer.concat(chunks).subarray(7).toString()));
  });
  return server;
}

/** Answer a call with this message, and then this code in the trailers. */
export function answerCall(stream: ServerHttp2Stream, message: Buffer, code = 0): void {
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(message.length, 1);
  stream.respond(HEADERS, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': String(code) }));
  stream.end(Buffer.concat([frame, message]));
}

/** Answer a call with nothing but trailers. */
export function refuseCall(stream: ServerHttp2Stream, code: number, message?: string): void {
  const said = message === undefined ? {} : { 'grpc-message': message };
  stream.respond({ ...HEADERS, 'grpc-status': String(code), ...said }, { endStream: true });
}

/** A health reply with this status. */
export function healthReply(status: number): Buffer {
  return status === 0 ? Buffer.alloc(0) : Buffer.from([0x08, status]);
}

// grpc.test.ts -- the grpc check against HTTP/2 servers, plain and by TLS

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import type { Server } from 'node:net';
import { after, describe, it } from 'node:test';
import { GrpcChecker } from '../../src/checkers/grpc.ts';
import { decodeReply, encodeRequest } from '../../src/checkers/grpc-health.ts';
import { type Behaviour, PROBE_OPTIONS, type Subject, testChecker } from '../conformance/checkers.ts';
import { makeCertificate } from '../support/certificate.ts';
import { freePort } from '../support/free-port.ts';
import { answerCall, type GrpcHandler, grpcServer, healthReply, refuseCall } from '../support/grpc-server.ts';
import { Peer } from '../support/peer.ts';
import { checkSpec, probeTarget } from '../support/probe-target.ts';
import { babblingServer, dribblingServer, resettingServer, silentServer, TLS_RECORD } from '../support/unruly-peer.ts';

const certificate = makeCertificate();
after(() => certificate.remove());

/** An HTTP/2 server's greeting, and the head of a frame of 16,383 octets, of a type nobody knows. */
const HTTP2_FRAME = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0x3f, 0xff, 0x4f, 0, 0, 0, 0, 0, 0]);

const HANDLERS: Readonly<Partial<Record<Behaviour, GrpcHandler>>> = {
  passing: (stream) => answerCall(stream, healthReply(1)),
  critical: (stream) => answerCall(stream, healthReply(2)),
  // Headers, and nothing after them.
  hanging: (stream) => stream.respond({ ':status': 200, 'content-type': 'application/grpc' }),
  flooding: (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
    const more = () => {
      while (!stream.destroyed && stream.write(Buffer.alloc(10_000, 1)));
    };
    stream.on('drain', more);
    more();
  },
};

type Scheme = 'grpc' | 'grpcs';

const at = (scheme: Scheme) => (host: string, port: number) => {
  const url = `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
  return checkSpec('grpc', { url, ...(scheme === 'grpcs' ? { tls: { caFile: certificate.certFile } } : {}) });
};

function serverFor(scheme: Scheme, behaviour: Behaviour): Server {
  if (behaviour === 'silent') return silentServer();
  if (behaviour === 'resetting') return resettingServer();
  if (behaviour === 'babbling') return babblingServer();
  if (behaviour === 'dribbling') return dribblingServer(scheme === 'grpc' ? HTTP2_FRAME : TLS_RECORD);
  return grpcServer(HANDLERS[behaviour]!, scheme === 'grpc' ? undefined : certificate);
}

for (const scheme of ['grpc', 'grpcs'] as const) {
  testChecker(scheme, {
    create: (given) => new GrpcChecker(given),
    at: at(scheme),
    start: async (behaviour, address): Promise<Subject> => {
      if (behaviour === 'absent') {
        const port = await freePort();
        return { check: at(scheme)(address, port), port, released: async () => {}, close: async () => {} };
      }
      const peer = await Peer.listen(serverFor(scheme, behaviour), address);
      const { port } = peer;
      return { check: at(scheme)(address, port), port, released: () => peer.released(), close: () => peer.close() };
    },
  });
}

async function probe(server: Server, path = '') {
  const peer = await Peer.listen(server);
  const checker = new GrpcChecker(PROBE_OPTIONS);
  const url = `grpc://127.0.0.1:${peer.port}${path}`;
  try {
    const { outcome, output } = await checker.probe(probeTarget(checkSpec('grpc', { url })));
    assert.ok(output.startsWith(`GRPC ${url}: `), output);
    return { outcome, said: output.slice(`GRPC ${url}: `.length) };
  } finally {
    await checker.close();
    await peer.close();
  }
}

describe('grpc check', () => {
  const reply =
    (...octets: number[]) =>
    (stream: ServerHttp2Stream) =>
      answerCall(stream, Buffer.from(octets));
  const cases: readonly (readonly [string, GrpcHandler, string])[] = [
    ['SERVING', reply(8, 1), 'SERVING'],
    ['NOT_SERVING', reply(8, 2), 'NOT_SERVING'],
    ['SERVICE_UNKNOWN', reply(8, 3), 'SERVICE_UNKNOWN'],
    ['UNKNOWN', reply(8, 0), 'UNKNOWN'],
    ['no status at all', reply(), 'UNKNOWN'],
    ['a status of later days', reply(8, 99), 'UNKNOWN'],
    ['a negative status', reply(8, ...Array(9).fill(0xff), 1), 'UNKNOWN'],
    ['a status among other fields', reply(0x12, 2, 65, 66, 8, 1, 0x18, 0x80, 1, 0x21, ...Array(8).fill(0)), 'SERVING'],
    ['a truncated field', reply(0x12, 5, 65), 'the reply is malformed'],
    ['a varint without end', reply(8, 0xff), 'the reply is malformed'],
    ['a group', reply(0x0b), 'the reply is malformed'],
    [
      'an unknown service',
      (stream) => refuseCall(stream, 5, 'no%20such'),
      'SERVICE_UNKNOWN, the server does not know the service: no such',
    ],
    ['no health service', (stream) => refuseCall(stream, 12), 'UNIMPLEMENTED, the server has no health service'],
    ['a server that is down', (stream) => refuseCall(stream, 14), 'UNAVAILABLE'],
    ['a code nobody knows', (stream) => refuseCall(stream, 77), 'gRPC status 77'],
    ['a message that is not escaped', (stream) => refuseCall(stream, 2, '100%'), 'UNKNOWN: 100%'],
    ['an error after a message', (stream) => answerCall(stream, healthReply(1), 13), 'INTERNAL'],
    ['an HTTP error', (stream) => stream.respond({ ':status': 503 }, { endStream: true }), 'HTTP status 503'],
    ['no gRPC', (stream) => stream.respond({ ':status': 200 }, { endStream: true }), 'the answer is not gRPC'],
    ['a stream cut off', (stream) => stream.close(2), 'Stream closed with error code NGHTTP2_INTERNAL_ERROR'],
  ];
  for (const [title, handler, expected] of cases) {
    it(`${title}: ${expected}`, async () => {
      assert.deepEqual(await probe(grpcServer(handler)), {
        outcome: expected === 'SERVING' ? 'passing' : 'critical',
        said: expected,
      });
    });
  }

  it('asks for the service of its URL', async () => {
    const asked: string[] = [];
    const server = grpcServer((stream, service) => {
      asked.push(service);
      answerCall(stream, healthReply(1));
    });
    assert.equal((await probe(server, '/cart.v1.Cart')).outcome, 'passing');
    assert.deepEqual(asked, ['cart.v1.Cart']);
  });

  it('one connection carries all probes, and is replaced when the server drops it', async () => {
    let calls = 0;
    const server = grpcServer((stream) => {
      // The fourth call is the first one that is not answered: the connection breaks instead.
      if (++calls === 4) stream.session?.destroy();
      else answerCall(stream, healthReply(1));
    });
    const peer = await Peer.listen(server);
    const checker = new GrpcChecker(PROBE_OPTIONS);
    const target = probeTarget(checkSpec('grpc', { url: `grpc://127.0.0.1:${peer.port}` }));
    const probeOnce = async () => {
      const { outcome, output } = await checker.probe(target);
      assert.equal(outcome, 'passing', output);
      return peer.accepted;
    };
    const accepted: number[] = [];
    for (let i = 0; i < 5; i++) accepted.push(await probeOnce());
    assert.deepEqual(accepted, [1, 1, 1, 2, 2]);
    await checker.close();
    await peer.released();
    await peer.close();
  });

  it('an HTTP/1 server is critical', async () => {
    assert.equal((await probe(createServer((_, response) => response.end('hello')))).outcome, 'critical');
  });
});

describe('the messages', () => {
  it('a long name has its length in two octets', () => {
    const octets = encodeRequest('a'.repeat(200));
    assert.deepEqual([...octets.subarray(0, 8)], [0, 0, 0, 0, 203, 0x0a, 0xc8, 1]);
  });

  const refused: readonly (readonly [string, number[]])[] = [
    ['nothing', []],
    ['half a frame', [0, 0, 0, 0]],
    ['less than it says', [0, 0, 0, 0, 2, 8]],
    ['more than it says', [0, 0, 0, 0, 0, 8, 1]],
    ['compressed', [1, 0, 0, 0, 2, 8, 1]],
  ];
  for (const [title, octets] of refused) {
    it(`a reply that is ${title} is refused`, () => {
      assert.throws(() => decodeReply(Buffer.from(octets)), /^Error: the reply is/);
    });
  }
});

// query.test.ts -- `rollcall query` against name servers that behave, and some that do not

import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { type Endpoint, formatEndpoint } from '../../src/base/ip.ts';
import { FLAG } from '../../src/dns/header.ts';
import { decodeMessage, encodeMessage, type Message } from '../../src/dns/message.ts';
import { runCommand } from '../support/captured-terminal.ts';
import { Peer } from '../support/peer.ts';
import { records } from '../support/wire.ts';

/** What to send back, if anything. */
type Script = (query: Message, transport: 'udp' | 'tcp') => readonly Uint8Array[];

let peers: Peer[] = [];
let sockets: Socket[] = [];
afterEach(async () => {
  for (const peer of peers) await peer.close();
  for (const socket of sockets) await new Promise<void>((done) => socket.close(() => done()));
  [peers, sockets] = [[], []];
});

/** A name server on UDP and TCP of one port. */
async function nameServer(script: Script, address = '127.0.0.1'): Promise<Endpoint> {
  const tcp = createServer((connection) => {
    connection.on('data', (data) => {
      for (const reply of script(decodeMessage(data.subarray(2)), 'tcp')) {
        const length = Buffer.from([reply.length >> 8, reply.length & 255]);
        // In two pieces: a reply need not come in one.
        connection.write(Buffer.concat([length, reply.subarray(0, 3)]), () => connection.write(reply.subarray(3)));
      }
    });
  });
  const peer = await Peer.listen(tcp, address);
  peers.push(peer);
  const udp = createSocket(address.includes(':') ? 'udp6' : 'udp4').bind(peer.port, address);
  await once(udp, 'listening');
  sockets.push(udp);
  udp.on('message', (data, from) => {
    for (const reply of script(decodeMessage(data), 'udp')) udp.send(reply, from.port, from.address);
  });
  return { address, port: peer.port };
}

function reply(query: Message, parts: Partial<Message>): Uint8Array {
  return encodeMessage({ ...query, edns: undefined, flags: FLAG.QR | FLAG.AA | FLAG.RD, ...parts });
}

const answering =
  (text: string, parts: Partial<Message> = {}): Script =>
  (query) => [reply(query, { answers: records(text), ...parts })];

async function ask(server: Endpoint, ...argv: string[]) {
  const run = await runCommand(['query', ...argv, '--server', formatEndpoint(server)]);
  const last = run.out.trimEnd().split('\n').at(-1) ?? '';
  return {
    ...run,
    rows: run.out.split('\n').slice(1, -2),
    last: last.replace(/:\d+ by/, ':PORT by').replace(/, [\d.]+ ms$/, ''),
  };
}

describe('rollcall query', () => {
  const ROWS: readonly (readonly [type: string, data: string])[] = [
    ['A', '10.0.0.7'],
    ['AAAA', '2001:db8::7'],
    ['NS', 'ns.example.'],
    ['CNAME', 'other.example.'],
    ['PTR', 'x.example.'],
    ['MX', '10 mail.example.'],
    ['SRV', '1 2 80 a.example.'],
    ['TXT', '"a b" "say \\"yes\\""'],
    ['CAA', '0 issue "ca.example"'],
    ['SOA', 'ns.example. host.example. 1 2 3 4 5'],
    // Read by our own codec: dns2 knows no names for these.
    ['SVCB', '1 a.example. alpn="h2" port=443'],
    ['NAPTR', '1 2 "S" "SIP" "" _sip._udp.example.'],
    ['TYPE65280', '\\# 3 ABCDEF'],
  ];
  for (const [type, data] of ROWS) {
    it(`shows ${type}`, async () => {
      const server = await nameServer(answering(`cart.example. 5 IN ${type} ${data}`));
      const { rows, last, code, err } = await ask(server, 'cart.example', type.toLowerCase());
      assert.deepEqual(
        [rows, err, code],
        [[`answer   cart.example.  5    ${type.padEnd(Math.max(4, type.length))}  ${data}`], '', 0],
      );
      assert.equal(last, 'NOERROR (aa rd) from 127.0.0.1:PORT by udp');
    });
  }

  it('shows types that came unasked', async () => {
    const server = await nameServer(answering('cart.example. 5 IN HTTPS 1 . alpn=h2'));
    const { rows } = await ask(server, 'cart.example');
    assert.deepEqual(rows, ['answer   cart.example.  5    HTTPS  1 . alpn="h2"']);
  });

  it('asks by IPv6, and by TCP', async () => {
    for (const [address, ...argv] of [['::1'], ['127.0.0.1', '--tcp'], ['::1', '--tcp']] as const) {
      const server = await nameServer(answering('a.example. 5 IN A 10.0.0.7'), address);
      const { rows, last } = await ask(server, 'a.example', 'A', ...argv);
      assert.equal(rows.length, 1);
      assert.match(last, argv.length === 0 ? /by udp$/ : /by tcp$/);
    }
  });

  it('goes on by TCP when a reply is cut short', async () => {
    for (const type of ['A', 'SVCB']) {
      const record = type === 'A' ? 'A 10.0.0.7' : 'SVCB 1 .';
      const server = await nameServer((query, transport) =>
        transport === 'udp'
          ? [reply(query, { flags: FLAG.QR | FLAG.TC })]
          : [reply(query, { answers: records(`a.example. 5 IN ${record}`) })],
      );
      const { last, rows } = await ask(server, 'a.example', type);
      assert.match(last, /^NOERROR \(aa rd\) .* by tcp$/);
      assert.equal(rows.length, 1);
    }
  });

  it('fails for every rcode but NOERROR, and shows why', async () => {
    const soa = 'example. 5 IN SOA ns.example. host.example. 1 2 3 4 5';
    const server = await nameServer((query) => [reply(query, { rcode: 3, authorities: records(soa) })]);
    const { code, rows, last } = await ask(server, 'a.example');
    assert.equal(code, 1);
    assert.match(rows[0]!, /^authority +example\. +5 +SOA /);
    assert.match(last, /^NXDOMAIN/);
  });

  it('prints JSON', async () => {
    const server = await nameServer(answering('a.example. 5 IN A 10.0.0.7'));
    const { out } = await ask(server, 'a.example', '--json');
    const { timeMs, ...rest } = JSON.parse(out);
    assert.equal(typeof timeMs, 'number');
    assert.deepEqual(rest, {
      server: formatEndpoint(server),
      question: { name: 'a.example', type: 'A' },
      rcode: 'NOERROR',
      flags: ['aa', 'rd'],
      answers: [{ name: 'a.example.', ttl: 5, type: 'A', data: '10.0.0.7' }],
      authorities: [],
      additionals: [],
      transport: 'udp',
    });
  });

  it('asks for names with escapes as they are meant', async () => {
    const server = await nameServer(answering('my\\.printer.example. 5 IN A 10.0.0.7'));
    const { rows } = await ask(server, 'my\\.printer.example');
    assert.deepEqual(rows, ['answer   my\\.printer.example.  5    A     10.0.0.7']);
  });

  for (const type of ['A', 'SVCB']) {
    const record = type === 'A' ? 'A 10.0.0.7' : 'SVCB 1 .';

    it(`passes over replies with a foreign id (${type})`, async () => {
      const server = await nameServer((query) => [
        reply(query, { id: query.id ^ 1, rcode: 5 }),
        reply(query, { answers: records(`a.example. 5 IN ${record}`) }),
      ]);
      assert.match((await ask(server, 'a.example', type)).last, /^NOERROR/);
    });

    it(`refuses an answer to another question (${type})`, async () => {
      const server = await nameServer((query) => [
        reply(query, { questions: [{ ...query.questions[0]!, type: 16 }], answers: records('a.example. 5 IN TXT x') }),
      ]);
      const { code, err } = await ask(server, 'a.example', type);
      assert.equal(code, 1);
      assert.match(err, /^bad_reply: .* it answers another question\n$/);
    });

    it(`gives up in time (${type})`, async () => {
      const server = await nameServer(() => []);
      const { code, err } = await ask(server, 'a.example', type, '--timeout', '0.2');
      assert.equal(code, 1);
      assert.match(err, /^timeout: .* has not answered within 0\.2 seconds\n$/);
    });
  }

  it('gives up in time by TCP, and when the connection ends', async () => {
    const silent = await nameServer(() => []);
    assert.match((await ask(silent, 'a.example', '--tcp', '--timeout', '0.2')).err, /^timeout: /);
    const peer = await Peer.listen(createServer((connection) => connection.end()));
    peers.push(peer);
    const server = { address: '127.0.0.1', port: peer.port };
    const { err } = await ask(server, 'a.example', '--tcp');
    assert.match(err, /^(bad_reply: .* the connection ended|unreachable: )/);
  });

  describe('by HTTPS', () => {
    /** Any type, status and body. */
    async function httpServer(
      answer: (query: Message) => readonly [status: number, type: string, body: Uint8Array],
    ): Promise<string> {
      const http = createHttpServer((request, response) => {
        const parts: Buffer[] = [];
        request
          .on('data', (part) => parts.push(part))
          .on('end', () => {
            assert.deepEqual(
              [request.method, request.url, request.headers['content-type']],
              ['POST', '/dns-query', TYPE],
            );
            const [status, type, body] = answer(decodeMessage(Buffer.concat(parts)));
            response.writeHead(status, { 'content-type': type }).end(body);
          });
      });
      const peer = await Peer.listen(http);
      peers.push(peer);
      return `http://127.0.0.1:${peer.port}`;
    }
    const TYPE = 'application/dns-message';
    const good = (query: Message): Uint8Array => reply(query, { answers: records('a.example. 5 IN A 10.0.0.7') });

    it('asks with id 0, at the usual path', async () => {
      let id = -1;
      const url = await httpServer((query) => {
        ({ id } = query);
        return [200, TYPE, good(query)];
      });
      const { out, code, err } = await runCommand(['query', 'a.example', '--server', url]);
      assert.deepEqual([id, code, err], [0, 0, '']);
      assert.match(out, /10\.0\.0\.7[\s\S]* by https, /);
      assert.ok(out.includes(`${url}/dns-query`), out);
    });

    const rows: readonly (readonly [name: string, answer: Parameters<typeof httpServer>[0], err: RegExp])[] = [
      ['another status', (query) => [404, TYPE, good(query)], /^bad_reply: .* its status is 404\n$/],
      ['another type', (query) => [200, 'text/html', good(query)], /^bad_reply: .* it is no DNS message\n$/],
      ['too much', () => [200, TYPE, new Uint8Array(65_536)], /^bad_reply: .* longer than a DNS message\n$/],
      ['nothing', () => [200, TYPE, new Uint8Array(0)], /^bad_reply: /],
      [
        'another question',
        (query) => [200, TYPE, reply(query, { questions: [{ ...query.questions[0]!, type: 16 }] })],
        /^bad_reply: .* another question\n$/,
      ],
    ];
    for (const [name, answer, expected] of rows) {
      it(`refuses ${name}`, async () => {
        const { code, err } = await runCommand(['query', 'a.example', '--server', await httpServer(answer)]);
        assert.equal(code, 1);
        assert.match(err, expected);
      });
    }

    it('gives up in time, and where nobody listens', async () => {
      const peer = await Peer.listen(createServer(() => {}));
      peers.push(peer);
      const silent = `https://127.0.0.1:${peer.port}`;
      assert.match(
        (await runCommand(['query', 'a', '--server', silent, '--timeout', '0.2'])).err,
        /^timeout: .* 0\.2 seconds\n$/,
      );
      const none = await runCommand(['query', 'a', '--https', '--server', '127.0.0.1:1']);
      assert.match(none.err, /^unreachable: cannot ask https:\/\/127\.0\.0\.1:1\/dns-query: nobody listens there\n$/);
    });
  });

  for (const [argv, sent, scope, shown] of [
    [['--subnet', '10.1.2.0/23'], '00011700 0a0102', 16, ', client subnet 10.1.2.0/23/16'],
    [['--subnet', '2001:db8::/33', '--tcp'], '00022100 20010db800', 0, ', client subnet 2001:db8::/33/0'],
    [['--subnet', '10.1.2.3'], '00012000 0a010203', undefined, ''],
  ] as const) {
    it(`asks for others: ${argv.join(' ')}`, async () => {
      let got: string | undefined;
      const server = await nameServer((query) => {
        const [option] = query.edns!.options;
        got = `${option!.code} ${Buffer.from(option!.data).toString('hex')}`;
        const data = Uint8Array.from(option!.data);
        data[3] = scope ?? 0;
        const edns = { ...query.edns!, options: scope === undefined ? [] : [{ code: 8, data }] };
        return [reply(query, { answers: records('a.example. 5 IN A 10.0.0.7'), edns })];
      });
      const { code, last, rows } = await ask(server, 'a.example', ...argv);
      assert.equal(got, `8 ${sent.replaceAll(' ', '')}`);
      assert.deepEqual([code, rows], [0, ['answer   a.example.  5    A     10.0.0.7']]);
      assert.equal(/, client subnet .*/.exec(last)?.[0] ?? '', shown);
    });
  }

  it('refuses a malformed reply', async () => {
    const server = await nameServer((query) => [
      reply(query, { answers: records('a.example. 5 IN A 10.0.0.7') }).slice(0, -1),
    ]);
    for (const argv of [
      ['a.example', '--tcp'],
      ['a.example', 'A'],
      ['a.example', 'SVCB'],
    ]) {
      const { code, err } = await ask(server, ...argv);
      assert.equal(code, 1);
      assert.match(err, /^bad_reply: /);
    }
  });

  it('shows what a server says without obeying it', async () => {
    const server = await nameServer(answering('a.example. 5 IN TXT "x\\027[31my"'));
    const { out } = await ask(server, 'a.example', 'TXT');
    assert.ok(!out.includes('\u001b'));
  });
});

// watch.test.ts -- `rollcall watch` against a real API, over cuts and restarts; and events out of broken octets

import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import { describe, it } from 'node:test';
import { readEvents } from '../../src/cli/event-stream.ts';
import { openApiServer, tokenEntry } from '../support/api-server.ts';
import { runCommand } from '../support/captured-terminal.ts';
import { Peer } from '../support/peer.ts';

/** Calls back when so many whole lines were written. */
function atLine(count: number, act: () => unknown): (out: string) => void {
  let isDone = false;
  return (out) => {
    if (isDone || out.split('\n').length <= count) return;
    isDone = true;
    act();
  };
}

describe('rollcall watch', () => {
  it('prints changes as lines, in columns and without what would steer a terminal', async () => {
    const access = { tokens: [tokenEntry('t', 'operator')], allowHosts: [] };
    const server = await openApiServer({ access });
    try {
      const bearer = { authorization: 'Bearer t' };
      const id = (await server.call('GET', '/v1/services', undefined, bearer)).headers.get('x-rollcall-event-id')!;
      const instance = { address: '10.0.0.7', port: 80 };
      await server.call('PUT', '/v1/services/cart/instances/c-1', instance, bearer);
      await server.call('PUT', '/v1/services/other/instances/o-1', instance, bearer);
      const policy = { routes: [{ match: { tags: ['v2'] } }], steps: [{ percent: 1 }] };
      await server.call('PUT', '/v1/services/cart/policy', policy, bearer);
      // A token that is taken away ends the command.
      const onOut = atLine(3, () => server.api.setAccess({ tokens: [tokenEntry('u', 'operator')], allowHosts: [] }));
      const argv = ['watch', 'cart', '--since', id, '--http', server.url, '--token', 't'];
      const run = await runCommand(argv, { onOut });
      const by = 'token id-t 127\\.0\\.0\\.1';
      assert.match(
        run.out,
        new RegExp(
          `^\\S{24} {2}register +cart +c-1 +healthy +${by} +no checks\n.*policy +cart +${by}\n.*policy +cart +done +steps +step 1 of 1: 1 %\n$`,
        ),
      );
      assert.match(run.err, /^forbidden: the token may no longer watch here/);
      assert.equal(run.code, 1);
    } finally {
      await server.close();
    }
  });

  it('as JSON; goes on after a cut from where it was, and tells when that is not possible', async () => {
    const asked: (string | undefined)[] = [];
    const event = (n: number) => `event: register\nid: e.${n}\ndata: {"service":"cart","n":${n},"text":"\u202e"}\n\n`;
    const gone = (response: ServerResponse) => {
      response.writeHead(410, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: { code: 'event_gone', message: 'too long ago', details: [] } }));
    };
    const stream = (text: string) => (response: ServerResponse) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(text);
    };
    const cut = (response: ServerResponse) => response.destroy();
    const replies = [
      stream(`: hello\nid: e.0\n\n${event(1)}`),
      stream(`${event(2)}event: reg`),
      cut,
      stream('event: end\ndata: {"reason":"stopping"}\n\n'),
      gone,
      stream(event(7)),
      (response: ServerResponse) => {
        response.writeHead(403, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ error: { code: 'forbidden', message: 'no', details: [] } }));
      },
    ];
    const peer = await Peer.listen(
      createServer((request, response) => {
        asked.push(request.headers['last-event-id'] as string | undefined);
        replies[asked.length - 1]?.(response);
      }),
    );
    try {
      const run = await runCommand(['watch', '--json', '--http', `127.0.0.1:${peer.port}`]);
      const lines = run.out.trim().split('\n');
      assert.deepEqual(
        lines.map((line) => [JSON.parse(line).id, JSON.parse(line).event, JSON.parse(line).n]),
        [
          ['e.1', 'register', 1],
          ['e.2', 'register', 2],
          ['e.7', 'register', 7],
        ],
      );
      assert.doesNotMatch(run.out, /\u202e/);
      assert.deepEqual(asked, [undefined, 'e.1', 'e.2', 'e.2', 'e.2', undefined, 'e.7']);
      assert.match(run.err, /^changes were missed: .*\nforbidden: no\n$/);
      assert.equal(run.code, 1);
    } finally {
      await peer.close();
    }
  });

  it('says at once when it cannot begin', async () => {
    const server = await openApiServer();
    const run = await runCommand(['watch', '--since', 'x', '--http', server.url]);
    assert.match(run.err, /^event_gone: /);
    assert.equal(run.code, 1);
    await server.close();
    const away = await runCommand(['watch', '--http', server.url]);
    assert.match(away.err, /^unreachable: /);
    assert.equal(away.code, 1);
  });
});

it('events are read however their octets are cut', async () => {
  const text = ': c\nid: 1\n\nevent: a\ndata: \u00e4\u20ac\ndata: 2\n\nid: 3\nevent: b\ndata:x\n\nevent: cut';
  const octets = Buffer.from(text);
  for (const size of [1, 2, 3, 7, octets.length]) {
    const chunks = Array.from({ length: Math.ceil(octets.length / size) }, (_, i) =>
      octets.subarray(i * size, (i + 1) * size),
    );
    const events = [];
    for await (const { event, data, id } of readEvents(toAsync(chunks))) events.push([event, data, id]);
    assert.deepEqual(events, [
      [undefined, undefined, '1'],
      ['a', '\u00e4\u20ac\n2', '1'],
      ['b', 'x', '3'],
    ]);
  }
});

async function* toAsync<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

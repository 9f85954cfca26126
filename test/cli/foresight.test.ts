// foresight.test.ts -- `rollcall explain` and `rollcall simulate` against a real API, and the pictures they make

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { svgChart, textChart } from '../../src/cli/share-chart.ts';
import { type ApiServer, openApiServer } from '../support/api-server.ts';
import { type CliRun, type CliWorld, runCommand } from '../support/captured-terminal.ts';

let server: ApiServer;
let folder: string;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rollcall-foresight-'));
  server = await openApiServer();
  for (const [i, weight] of [1, 3].entries()) {
    const path = `/v1/services/cart/instances/cart-${i + 1}`;
    await server.call('PUT', path, { address: `10.0.0.${i + 1}`, port: 80, weight });
  }
  await server.call('PUT', '/v1/services/cart/instances/cart-3', { address: '10.0.0.3', port: 80, tags: ['v2'] });
  await server.call('POST', '/v1/instances/cart-3/drain');
  await server.call('PUT', '/v1/services/cart/policy', { strategy: 'weighted', ttl: '7s' });
});
after(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

const cli = (argv: string, world: CliWorld = {}): Promise<CliRun> =>
  runCommand([...argv.split(' '), '--http', server.url], world);

describe('rollcall explain', () => {
  it('prints who is in and out, and why', async () => {
    const { code, out } = await cli('explain cart.service.local --client 10.1.2.3');
    assert.equal(code, 0);
    assert.equal(
      out,
      `cart.service.local. A, asked by 10.1.2.3: NOERROR, service 'cart' answers
zone service.local.
service cart, strategy weighted
100 % of the answers: general pool; 2 records, TTL 7s (the policy)
all clients have the same shares

INSTANCE  ADDRESS   STATUS    IN   RANK  FIRST  IN ANSWER  WEIGHT  WHY
cart-2    10.0.0.2  healthy   in   1     75 %   100 %      3       weighted
cart-1    10.0.0.1  healthy   in   2     25 %   100 %      1       weighted
cart-3    10.0.0.3  draining  out  -     -      -          1       draining
`,
    );
  });

  it('prints JSON, and says why there is nothing', async () => {
    const { code, out } = await cli('explain nobody.service.local --json');
    const { result, reason } = JSON.parse(out);
    assert.deepEqual([code, result], [0, 'nxdomain']);
    const told = await cli('explain nobody.service.local');
    assert.ok(told.out.includes(reason), told.out);
    assert.equal((await cli('explain a..b')).code, 1);
  });
});

describe('rollcall simulate', () => {
  it('prints tables and bars', async () => {
    const { code, out, err } = await cli('simulate cart --strategy round-robin --duration 30s --fail cart-1@5s+5s');
    assert.deepEqual([code, err], [0, '']);
    assert.match(out, /^cart: 100 clients for 30s\n/);
    assert.match(out, /^now +weighted /m);
    assert.match(out, /^policy +round-robin /m);
    assert.match(out, /^cart-2 +healthy +3 +\d/m);
    assert.match(out, /^cart-2 {2}#+ \d+\.\d %$/m);
    assert.match(out, /^# round-robin, - weighted$/m);
    assert.match(out, /use another instance most\n$/);
  });

  it('keeps what is not stated of the present policy', async () => {
    const { out } = await cli('simulate cart --max-answers 1 --json');
    assert.equal(JSON.parse(out).policy.strategy, 'weighted');
  });

  it('takes a whole policy, service times and a seed', async () => {
    const argv = 'simulate cart --file - --slow cart-1=1s --clients 5 --rate 2 --seed 9 --picks any --type SRV --json';
    const { out } = await cli(argv, { input: '{"strategy":"failover"}' });
    const body = JSON.parse(out);
    assert.deepEqual([body.policy.strategy, body.seed, body.picks, body.type], ['failover', 9, 'any', 'SRV']);
    assert.equal(body.instances[1].policy.share, 1);
  });

  it('writes a picture', async () => {
    const file = join(folder, 'shares.svg');
    const { code } = await cli(`simulate cart --svg ${file}`);
    const text = readFileSync(file, 'utf8');
    assert.equal(code, 0);
    assert.match(text, /^<svg [\s\S]*cart-2[\s\S]*<\/svg>\n$/);
    const bad = await cli(`simulate cart --svg ${folder}/none/x.svg`);
    assert.deepEqual([bad.code, /cannot write/.test(bad.err)], [2, true], bad.err);
  });

  it('says what is wrong', async () => {
    const { code, err } = await cli('simulate nobody');
    assert.deepEqual([code, err], [1, "unknown_service: service 'nobody' is not known\n"]);
  });
});

describe('docs/foresight.md', () => {
  it('shows what the commands print', async (t) => {
    const shop = await openApiServer();
    t.after(() => shop.close());
    const put = (service: string, id: string, instance: object) =>
      shop.call('PUT', `/v1/services/${service}/instances/${id}`, { port: 80, ...instance });
    await put('cart-service', 'cart-1', { address: '10.0.0.1' });
    await put('cart-service', 'cart-2', { address: '10.0.0.2', weight: 3 });
    await put('cart-service', 'canary', { address: '10.0.0.9', tags: ['v2'] });
    const check = { id: 'http', type: 'http', url: '/health', initial: 'critical' };
    await put('cart-service', 'cart-3', { address: '10.0.0.3', checks: [check] });
    const routes = [{ match: { tags: ['v2'] }, percent: 5 }];
    await shop.call('PUT', '/v1/services/cart-service/policy', { strategy: 'weighted', routes });
    for (const i of [1, 2, 3, 4]) await put('web', `web-${i}`, { address: `10.0.0.${i}` });
    const text = readFileSync(join(import.meta.dirname, '../../docs/foresight.md'), 'utf8');
    const examples = [...text.matchAll(/^```console\n\$ rollcall (.*)\n([\s\S]*?)^```$/gm)];
    assert.equal(examples.length, 2);
    for (const [, argv, wanted] of examples) {
      const { out } = await runCommand([...argv!.split(' '), '--http', shop.url]);
      assert.equal(out, wanted, argv);
    }
  });
});

describe('charts', () => {
  const chart = { title: 'a <b> & "c"', name: 'n', beforeName: 'm' };

  it('hold no more than a screen, and nothing that is not text', () => {
    const bars = Array.from({ length: 50 }, (_, i) => ({ label: `<${i}>`, share: 0.02, before: undefined }));
    const svg = svgChart({ ...chart, bars });
    assert.ok(!/<\d|<b>/.test(svg), 'labels are escaped');
    assert.match(svg, /and 10 more/);
    const text = textChart({ ...chart, bars }, 80);
    assert.ok(
      text.split('\n').every((line) => line.length <= 80),
      text,
    );
    assert.match(text, /\.\.\. and 10 more/);
  });

  it('stand when nobody got anything', () => {
    const bars = [{ label: 'x', share: 0, before: 0 }];
    assert.match(textChart({ ...chart, bars }, 20), /x {3}0\.0 %/);
    assert.doesNotMatch(svgChart({ ...chart, bars }), /NaN|Infinity/);
  });
});

// cluster.test.ts -- three servers on one etcd: writes anywhere, health agreed on, a node that dies, etcd away

import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import { type BuiltServer, runRollcall, startBuiltServer } from '../support/built-server.ts';
import { ETCD_TOOLS, type EtcdServer, startEtcd } from '../support/etcd-server.ts';
import { requireTools } from '../support/tools.ts';
import { ToyInstance } from '../support/toy-instance.ts';
import { until } from '../support/until.ts';

const NAME = 'cart.service.local';

const skip = (why?: string): void => void it('runs on a real etcd', { skip: why ?? true }, () => {});
if (await requireTools({ skip }, ETCD_TOOLS)) {
  const config = ({ endpoint }: EtcdServer, node: string) => ({
    store: { kind: 'etcd', endpoints: [endpoint], node },
    health: { interval: '1s', timeout: '500ms', rise: 1, fall: 2 },
    dns: { ttl: '0s', workers: 1 },
  });

  async function startThree(t: TestContext) {
    const etcd = await startEtcd(t);
    const nodes: BuiltServer[] = [];
    for (const name of ['one', 'two', 'three']) nodes.push(await startBuiltServer(t, { config: config(etcd, name) }));
    return { etcd, nodes: nodes as [BuiltServer, BuiltServer, BuiltServer] };
  }

  /** None when the name does not exist any more. */
  const addressesOf = async (node: BuiltServer): Promise<string[]> =>
    await node.addresses(NAME).catch((error: { code?: string }) => {
      if (error.code === 'ENOTFOUND') return [];
      throw error;
    });
  const answers = async (nodes: readonly BuiltServer[]) =>
    await Promise.all(nodes.map(async (node) => (await addressesOf(node)).sort().join(' ')));
  const allAnswer = async (what: string, nodes: readonly BuiltServer[], expected: string) =>
    await until(what, async () => (await answers(nodes)).every((each) => each === expected));
  const members = async (node: BuiltServer): Promise<string[]> =>
    (await node.api('GET', '/v1/cluster')).body.members.map(({ name }: { name: string }) => name).sort();

  it('what one node takes all answer, whoever is asked to take it back', async (t) => {
    const { nodes } = await startThree(t);
    const [one, two, three] = nodes;
    await one.register('cart', 'a', { address: '10.0.0.1', port: 80 });
    assert.deepEqual(await one.addresses(NAME), ['10.0.0.1'], 'acknowledged means answered');
    await allAnswer('a is everywhere', nodes, '10.0.0.1');
    assert.deepEqual(await members(two), ['one', 'three', 'two']);
    assert.equal((await three.api('DELETE', '/v1/instances/a')).status, 204);
    await allAnswer('a is nowhere', nodes, '');
    const { exitCode, stdout } = await runRollcall(['cluster', '--http', `http://127.0.0.1:${one.http.port}`]);
    assert.equal(exitCode, 0);
    for (const name of ['one', 'two', 'three']) assert.match(stdout, new RegExp(`\\b${name}\\b`));
  });

  it('nobody flaps when a node is killed, and an instance that dies leaves the answers of those that are left', async (t) => {
    const { nodes } = await startThree(t);
    const [one, two, three] = nodes;
    const instance = await ToyInstance.start(t, '127.0.0.1');
    const check = { id: 'alive', type: 'tcp', interval: '1s', timeout: '500ms' };
    await one.register('cart', 'a', { address: '127.0.0.1', port: instance.port, checks: [check] });
    await allAnswer('it is well', nodes, '127.0.0.1');
    three.kill('SIGKILL');
    await until('it is no member any more', async () => (await members(one)).join(' ') === 'one two');
    const held = async (node: BuiltServer) => (await node.api('GET', '/v1/cluster')).body.checks;
    await until('the two that are left check it', async () => (await held(one)) + (await held(two)) === 2);
    for (const node of [one, two]) {
      const { body } = await node.api('GET', '/v1/services/cart/history');
      const kinds = body.changes.map(({ kind, status }: { kind: string; status: string }) => `${kind} ${status}`);
      assert.deepEqual(kinds, ['health healthy', 'register pending'], 'no change but the first');
    }
    await instance.kill();
    await allAnswer('it is out', [one, two], '');
  });

  it('without etcd the answers go on, writes are refused, and a node that starts knows what it knew', async (t) => {
    const { etcd, nodes } = await startThree(t);
    const [one, two, three] = nodes;
    const instance = await ToyInstance.start(t, '127.0.0.1');
    const check = { id: 'alive', type: 'tcp', interval: '1s', timeout: '500ms' };
    await one.register('cart', 'a', { address: '127.0.0.1', port: instance.port, checks: [check] });
    await one.register('cart', 'b', { address: '10.0.0.2', port: 80 });
    await allAnswer('both are everywhere', nodes, '10.0.0.2 127.0.0.1');
    await three.stop();
    await etcd.kill();
    const refused = await one.api('PUT', '/v1/services/cart/instances/c', { address: '10.0.0.3', port: 80 });
    assert.equal(refused.status, 503);
    assert.equal(refused.body.error.code, 'store_unavailable');
    const again = await startBuiltServer(t, { folder: three.folder });
    assert.deepEqual(await answers([one, two, again]), Array(3).fill('10.0.0.2 127.0.0.1'));
    assert.deepEqual((await again.api('GET', '/readyz')).body, { ready: true, stale: true });
    await instance.kill();
    await allAnswer('who died is out at every node', [one, two, again], '10.0.0.2');
    await etcd.restart();
    await until('the cluster is whole', async () => (await members(again)).length === 3, 30_000);
    await until('what is known is fresh', async () => !(await again.api('GET', '/readyz')).body.stale);
    assert.deepEqual(await answers([one, two, again]), Array(3).fill('10.0.0.2'));
    await until('writes are taken', async () => {
      const { status } = await again.api('PUT', '/v1/services/cart/instances/d', { address: '10.0.0.4', port: 80 });
      return status < 300;
    });
    await allAnswer('and answered by all, without the one that was refused', [one, two, again], '10.0.0.2 10.0.0.4');
  });

  it('a lease is kept by heartbeats to another node, and runs out everywhere when they end', async (t) => {
    const { nodes } = await startThree(t);
    const [one, two] = nodes;
    await one.register('cart', 'a', { address: '10.0.0.1', port: 80, leaseTtl: '2s' });
    for (let i = 0; i < 10; i++) {
      assert.equal((await two.api('PUT', '/v1/instances/a/heartbeat')).status, 200);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    assert.deepEqual(await one.addresses(NAME), ['10.0.0.1']);
    const silentSinceMs = performance.now();
    await allAnswer('it is gone', nodes, '');
    const tookMs = performance.now() - silentSinceMs;
    assert.ok(tookMs < 7_000, `gone after ${tookMs} ms`);
  });
}

// etcd-cluster.ts -- several members of etcd on loopback, and what may befall them: ends, halts, lost packets, slow disks

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import { type Direction, Link } from './link.ts';
import { isOpen } from './port-open.ts';
import { findTool, type RunningServer, run, spawnServer } from './tools.ts';

interface Scope {
  after(release: () => unknown): void;
}

const BOTH: readonly Direction[] = ['to', 'from'];
const START_TIMEOUT_MS = 60_000;
const CTL_TIMEOUT_MS = 30_000;

/** One member. */
export class EtcdMember {
  readonly name: string;
  readonly port: number;
  /** Set when the cluster is up: the member's id, in hexadecimal. */
  id = '';
  /** What the others reach it by. */
  readonly link: Link;
  readonly #scope: Scope;
  readonly #args: readonly string[];
  #process: RunningServer | undefined;

  constructor(scope: Scope, name: string, port: number, link: Link, args: readonly string[]) {
    this.name = name;
    this.port = port;
    this.link = link;
    this.#scope = scope;
    this.#args = args;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Start it, with what it has on its disk. */
  async start(): Promise<void> {
    this.#process = await spawnServer(
      { after: (release) => this.#scope.after(release as () => unknown) },
      findTool('etcd') ?? 'etcd',
      this.#args,
      { ready: () => isOpen(this.port), readyTimeoutMs: START_TIMEOUT_MS },
    );
  }

  /** Kill it as a crash would. */
  async kill(): Promise<void> {
    await this.#process?.stop('SIGKILL');
  }

  /** Halt it: it holds its connections and does nothing. */
  freeze(): void {
    this.#process?.child.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process?.child.kill('SIGCONT');
  }

  /** Every write to the disk takes this much longer, until the function that is returned is called. */
  async slowDisk(delayMs: number): Promise<() => Promise<void>> {
    const inject = `inject=fdatasync,fsync:delay_enter=${delayMs * 1000}`;
    const args = ['-f', '-qq', '-o', '/dev/null', '-e', 'trace=fdatasync,fsync', '-e', inject];
    const tracer = await spawnServer(
      { after: (release) => this.#scope.after(release as () => unknown) },
      findTool('strace') ?? 'strace',
      [...args, '-p', String(this.#process?.pid)],
      { ready: () => true },
    );
    return async () => void (await tracer.stop('SIGTERM'));
  }
}

/** The cluster; its members and folders go when the scope ends. */
export class EtcdCluster {
  readonly members: readonly EtcdMember[];
  readonly #scope: Scope;
  readonly #clientLinks = new Map<string, readonly Link[]>();

  private constructor(scope: Scope, members: readonly EtcdMember[]) {
    this.#scope = scope;
    this.members = members;
  }

  /** Start it and wait until it has a leader. Needs `requireTools(t, ETCD_TOOLS)`. */
  static async start(scope: Scope, size = 3): Promise<EtcdCluster> {
    const folder = mkdtempSync(join(tmpdir(), 'rollcall-etcd-'));
    scope.after(() => rmSync(folder, { recursive: true, force: true }));
    const seats = await Promise.all(
      Array.from({ length: size }, async (_, i) => {
        const [port, peerPort] = [await freePort(), await freePort()];
        const link = await Link.open(
          peerPort,
          (first) => /X-Server-From: (\w+)/i.exec(first.toString('latin1'))?.[1] ?? '',
        );
        scope.after(() => link.close());
        return { name: `etcd${i + 1}`, port, peerPort, link };
      }),
    );
    const initial = seats.map(({ name, link }) => `${name}=http://127.0.0.1:${link.port}`).join(',');
    const members = seats.map(({ name, port, peerPort, link }) => {
      const endpoint = `http://127.0.0.1:${port}`;
      return new EtcdMember(scope, name, port, link, [
        ...['--name', name, '--data-dir', join(folder, name), '--log-level', 'error', '--logger', 'zap'],
        ...['--listen-client-urls', endpoint, '--advertise-client-urls', endpoint],
        ...['--listen-peer-urls', `http://127.0.0.1:${peerPort}`],
        ...['--initial-advertise-peer-urls', `http://127.0.0.1:${link.port}`],
        ...['--initial-cluster', initial, '--initial-cluster-token', folder],
      ]);
    });
    const cluster = new EtcdCluster(scope, members);
    await Promise.all(members.map((each) => each.start()));
    await cluster.leader();
    // `ID, status, name, ...`; as JSON the id would be a number that is rounded.
    for (const line of (await cluster.ctl('member', 'list')).split('\n')) {
      const [id, , name] = line.split(', ');
      const member = members.find((each) => each.name === name);
      if (member !== undefined && id !== undefined) member.id = id;
    }
    return cluster;
  }

  /** Run etcdctl against all members; its output. Throws when it fails. */
  async ctl(...command: string[]): Promise<string> {
    return await ctl(this.members, command);
  }

  /** Whom a majority follows; waits until there is one. */
  async leader(timeoutMs = START_TIMEOUT_MS): Promise<EtcdMember> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const named = await Promise.all(this.members.map((each) => leaderAt(each)));
      const ids = named.filter((each) => each !== undefined);
      const leading = ids.find(({ leader, self }) => leader !== '0' && leader === self);
      const followers = ids.filter(({ leader }) => leader === leading?.self).length;
      if (leading !== undefined && followers * 2 > this.members.length) return leading.member;
      if (performance.now() > deadlineMs) throw new Error('etcd has no leader');
      await sleep(50);
    }
  }

  /** Endpoints for one client, over links of its own. */
  async endpointsFor(client: string): Promise<string[]> {
    const links = await Promise.all(this.members.map(({ port }) => Link.open(port)));
    for (const link of links) this.#scope.after(() => link.close());
    this.#clientLinks.set(client, links);
    return links.map(({ port }) => `http://127.0.0.1:${port}`);
  }

  /** Lose what a client sends (`to`), or what it is sent (`from`), or both. */
  cutClient(client: string, directions: readonly Direction[] = BOTH): void {
    for (const link of this.#clientLinks.get(client) ?? []) link.cut(directions);
  }

  /** Lose what other members send to one (`to`), or what it sends to them (`from`), or both. Clients still reach it. */
  cutMember(member: EtcdMember, directions: readonly Direction[] = BOTH): void {
    const back = directions.map((each): Direction => (each === 'to' ? 'from' : 'to'));
    for (const other of this.members) {
      if (other === member) continue;
      member.link.cut(directions, other.id);
      other.link.cut(back, member.id);
    }
  }

  /** Mend all links. */
  mend(): void {
    for (const { link } of this.members) link.mend();
    for (const links of this.#clientLinks.values()) for (const link of links) link.mend();
  }
}

async function leaderAt(member: EtcdMember): Promise<{ member: EtcdMember; self: string; leader: string } | undefined> {
  try {
    const [status] = JSON.parse(
      await ctl([member], ['endpoint', 'status', '--write-out=json', '--command-timeout=1s']),
    );
    // Numbers of 64 bits: equal ones are still equal when they are rounded.
    return { member, self: String(status.Status.header.member_id), leader: String(status.Status.leader ?? 0) };
  } catch {
    return undefined;
  }
}

async function ctl(members: readonly EtcdMember[], command: readonly string[]): Promise<string> {
  const endpoints = members.map(({ endpoint }) => endpoint).join(',');
  const options = { env: { ETCDCTL_API: '3' }, timeoutMs: CTL_TIMEOUT_MS };
  const { exitCode, stdout, stderr } = await run('etcdctl', ['--endpoints', endpoints, ...command], options);
  if (exitCode !== 0) throw new Error(`etcdctl ${command.join(' ')}: ${stderr}${stdout}`);
  return stdout;
}

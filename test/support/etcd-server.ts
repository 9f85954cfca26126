// etcd-server.ts -- a real etcd of one member, on ports and in a folder of its own

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { isOpen } from './port-open.ts';
import { findTool, type RunningServer, run, spawnServer } from './tools.ts';

/** The Debian packages of what these tests run. */
export const ETCD_TOOLS = { etcd: 'etcd-server', etcdctl: 'etcd-client' };

export interface EtcdServer {
  readonly endpoint: string;
  readonly port: number;
  /** The process, of the last start. */
  readonly process: RunningServer;
  /** Run etcdctl; its output. Throws when it fails. */
  ctl(...args: string[]): Promise<string>;
  /** Kill it as a crash would. */
  kill(): Promise<void>;
  /** Start it again with what it had on its disk. */
  restart(): Promise<void>;
}

export interface EtcdServerOptions {
  /** More arguments of etcd, such as those for TLS of clients. */
  readonly args?: readonly string[];
  readonly scheme?: 'http' | 'https';
  /** Arguments of etcdctl: certificates, a user. */
  readonly ctlArgs?: readonly string[];
}

/** Start it; ended and removed when the test ends. Needs `requireTools(t, ETCD_TOOLS)`. */
export async function startEtcd(
  t: { after(release: () => unknown): void },
  { args = [], scheme = 'http', ctlArgs = [] }: EtcdServerOptions = {},
): Promise<EtcdServer> {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-etcd-'));
  const port = await freePort();
  const peerUrl = `http://127.0.0.1:${await freePort()}`;
  const endpoint = `${scheme}://127.0.0.1:${port}`;
  const all = [
    ...['--name', 'one', '--data-dir', folder, '--log-level', 'error', '--logger', 'zap'],
    ...['--listen-client-urls', endpoint, '--advertise-client-urls', endpoint],
    ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl, '--initial-cluster', `one=${peerUrl}`],
    ...args,
  ];
  const ctl = async (...command: string[]): Promise<string> => {
    const env = { ETCDCTL_API: '3' };
    const { exitCode, stdout, stderr } = await run('etcdctl', ['--endpoints', endpoint, ...ctlArgs, ...command], {
      env,
    });
    if (exitCode !== 0) throw new Error(`etcdctl ${command.join(' ')}: ${stderr}${stdout}`);
    return stdout;
  };
  const start = async () =>
    await spawnServer({ after: (release) => t.after(release as () => unknown) }, findTool('etcd') ?? 'etcd', all, {
      ready: () => isOpen(port),
    });
  let process = await start();
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return {
    endpoint,
    port,
    get process() {
      return process;
    },
    ctl,
    kill: async () => void (await process.stop('SIGKILL')),
    restart: async () => {
      process = await start();
    },
  };
}

// tcp.ts -- the tcp check: can a connection, and with `tls` a handshake, be made?

import { formatEndpoint, parseIp } from '../base/ip.ts';
import type { ProbeResult } from '../health/check-spec.ts';
import type { Checker, ProbeTarget } from '../health/checker.ts';
import { dial, dialTls } from './dial.ts';
import { ProbeRuns } from './probe-runs.ts';
import { type ProbeOptions, Resolver } from './resolver.ts';

/** Probes `type: tcp` checks; host and port default to the instance's own. Nothing is sent but the TLS handshake. */
export class TcpChecker implements Checker {
  readonly #allowExec: boolean;
  readonly #resolver: Resolver;
  readonly #runs = new ProbeRuns();

  constructor(options: ProbeOptions) {
    this.#allowExec = options.allowExec;
    this.#resolver = new Resolver(options);
  }

  probe(target: ProbeTarget): Promise<ProbeResult> {
    const { check } = target;
    const written = check.host ?? target.address;
    const host = parseIp(written)?.text ?? written;
    const port = check.port ?? target.port;
    const label = `${check.tls === undefined ? 'TCP' : 'TLS'} connect ${formatEndpoint({ address: host, port })}`;
    return this.#runs.run(label, check.timeoutMs, async (signal) => {
      const addresses = await this.#resolver.permitted(host, port);
      const tls = check.tls === undefined ? undefined : dialTls(target, this.#allowExec);
      const socket = await dial({ host, port, addresses, tls }, signal);
      socket.destroy();
      return { outcome: 'passing', output: `${label}: success` };
    });
  }

  async close(): Promise<void> {
    this.#runs.close();
  }
}

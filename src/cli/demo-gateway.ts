// demo-gateway.ts -- `rollcall demo --gateway`: a server with a gateway, three versions of a service, a canary and deploys

import { LocatedError } from '../base/errors.ts';
import { type Endpoint, formatEndpoint } from '../base/ip.ts';
import { createClient } from '../client/client.ts';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load-config.ts';
import type { RunningServer } from '../server.ts';
import type { Shell } from './client-command.ts';
import { Fleet } from './demo-gateway-fleet.ts';
import { DemoLoad } from './demo-gateway-load.ts';
import { PLAY_STEPS, type Play, perform, raiseCurtain } from './demo-gateway-play.ts';
import { DemoShow } from './demo-gateway-show.ts';
import { summaryText } from './demo-gateway-view.ts';
import { freeOrAny } from './demo-ports.ts';
import { ApiClient } from './http-client.ts';
import { runServer } from './serve.ts';
import type { Terminal } from './terminal.ts';

export interface GatewayDemoOptions {
  readonly dns: string;
  readonly http: string;
  /** Where the gateway listens; true: 127.0.0.1:8080 when it is free. */
  readonly gateway: string | true;
  /** About how long it takes. */
  readonly seconds: number;
}

const LINES = 12;

/** Run it to its end, or until `q` or a signal. The exit code is 1 when a GET failed. */
export async function demoGateway(options: GatewayDemoOptions, shell: Shell): Promise<void> {
  const { terminal } = shell;
  const gateway = options.gateway === true ? await freeOrAny(8080, terminal) : options.gateway;
  const config = readConfig({ ...options, gateway }, terminal);
  const ending = new AbortController();
  const end = (): void => ending.abort();
  process.on('SIGTERM', end).on('SIGINT', end);
  const unbind = onQuitKey(end);
  let running: Promise<void> | undefined;
  try {
    await runServer(
      config,
      () => ({ config, problems: [] }),
      (server, stop) => {
        running = run(server.addresses, options.seconds, ending.signal, shell).finally(stop);
        // It is awaited below, when the server has stopped.
        running.catch(() => {});
      },
    );
    await running;
  } finally {
    unbind();
    process.off('SIGTERM', end).off('SIGINT', end);
  }
}

function readConfig({ dns, http, gateway }: GatewayDemoOptions, terminal: Terminal): Config {
  const { config, problems } = loadConfig({
    file: false,
    env: {
      ROLLCALL_DNS_LISTEN: JSON.stringify([dns]),
      ROLLCALL_HTTP_LISTEN: JSON.stringify([http]),
      ROLLCALL_GATEWAY_LISTEN: JSON.stringify([gateway]),
      ROLLCALL_GATEWAY_ROUTES: JSON.stringify([
        { name: 'cart', prefix: '/api/cart', strip: true, service: 'cart-service' },
      ]),
      ROLLCALL_STORE_KIND: 'memory',
      ROLLCALL_LOG_LEVEL: 'error',
    },
    cwd: terminal.cwd,
  });
  if (config === undefined) throw new LocatedError('invalid_config', problems);
  return config;
}

async function run(
  addresses: RunningServer['addresses'],
  seconds: number,
  signal: AbortSignal,
  shell: Shell,
): Promise<void> {
  const { terminal } = shell;
  const [dns, http, gateway] = [addresses.dns[0]!, addresses.http[0]!, addresses.gateway[0]!];
  const url = `http://${formatEndpoint(http)}`;
  terminal.out(introduction(dns, url, gateway));
  const api = new ApiClient({ url, token: undefined });
  const [fleet, client] = [new Fleet(url), createClient({ url })];
  let load: DemoLoad | undefined;
  const lineEveryMs = Math.max(1000, (seconds * 1000) / LINES);
  const show = new DemoShow({ terminal, api, dns, load: () => load, steps: PLAY_STEPS, lineEveryMs });
  try {
    const watch = client.watch('cart-service', (change) => show.tell(change));
    await watch.ready;
    const play: Play = {
      ...{ api, fleet, seconds, signal },
      onStage: (text) => show.stage(text),
      onStep: () => show.step(),
    };
    const first = await raiseCurtain(play);
    load = new DemoLoad(gateway);
    await perform(play, first);
  } catch (thrown) {
    // Whoever has seen enough is told what came of it so far.
    if (!signal.aborted) throw thrown;
  } finally {
    await load?.stop();
    await show.end();
    await client.close();
    await fleet.stop();
  }
  if (load === undefined) return;
  terminal.out(`\n${summaryText(load.totals, load.failures)}`);
  if (load.totals.failed > 0) shell.exitCode = 1;
}

function introduction(dns: Endpoint, url: string, gateway: Endpoint): string {
  return `rollcall demo: DNS ${formatEndpoint(dns)}, HTTP ${url}, gateway http://${formatEndpoint(gateway)}
Three versions of cart-service behind the gateway, 200 requests a second. In another terminal:
  curl -i http://${formatEndpoint(gateway)}/api/cart/items
  dig @${dns.address} -p ${dns.port} cart-service.service.local SRV
  curl ${url}/v1/services/cart-service

`;
}

/** On a terminal only. */
function onQuitKey(quit: () => void): () => void {
  const { stdin } = process;
  if (!stdin.isTTY) return () => {};
  const onKeys = (keys: Buffer): void => {
    const typed = keys.toString('latin1');
    if (typed.includes('q') || typed.includes('\u0003')) quit();
  };
  stdin.setRawMode(true).on('data', onKeys);
  return () => {
    stdin.off('data', onKeys).setRawMode(false).pause();
  };
}

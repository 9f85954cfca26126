// demo-gateway-show.ts -- keeps what the demo of the gateway shows up to date, on a terminal or line by line

import type { Endpoint } from '../base/ip.ts';
import type { ServiceChange, ServiceDocument } from '../client/service-document.ts';
import { TYPE } from '../dns/codes.ts';
import type { DemoLoad } from './demo-gateway-load.ts';
import { type DemoView, eventLine, type InstanceRow, progressLine, screenText } from './demo-gateway-view.ts';
import type { ApiClient } from './http-client.ts';
import { LiveScreen } from './live-screen.ts';
import type { Terminal } from './terminal.ts';

const DRAW_EVERY_MS = 250;
const READ_EVERY_MS = 500;
const MAX_EVENTS = 6;

export interface ShowOptions {
  readonly terminal: Terminal;
  readonly api: ApiClient;
  readonly dns: Endpoint;
  readonly load: () => DemoLoad | undefined;
  readonly steps: number;
  /** Between two lines, where there is no terminal. */
  readonly lineEveryMs: number;
}

/** Shows until it is ended. */
export class DemoShow {
  readonly #options: ShowOptions;
  readonly #screen: LiveScreen | undefined;
  readonly #startedMs = performance.now();
  readonly #timers: NodeJS.Timeout[];
  #stage = '';
  #done = 0;
  #instances: ServiceDocument['instances'] = [];
  /** Of all that ever were, by id. */
  readonly #versions = new Map<string, string>();
  #answer = 'nobody yet';
  #events: string[] = [];

  constructor(options: ShowOptions) {
    this.#options = options;
    const { terminal, lineEveryMs } = options;
    this.#screen = terminal.isTerminal ? new LiveScreen(terminal) : undefined;
    const show = this.#screen === undefined ? () => this.#printLine() : () => this.#draw();
    this.#timers = [
      setInterval(show, this.#screen === undefined ? lineEveryMs : DRAW_EVERY_MS),
      setInterval(() => void this.#read(), READ_EVERY_MS),
    ];
  }

  stage(text: string): void {
    if (text === this.#stage) return;
    this.#stage = text;
    this.#note(`== ${text}`);
  }

  step(): void {
    this.#done++;
  }

  /** A change of the service. */
  tell(change: ServiceChange): void {
    const { id, meta } = change.instance ?? {};
    if (id !== undefined) this.#versions.set(id, meta?.version ?? '?');
    const text = changeText(change);
    if (text !== undefined) this.#note(text);
  }

  /** Show the state a last time. */
  async end(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#read();
    if (this.#screen === undefined) this.#printLine();
    else this.#draw();
    this.#screen?.end();
  }

  #note(text: string): void {
    const line = eventLine(performance.now() - this.#startedMs, text);
    this.#events = [...this.#events, line].slice(-MAX_EVENTS);
    if (this.#screen === undefined) this.#options.terminal.out(`${line}\n`);
  }

  #draw(): void {
    const view = this.#view();
    if (view !== undefined) this.#screen?.draw(screenText(this.#options.terminal, view));
  }

  #printLine(): void {
    const view = this.#view();
    if (view !== undefined) this.#options.terminal.out(progressLine(view));
  }

  #view(): DemoView | undefined {
    const load = this.#options.load();
    if (load === undefined) return undefined;
    const recent = load.recent();
    const versions = new Map<string, number>();
    for (const [id, { share }] of recent) {
      const version = this.#versions.get(id) ?? '?';
      versions.set(version, (versions.get(version) ?? 0) + share);
    }
    const instances = this.#instances.map((each): InstanceRow => {
      const { id, port, status, reason, meta = {}, balancedBy } = each;
      const { share, meanMs } = recent.get(id) ?? {};
      const inFlight = balancedBy?.connections ?? undefined;
      return { id, port, status, reason, version: meta.version ?? '', share, inFlight, meanMs };
    });
    const { steps: total } = this.#options;
    return {
      elapsedMs: performance.now() - this.#startedMs,
      ...{ stage: this.#stage, done: this.#done, total, instances, versions },
      ...{ totals: load.totals, answer: this.#answer, events: this.#events },
    };
  }

  /** What cannot be read now, since the server stops, stays as it was. */
  async #read(): Promise<void> {
    const { api, dns } = this.#options;
    try {
      const { body } = await api.call('/v1/services/cart-service');
      this.#instances = (body as ServiceDocument).instances;
      const { askDns } = await import('./dns-exchange.ts');
      const question = { name: 'cart-service.service.local', type: TYPE.SRV, server: dns, timeoutMs: READ_EVERY_MS };
      const { answers } = await askDns(question);
      // `0 1 43211 127-0-0-1.addr.service.local.`
      const ports = answers.map(({ data }) => data.split(' ')[2] ?? '').sort();
      this.#answer = ports.length === 0 ? 'no records' : `ports ${ports.join(' ')}`;
    } catch {}
  }
}

/** Undefined: not worth a line. */
function changeText({ kind, instance, rollout, by }: ServiceChange): string | undefined {
  if (rollout !== undefined) return `canary ${rollout.state}, step ${rollout.step}: ${rollout.percent} %`;
  if (instance === undefined) return undefined;
  const { id, meta, port, status, reason } = instance;
  if (kind === 'register') return `${id} registers: ${meta?.version ?? 'no version'}, port ${port}`;
  if (kind === 'health') return `${id} is ${status}${reason === status ? '' : `: ${reason}`}`;
  if (kind === 'deregister') return `${id} is gone${by?.kind === 'lease' ? ': its lease ran out' : ''}`;
  return undefined;
}

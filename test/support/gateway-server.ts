// gateway-server.ts -- the built server with a gateway in front of one service

import { readdirSync } from 'node:fs';
import { type Address, type BuiltServer, startBuiltServer } from './built-server.ts';
import { freePort } from './free-port.ts';
import { GatewayInstance } from './gateway-instance.ts';
import { serverPrefix } from './siege-server.ts';

/** What the gateway passes everything on to. */
export const SERVICE = 'cart-service';

interface Scope {
  after(cleanup: () => unknown): void;
}

export interface GatewayServer {
  readonly server: BuiltServer;
  readonly gateway: Address;
}

/** `route` is added to the only route there is. */
export async function startGatewayServer(
  scope: Scope,
  route: Readonly<Record<string, unknown>> = {},
): Promise<GatewayServer> {
  const port = await freePort();
  const server = await startBuiltServer(scope, {
    config: {
      store: { kind: 'memory' },
      log: { level: 'warn' },
      gateway: { listen: [`127.0.0.1:${port}`], routes: [{ name: 'all', service: SERVICE, ...route }] },
    },
    prefix: serverPrefix(),
  });
  return { server, gateway: { address: '127.0.0.1', port } };
}

/** Start so many instances and register them without checks. */
export async function startInstances(
  scope: Scope,
  server: BuiltServer,
  delaysMs: readonly number[],
): Promise<GatewayInstance[]> {
  return await Promise.all(
    delaysMs.map(async (delayMs, at) => {
      const instance = await GatewayInstance.start(scope, `cart-${at}`, delayMs);
      await server.register(SERVICE, instance.id, instance.registration());
      return instance;
    }),
  );
}

/** Descriptors that a process has open. */
export function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

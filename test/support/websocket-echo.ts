// websocket-echo.ts -- messages to a WebSocket behind the gateway and back

import { WebSocket } from 'undici';
import { startGatewayServer, startInstances } from './gateway-server.ts';

export interface EchoResult {
  readonly messages: number;
  /** Came back as they were, in the order in which they were sent. */
  readonly right: number;
  readonly closedInOrder: boolean;
  readonly seconds: number;
}

/** How many are on their way at once. */
const AHEAD = 64;
/** Message n has n modulo this many octets more than its number: some frames have a long length. */
const LENGTHS = 1000;

export async function echoMessages(
  scope: { after(cleanup: () => unknown): void },
  messages: number,
): Promise<EchoResult> {
  const { server, gateway } = await startGatewayServer(scope);
  await startInstances(scope, server, [0]);
  const socket = new WebSocket(`ws://${gateway.address}:${gateway.port}/echo`);
  scope.after(() => socket.close());
  const startMs = performance.now();
  let [sent, came, right] = [0, 0, 0];
  const closed = await new Promise<{ readonly code: number }>((resolve) => {
    const sendMore = (): void => {
      while (sent < messages && sent - came < AHEAD) socket.send(messageOf(sent++));
    };
    socket.addEventListener('open', sendMore);
    socket.addEventListener('message', ({ data }) => {
      if (data === messageOf(came++)) right++;
      if (came === messages) socket.close(1000);
      else sendMore();
    });
    socket.addEventListener('close', resolve);
  });
  return { messages, right, closedInOrder: closed.code === 1000, seconds: (performance.now() - startMs) / 1000 };
}

function messageOf(number: number): string {
  return `${number} ${'é'.repeat((number % LENGTHS) >> 1)}`;
}

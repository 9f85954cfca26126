// gateway-websocket.ts -- ten thousand messages through an upgraded connection and back

import { echoMessages } from '../support/websocket-echo.ts';
import type { OrdealRow, Scope } from './ordeal-result.ts';

const MESSAGES = 10_000;

export async function gatewayWebsocket(scope: Scope): Promise<OrdealRow[]> {
  const { right, messages, closedInOrder, seconds } = await echoMessages(scope, MESSAGES);
  return [
    {
      what: `WebSocket messages that came back as they were, in ${seconds.toFixed(1)} s`,
      measured: `${right}${closedInOrder ? '' : ', not closed in order'}`,
      promised: String(messages),
      isKept: right === messages && closedInOrder,
    },
  ];
}

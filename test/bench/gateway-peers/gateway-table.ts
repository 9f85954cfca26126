// gateway-table.ts -- every gateway that can be measured

import type { GatewayContestant } from '../gateway-contestant.ts';
import { HAPROXY } from './haproxy.ts';
import { BARE_LOOP, FASTIFY_HTTP_PROXY, HTTP_PROXY_3, HTTPXY } from './node-proxies.ts';
import { ROLLCALL_GATEWAY } from './rollcall-gateway.ts';

export const GATEWAYS: readonly GatewayContestant[] = [
  ROLLCALL_GATEWAY,
  HAPROXY,
  BARE_LOOP,
  HTTP_PROXY_3,
  FASTIFY_HTTP_PROXY,
  HTTPXY,
];

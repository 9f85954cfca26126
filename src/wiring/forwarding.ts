// forwarding.ts -- from the configuration to the forwarder's settings, and what of them every answering thread knows

import type { DnsConfig } from '../config/config.ts';
import type { ForwardRules } from '../nameserver/outside-names.ts';
import type { ForwarderSettings } from '../net/forwarder.ts';

/** What a reload exchanges. */
export function forwarderSettings({ forward, maxUdpSize }: DnsConfig): ForwarderSettings {
  const { to, timeoutMs, cacheSize, staleMs, stripPrivate, authorities } = forward;
  return { to, timeoutMs, cacheSize, staleMs, stripPrivate, maxUdpSize, authorities };
}

/** Undefined: nothing is forwarded. */
export function forwardRules({ forward: { to, allow, passSpecial } }: DnsConfig): ForwardRules | undefined {
  return to.length === 0 ? undefined : { allow, passSpecial };
}

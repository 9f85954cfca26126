// peer-table.ts -- every server that can be measured, in the order of the rounds

import type { Contestant } from '../contestant.ts';
import { BIND } from './bind.ts';
import { DGRAM_ECHO } from './dgram-echo.ts';
import { DNS2 } from './dns2.ts';
import { DNSMASQ } from './dnsmasq.ts';
import { GDNSD } from './gdnsd.ts';
import { KNOT } from './knot.ts';
import { NSD } from './nsd.ts';
import { POWERDNS } from './powerdns.ts';
import { ROLLCALL_DGRAM, ROLLCALL_SHARDS } from './rollcall.ts';

/** Adding a server: one file here, one row below. */
export const CONTESTANTS: readonly Contestant[] = [
  ROLLCALL_SHARDS,
  GDNSD,
  KNOT,
  NSD,
  POWERDNS,
  BIND,
  DNSMASQ,
  DGRAM_ECHO,
  ROLLCALL_DGRAM,
  DNS2,
];

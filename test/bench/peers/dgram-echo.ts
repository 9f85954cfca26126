// dgram-echo.ts -- the least that a server on node:dgram can cost: it sends back what it gets

import { fileURLToPath } from 'node:url';
import type { Contestant } from '../contestant.ts';

const SCRIPT = fileURLToPath(new URL('./dgram-echo-server.mjs', import.meta.url));

export const DGRAM_ECHO: Contestant = {
  name: 'dgram-echo',
  title: 'bare node:dgram echo',
  isFloor: true,
  prepare({ port }) {
    return { command: process.execPath, args: [SCRIPT, String(port)] };
  },
};

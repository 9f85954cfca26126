// instance-load.ts -- what is known of an instance from the requests that the gateway sent to it

import { LiveLoad } from '../routing/live-load.ts';

export class InstanceLoad extends LiveLoad {
  /** Attempts, and those of them that failed: no reply, or a 5xx. Only grow. */
  requests = 0;
  errors = 0;
}

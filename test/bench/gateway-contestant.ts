// gateway-contestant.ts -- what the bench must know of a gateway in order to start it and to name it

/** Where one gateway of a run is to live. */
export interface GatewaySetting {
  /** An empty folder of its own, removed after the run. */
  readonly folder: string;
  /** A port of 127.0.0.1 that was free a moment ago. */
  readonly port: number;
  /** Ports of 127.0.0.1 where the same upstream listens: for those that choose among several, as instances. */
  readonly upstreams: readonly number[];
}

/** How to start a gateway in the foreground. */
export interface GatewayLaunch {
  readonly command: string;
  readonly args: readonly string[];
}

/** A gateway that can be measured. One file each in gateway-peers/, one row each in gateway-peers/gateway-table.ts. */
export interface GatewayContestant {
  /** As in `--only`. */
  readonly name: string;
  /** As in the table. */
  readonly title: string;
  /** `reference`: HAProxy; `rival`: what Rollcall is to outdo; `floor`: no gateway, only what one is made of. */
  readonly role: 'own' | 'reference' | 'rival' | 'floor';
  /** The program on the path, and the Debian package that brings it. */
  readonly program?: { readonly name: string; readonly packages: string };
  /** Tells the version. */
  readonly version: () => Promise<string>;
  /** Write what the gateway needs into the folder, and say how to start it: one process, one thread where it can. */
  prepare(setting: GatewaySetting): GatewayLaunch;
}

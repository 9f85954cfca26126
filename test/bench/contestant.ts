// contestant.ts -- what the bench must know of a server in order to start it and to name it

import type { ZoneContent } from './zone-content.ts';

/** Where one server of a run is to live. */
export interface Setting {
  /** An empty folder of its own, removed after the run. */
  readonly folder: string;
  /** A port of 127.0.0.1 that was free for UDP and TCP a moment ago. */
  readonly port: number;
  readonly content: ZoneContent;
}

/** How to start a server in the foreground. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  /** Content that is not in the configuration is brought by this, once the server answers at all. */
  readonly load?: (progress: (share: number) => void) => Promise<void>;
  /** Throws when the server runs in another way than the one to be measured. */
  readonly confirm?: () => Promise<void>;
}

/** A server that can be measured. One file each in peers/, one row each in peers/peer-table.ts. */
export interface Contestant {
  /** As in `--only`. */
  readonly name: string;
  /** As in the table. */
  readonly title: string;
  /** The program on the path, and the Debian packages that bring it; without, it comes with the project. */
  readonly program?: { readonly name: string; readonly packages: string };
  /** Arguments that make the program print its version. */
  readonly versionArgs?: readonly string[];
  /** It answers what it is asked by sending it back: nothing to compare, and no part in the comparison. */
  readonly isFloor?: boolean;
  /** It sends no addresses along with SRV records, as the others do: a shorter answer, for less work. */
  readonly sendsNoGlue?: boolean;
  /** How its answers differ from the others' in length; said below the table. */
  readonly note?: string;
  /** Write what the server needs into the folder, and say how to start it: one worker, one thread where it can. */
  prepare(setting: Setting): Launch;
}

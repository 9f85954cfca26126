// author.ts -- who made a change: a caller of the API, or a part of the server that acts on its own

/** Said along with every command, for the history and the watchers. */
export interface Author {
  /**
   * `token` and `local` (a server without tokens) call the API; `check`, `lease`, `config`, `schedule`, `steps` and
   * `gateway` are the server's own doing.
   */
  readonly kind: 'token' | 'local' | 'check' | 'lease' | 'config' | 'schedule' | 'steps' | 'gateway';
  /** Of the token, the check or the schedule. */
  readonly id?: string;
  /** Canonical address of the peer that called. */
  readonly address?: string;
}

/** A lease ran out. */
export const LEASE: Author = { kind: 'lease' };
/** The configuration was read. */
export const CONFIG: Author = { kind: 'config' };

/** The steps of a policy went on, or were taken back. */
export const STEPS: Author = { kind: 'steps' };

/** The gateway took an instance out, or let it back in. */
export const GATEWAY: Author = { kind: 'gateway' };

/** The check with this id. */
export function checkAuthor(id: string): Author {
  return { kind: 'check', id };
}

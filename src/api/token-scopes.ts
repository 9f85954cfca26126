// token-scopes.ts -- what a token may do: `services:read:<glob>`, `services:write:<glob>`, `policies:write:<glob>`, `operator`

/** What a call does to a service. */
export type Action = 'read' | 'write' | 'read-policy' | 'write-policy';

const SCOPE = /^(services:read|services:write|policies:write):([a-z0-9_*-]{1,64})$/i;

/** Which kinds of scope permit an action: who may write may read, and a policy is read along with its service. */
const GRANTED_BY: Readonly<Record<Action, readonly string[]>> = {
  read: ['services:read', 'services:write'],
  write: ['services:write'],
  'read-policy': ['services:read', 'services:write', 'policies:write'],
  'write-policy': ['policies:write'],
};

/** What is wrong with a scope; undefined when it is fine. */
export function scopeProblem(scope: string): string | undefined {
  if (scope === 'operator' || SCOPE.test(scope)) return undefined;
  return `'${scope}' is not a scope: services:read:<glob>, services:write:<glob>, policies:write:<glob> or operator`;
}

/** The scopes of one token, ready to be asked. Scopes that `scopeProblem` objects to grant nothing. */
export class TokenScopes {
  readonly isOperator: boolean;
  readonly #globs = new Map<string, string[]>();

  constructor(scopes: readonly string[]) {
    this.isOperator = scopes.includes('operator');
    for (const scope of scopes) {
      const [, kind, glob] = SCOPE.exec(scope) ?? [];
      if (kind === undefined || glob === undefined) continue;
      const key = kind.toLowerCase();
      this.#globs.set(key, [...(this.#globs.get(key) ?? []), glob.toLowerCase()]);
    }
  }

  /** May it act on this service? The name must be in lower case already. */
  allows(action: Action, service: string): boolean {
    return this.isOperator || this.#globsFor(action).some((glob) => globMatches(glob, service));
  }

  /** May it act on every service there is or will be? */
  allowsAll(action: Action): boolean {
    return this.isOperator || this.#globsFor(action).includes('*');
  }

  /**
   * May it be told that no instance has this id? Default ids begin with the service's name, so an id is judged by how
   * it begins; else whoever is told would learn which ids other services use.
   */
  allowsUnknownId(action: Action, id: string): boolean {
    if (this.allowsAll(action)) return true;
    return this.#globsFor(action).some(
      (glob) => globMatches(glob, id.toLowerCase()) || globMatches(`${glob}-*`, id.toLowerCase()),
    );
  }

  #globsFor(action: Action): string[] {
    return GRANTED_BY[action].flatMap((kind) => this.#globs.get(kind) ?? []);
  }
}

/** Does the text match a pattern in which `*` stands for any run of characters? Time: pattern times text at worst. */
export function globMatches(glob: string, text: string): boolean {
  let at = 0;
  let inGlob = 0;
  let star = -1;
  let resumeAt = 0;
  while (at < text.length) {
    if (glob[inGlob] === '*') {
      star = inGlob++;
      resumeAt = at;
    } else if (glob[inGlob] === text[at]) {
      inGlob++;
      at++;
    } else if (star >= 0) {
      // Let the last star take one character more, and try again behind it.
      inGlob = star + 1;
      at = ++resumeAt;
    } else return false;
  }
  while (glob[inGlob] === '*') inGlob++;
  return inGlob === glob.length;
}

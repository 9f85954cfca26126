// registry-snapshot.ts -- everything registered at one moment, to make names of while the registry goes on

import { isPause } from '../base/pauses.ts';
import type { AnsweringService, Member } from '../registry/member.ts';
import { Cursors, createCursorMemory } from './cursors.ts';
import { NameIndex } from './name-index.ts';
import type { RegistryNames } from './registry-names.ts';

/** Places for rotations: nothing of a snapshot is drawn, but whoever makes sets takes some. */
const CURSOR_PLACES = 1024;

/** A service at that moment. Members are never changed, only replaced; they are put in order when first looked at. */
class FrozenService implements AnsweringService {
  readonly name: string;
  readonly policy: AnsweringService['policy'];
  readonly rollout: AnsweringService['rollout'];
  readonly #members: readonly Member[];
  #instances: Map<string, Member> | undefined;

  constructor({ name, policy, rollout, instances }: AnsweringService) {
    this.name = name;
    this.policy = policy;
    this.rollout = rollout;
    this.#members = [...instances.values()];
  }

  get instances(): ReadonlyMap<string, Member> {
    this.#instances ??= new Map(this.#members.map((member) => [member.instance.id, member]));
    return this.#instances;
  }
}

export class RegistrySnapshot implements RegistryNames {
  readonly index = new NameIndex();
  readonly cursors = new Cursors(createCursorMemory(CURSOR_PLACES), 'snapshot ');
  readonly #services = new Map<string, FrozenService>();

  /** Takes hold of everything at once; the rest is for `prepared`. */
  constructor(services: Iterable<AnsweringService>) {
    for (const service of services) this.#services.set(service.name, new FrozenService(service));
  }

  /** Work out which names there are, with pauses, before any is looked up. */
  *prepare(): Generator<void, void> {
    let done = 0;
    for (const { instances } of this.#services.values()) {
      for (const member of instances.values()) {
        if (isPause(done++)) yield;
        this.index.put(member, undefined);
      }
    }
  }

  service(name: string): AnsweringService | undefined {
    return this.#services.get(name);
  }

  serviceCount(): number {
    return this.#services.size;
  }

  services(): Iterable<AnsweringService> {
    return this.#services.values();
  }
}

// service-source.ts -- where the gateway finds services: the registry of the server, or a client's live view of one

import type { AnsweringService } from '../registry/member.ts';

export interface ServiceSource {
  /** As it is now; undefined when it is not known. */
  service(name: string): AnsweringService | undefined;
  /** Hear of every service of which something changed, instances, statuses, readings or policy; returns the way to stop. */
  onChange(listener: (service: string) => void): () => void;
}

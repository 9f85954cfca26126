// foresight.ts -- explaining answers, from the View and the registry as they are

import type { Foresight } from '../api/api-parts.ts';
import { explain } from '../nameserver/explain.ts';
import type { View } from '../nameserver/view.ts';
import type { Registry } from '../registry/registry.ts';

/** What the API asks when somebody wants to know why, or what if. */
export function foresightOf(view: () => View, registry: Registry): Foresight {
  return { explain: (question) => explain(question, view(), (name) => registry.service(name)) };
}

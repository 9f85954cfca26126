// gone-instances.ts -- notices which instances of some services are gone, or are at another place now

import type { ServiceSource } from './service-source.ts';

/**
 * Call `onGone` with the id of each; returns the way to stop. What a source hands out may be changed in place, so
 * the places are kept here.
 */
export function watchGone(source: ServiceSource, services: Iterable<string>, onGone: (id: string) => void): () => void {
  const known = new Map<string, Map<string, string>>();
  for (const name of services) known.set(name, placesOf(source, name));
  return source.onChange((name) => {
    const before = known.get(name);
    if (before === undefined) return;
    const places = placesOf(source, name);
    known.set(name, places);
    for (const [id, place] of before) if (places.get(id) !== place) onGone(id);
  });
}

function placesOf(source: ServiceSource, name: string): Map<string, string> {
  const places = new Map<string, string>();
  for (const [id, { instance }] of source.service(name)?.instances ?? []) {
    places.set(id, `${instance.address} ${instance.port}`);
  }
  return places;
}

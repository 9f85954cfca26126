// event-loop-turn.ts -- waits until the event loop has looked at every socket once

/** Resolves when whatever had arrived at a socket by now, and is read without a pause, has been handed out. */
export function eventLoopTurn(): Promise<void> {
  // The first comes at the end of the turn under way, which may have looked before.
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}

// signal-drains.ts -- what is to be done before the process ends, when a signal asks it to end
//
// One listener for each signal, however many clients and registrations there are. Whoever has listeners of its own for the
// signal decides itself when the process ends; where nobody has, it ends here when all is done, as it would have without.

/** Resolves when it is done; must not reject. */
type Task = () => Promise<void>;

interface Listening {
  readonly tasks: Set<Task>;
  readonly listener: () => void;
}

const LISTENING = new Map<NodeJS.Signals, Listening>();

/** Do this when the signal comes. Returns the way to take it back. */
export function onSignal(signal: NodeJS.Signals, task: Task): () => void {
  let listening = LISTENING.get(signal);
  if (listening === undefined) {
    listening = { tasks: new Set(), listener: () => void leave(signal) };
    LISTENING.set(signal, listening);
    process.on(signal, listening.listener);
  }
  const { tasks, listener } = listening;
  tasks.add(task);
  return () => {
    if (!tasks.delete(task) || tasks.size > 0 || LISTENING.get(signal)?.tasks !== tasks) return;
    LISTENING.delete(signal);
    process.off(signal, listener);
  };
}

async function leave(signal: NodeJS.Signals): Promise<void> {
  const listening = LISTENING.get(signal);
  if (listening === undefined) return;
  // The next such signal ends the process at once, as it would without us.
  LISTENING.delete(signal);
  process.off(signal, listening.listener);
  const isOurs = process.listenerCount(signal) === 0;
  await Promise.all([...listening.tasks].map((task) => task()));
  if (isOurs && process.listenerCount(signal) === 0) process.exit(0);
}

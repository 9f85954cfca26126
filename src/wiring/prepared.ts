// prepared.ts -- what a reload has opened and built beside what is in force

import { CodedError, errorMessage } from '../base/errors.ts';

/** Either of the two is called, once. */
export interface Prepared {
  /** Put it in force, at once; resolves when what it replaces is closed. */
  take(): Promise<void>;
  /** Close what was opened. */
  abandon(): Promise<void>;
}

/**
 * All of these as one. When one is rejected the others are abandoned, and it rejects with that error, or with a
 * CodedError that has the words of all.
 */
export async function prepareAll(
  preparations: readonly (Promise<{ take(): unknown; abandon(): Promise<void> }> | undefined)[],
): Promise<Prepared> {
  const settled = await Promise.allSettled(preparations.filter((each) => each !== undefined));
  const prepared = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const errors = settled.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
  const abandon = async (): Promise<void> => {
    await Promise.all(prepared.map((each) => each.abandon()));
  };
  if (errors.length === 0) {
    return {
      take: async () => {
        await Promise.all(prepared.map((each) => each.take()));
      },
      abandon,
    };
  }
  await abandon();
  if (errors.length === 1) throw errors[0];
  throw new CodedError('listen_failed', errors.map(errorMessage).join('; '));
}

// kill.ts -- killed with SIGKILL 300 times while eight writers are at work: what was acknowledged is there

import { killRounds } from '../support/kill-rounds.ts';
import { type OrdealRow, showProgress } from './ordeal-result.ts';

const ROUNDS = 300;

export async function kill(scope: { after(cleanup: () => unknown): void }): Promise<OrdealRow[]> {
  const result = await killRounds(scope, ROUNDS, (round) => showProgress('kill', round, ROUNDS));
  const rows = [
    [`acknowledged writes lost, of ${result.acknowledged} in ${ROUNDS} rounds`, result.lost],
    ['phantoms: states that were refused or never asked for', result.phantoms],
    ['answers over DNS that are not what is registered', result.wrongAnswers],
  ] as const;
  return rows.map(([what, found]) => {
    for (const line of found) console.error(line);
    return { what, measured: String(found.length), promised: '0', isKept: found.length === 0 };
  });
}

// damage.ts -- a data file cut at 100 places of its last 8 KiB and with 200 bits flipped: refused or whole, and repaired

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkRepair, isRefused, layOut, makeDamageFixture, seeded } from '../support/store-damage.ts';
import { type Ordeal, type OrdealRow, showProgress } from './ordeal-result.ts';

const RECORDS = 5000;
const CUTS = 100;
const FLIPS = 200;
const CUT_OCTETS = 8192;

/** Every refusal is followed by a repair. A breach of what is promised is an AssertionError that says where. */
export const damage: Ordeal = async (scope) => {
  const scratch = mkdtempSync(join(tmpdir(), 'rollcall-ordeal-damage-'));
  scope.after(() => rmSync(scratch, { recursive: true, force: true }));
  const fixture = await makeDamageFixture(join(scratch, 'sound'), RECORDS);
  const { data } = fixture;
  const random = seeded(Date.now());
  const trials: { readonly what: string; readonly data: Buffer }[] = [];
  for (let i = 0; i < CUTS; i++) {
    const length = data.length - 1 - Math.floor((i / CUTS) * CUT_OCTETS);
    trials.push({ what: `cut to ${length} octets`, data: data.subarray(0, length) });
  }
  for (let i = 0; i < FLIPS; i++) {
    const flipped = Buffer.from(data);
    const [at, bit] = [Math.floor(random() * data.length), Math.floor(random() * 8)];
    flipped[at]! ^= 1 << bit;
    trials.push({ what: `bit ${bit} of octet ${at} flipped`, data: flipped });
  }
  let refused = 0;
  for (const [i, trial] of trials.entries()) {
    const folder = join(scratch, 'damaged');
    layOut(folder, trial.data, fixture);
    if (await isRefused(folder, fixture, trial.what)) {
      refused += 1;
      await checkRepair(folder, fixture, trial.what);
    }
    showProgress('damaging', i + 1, trials.length);
  }
  const row: OrdealRow = {
    what: `${CUTS} cuts and ${FLIPS} flipped bits in a store of ${RECORDS} records`,
    measured: `${refused} refused and repaired, ${trials.length - refused} served whole`,
    promised: 'refused with a place, or whole; a repair brings all of the last snapshot back',
    isKept: true,
  };
  return [row];
};

// damage.test.ts -- lmdb stores whose file was cut or altered: refused, or whole; and what a repair brings back
//
// The ordeal `damage` repairs each of these; here it is every so many.

import assert from 'node:assert/strict';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import { openLmdbStore } from '../../src/stores/lmdb.ts';
import { repairStore } from '../../src/stores/repair.ts';
import {
  checkRepair,
  type DamageFixture,
  isRefused,
  layOut,
  makeDamageFixture,
  seeded,
} from '../support/store-damage.ts';

const CUTS = 100;
const FLIPS = 200;
const REPAIRED_OF_EACH = 2;
const HEADER_OCTETS = 168;

const scratch = mkdtempSync(join(tmpdir(), 'rollcall-damage-'));
const folder = join(scratch, 'damaged');
let fixture: DamageFixture;
before(async () => {
  fixture = await makeDamageFixture(join(scratch, 'sound'), 1000);
});
after(() => rmSync(scratch, { recursive: true, force: true }));

describe('a damaged data file', () => {
  it('cut anywhere in its last 8 KiB is refused or whole', async () => {
    const { data } = fixture;
    let repairs = 0;
    for (let i = 0; i < CUTS; i++) {
      const length = data.length - 1 - Math.floor((i / CUTS) * 8192);
      layOut(folder, data.subarray(0, length), fixture);
      const what = `cut to ${length} of ${data.length}`;
      if ((await isRefused(folder, fixture, what)) && repairs++ < REPAIRED_OF_EACH) {
        await checkRepair(folder, fixture, what);
      }
    }
  });

  it('with a bit flipped anywhere is refused or whole', async () => {
    const random = seeded(3);
    let refused = 0;
    for (let i = 0; i < FLIPS; i++) {
      const data = Buffer.from(fixture.data);
      const at = Math.floor(random() * data.length);
      data[at]! ^= 1 << Math.floor(random() * 8);
      layOut(folder, data, fixture);
      const what = `a bit of octet ${at} flipped`;
      if ((await isRefused(folder, fixture, what)) && refused++ % 40 === 0) await checkRepair(folder, fixture, what);
    }
    assert.ok(refused > FLIPS / 10, `${refused} refused`);
  });

  it('with any bit flipped in its header pages is refused or whole', async () => {
    const small = await makeDamageFixture(join(scratch, 'small'), 100);
    for (const page of [0, 1]) {
      for (let bit = 0; bit < HEADER_OCTETS * 8; bit++) {
        const data = Buffer.from(small.data);
        const octet = page * 4096 + (bit >> 3);
        data[octet]! ^= 1 << (bit & 7);
        layOut(folder, data, small);
        await isRefused(folder, small, `bit ${bit & 7} of octet ${octet} flipped`);
      }
    }
  });

  it('with a whole page lost is refused, and repaired', async () => {
    for (const page of [0, 1, 30]) {
      const data = Buffer.from(fixture.data);
      data.fill(0xff, page * 4096, (page + 1) * 4096);
      layOut(folder, data, fixture);
      if (await isRefused(folder, fixture, `page ${page} lost`))
        await checkRepair(folder, fixture, `page ${page} lost`);
      else assert.ok(page > 1, 'a header page is missed');
    }
  });
});

describe('a refusal', () => {
  it('tells where and what to do; the folder is free again', async () => {
    const data = Buffer.from(fixture.data);
    data.fill(0, 4096 * 10, 4096 * 60);
    layOut(folder, data, fixture);
    const message = /is damaged: page \d+, at octet \d+ of data\.mdb, .*`rollcall serve --repair` rebuilds it/;
    await assert.rejects(openLmdbStore({ path: folder, log: silentLogger }), { code: 'store_corrupt', message });
    assert.equal(lstatSync(join(folder, 'owner.lock'), { throwIfNoEntry: false }), undefined);
  });

  it('comes when the data file is gone and a snapshot is not', async () => {
    layOut(folder, fixture.data, fixture);
    rmSync(join(folder, 'data.mdb'));
    const message = /data\.mdb is missing or empty, while snapshot\.ndjson is there/;
    await assert.rejects(openLmdbStore({ path: folder, log: silentLogger }), { code: 'store_corrupt', message });
    const { records, keptAs } = await repairStore(folder, new Date(0));
    assert.deepEqual([records, keptAs], [fixture.then.size, undefined]);
    await (await openLmdbStore({ path: folder, log: silentLogger })).close();
  });
});

describe('a repair', () => {
  it('leaves a store in order alone', async () => {
    layOut(folder, fixture.data, fixture);
    const { wasDamaged, records } = await repairStore(folder, new Date(0));
    assert.deepEqual([wasDamaged, records], [false, fixture.now.size]);
    assert.deepEqual(readFileSync(join(folder, 'data.mdb')), fixture.data);
  });

  it('brings back changes made after the snapshot too, keeps the damaged file, and works without a snapshot', async () => {
    const data = Buffer.from(fixture.data);
    // Wherever it lies: the places that are no longer in use do not matter.
    for (let at = data.indexOf('"n":777,'); at >= 0; at = data.indexOf('"n":777,', at + 1)) data.write('"n":778,', at);
    layOut(folder, data, fixture);
    assert.equal(await isRefused(folder, fixture, 'a record altered'), true);
    rmSync(join(folder, 'snapshot.ndjson'));
    const report = await repairStore(folder, new Date(0));
    assert.equal(report.records, fixture.now.size - 1);
    const kept = readdirSync(folder).filter((name) => name.startsWith('data.mdb.damaged'));
    assert.deepEqual(kept, ['data.mdb.damaged-1970-01-01T00-00-00.000Z']);
    assert.deepEqual(readFileSync(join(folder, kept[0]!)), data);
  });

  it('uses the readable lines of a damaged snapshot, and says so when there is nothing at all', async () => {
    const lines = fixture.snapshot.toString('utf8').split('\n');
    lines[5] = lines[5]!.replace('"n":', '"m":');
    const nothing = Buffer.alloc(fixture.data.length, 0xee);
    layOut(folder, nothing, fixture);
    writeFileSync(join(folder, 'snapshot.ndjson'), lines.join('\n'));
    const report = await repairStore(folder, new Date(0));
    assert.equal(report.records, fixture.then.size - 1);
    assert.equal(report.snapshot?.isWhole, false);
    layOut(folder, nothing, fixture);
    rmSync(join(folder, 'snapshot.ndjson'));
    await assert.rejects(repairStore(folder, new Date(0)), { code: 'store_corrupt', message: /nothing can be read/ });
    assert.deepEqual(readFileSync(join(folder, 'data.mdb')), nothing);
  });
});

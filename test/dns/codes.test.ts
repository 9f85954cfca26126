// codes.test.ts -- mnemonics and numbers

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as codes from '../../src/dns/codes.ts';

describe('types and classes', () => {
  const rows: readonly [parse: (text: string) => number | undefined, text: string, code: number | undefined][] = [
    [codes.parseType, 'A', 1],
    [codes.parseType, 'aaaa', 28],
    [codes.parseType, 'TYPE1', 1],
    [codes.parseType, 'type65535', 65535],
    [codes.parseType, 'TYPE0', 0],
    [codes.parseType, 'TYPE65536', undefined],
    [codes.parseType, 'TYPE', undefined],
    [codes.parseType, 'TYPE1x', undefined],
    [codes.parseType, 'TYPE-1', undefined],
    [codes.parseType, '1', undefined],
    [codes.parseType, '', undefined],
    [codes.parseType, 'constructor', undefined],
    [codes.parseType, '__proto__', undefined],
    [codes.parseClass, 'in', 1],
    [codes.parseClass, 'CLASS32', 32],
    [codes.parseClass, 'TYPE1', undefined],
    [codes.parseClass, 'toString', undefined],
    [codes.parseRcode, 'NXDomain', 3],
    [codes.parseRcode, 'RCODE4095', 4095],
    [codes.parseRcode, 'nonsense', undefined],
  ];
  for (const [parse, text, code] of rows) {
    it(`${parse.name} '${text}'`, () => assert.equal(parse(text), code));
  }

  it('every mnemonic reads back', () => {
    for (const [name, code] of Object.entries(codes.TYPE)) {
      assert.deepEqual([codes.formatType(code), codes.parseType(name)], [name, code]);
    }
    for (const [name, code] of Object.entries(codes.CLASS)) {
      assert.deepEqual([codes.formatClass(code), codes.parseClass(name)], [name, code]);
    }
    for (const [name, code] of Object.entries(codes.RCODE)) {
      assert.deepEqual([codes.formatRcode(code), codes.parseRcode(name)], [name, code]);
    }
    for (const [name, code] of Object.entries(codes.OPCODE)) assert.equal(codes.formatOpcode(code), name);
  });

  it('a code without a mnemonic is written as a number', () => {
    assert.deepEqual(
      [codes.formatType(731), codes.formatClass(32), codes.formatRcode(11), codes.formatOpcode(15)],
      ['TYPE731', 'CLASS32', 'RCODE11', 'OPCODE15'],
    );
  });
});

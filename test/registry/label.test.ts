// label.test.ts -- which words may become labels, ids and host names

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  checkIdProblem,
  idProblem,
  isHostName,
  isTreacherousKey,
  normalService,
  portNameProblem,
  serviceProblem,
  tagProblem,
} from '../../src/registry/label.ts';
import { refusal } from '../support/registrations.ts';

const LABELS = ['a', '7', 'cart-service', 'a_b', 'A-B', 'x--y', '10-0-0-7', `a${'b'.repeat(61)}c`];
const NO_LABELS: readonly [name: string, text: string][] = [
  ['empty', ''],
  ['64 characters', 'a'.repeat(64)],
  ['a hyphen first', '-a'],
  ['a hyphen last', 'a-'],
  ['an underscore first', '_a'],
  ['an underscore last', 'a_'],
  ['a dot', 'a.b'],
  ['a space', 'a b'],
  ['a line feed last', 'a\n'],
  ['a zero octet', 'a\0b'],
  ['an umlaut', 'käse'],
  ['the Kelvin sign, which is a k without case', '\u212a8s'],
  ['the dotless i', 'ı'],
  ['the long s', 'ſ'],
  ['full-width letters', 'ａ'],
  ['__proto__', '__proto__'],
];

describe('services and tags', () => {
  for (const text of LABELS) {
    it(`may be ${text}`, () => {
      assert.equal(serviceProblem(text), undefined);
      assert.equal(tagProblem(text), undefined);
    });
  }
  for (const [name, text] of NO_LABELS) {
    it(`may not hold ${name}`, () => {
      const rest = 'is 1 to 63 letters, digits, - or _, with a letter or digit at both ends';
      assert.equal(serviceProblem(text), `a service ${rest}`);
      assert.equal(tagProblem(text), `a tag ${rest}`);
    });
  }
  it('may not be the words that names are built with, in any case', () => {
    for (const word of ['addr', 'ns', 'dns-sd', 'ADDR', 'Ns']) {
      assert.equal(serviceProblem(word), `'${word}' is a reserved service name`);
    }
    for (const word of ['tcp', 'udp', 'addr', 'TCP']) assert.equal(tagProblem(word), `'${word}' is a reserved tag`);
    for (const word of ['ns', 'dns-sd']) assert.equal(tagProblem(word), undefined);
    for (const word of ['tcp', 'udp', 'constructor']) assert.equal(serviceProblem(word), undefined);
  });
  it('are compared in lower case', () => {
    assert.equal(normalService('Cart-Service'), 'cart-service');
    const message = "'NS' is a reserved service name";
    assert.deepEqual(
      refusal(() => normalService('NS')),
      { code: 'invalid', details: [{ path: 'service', message }] },
    );
  });
});

describe('port names (RFC 6335)', () => {
  const good = ['http', 'h2', '2h', 'a-b-c', 'X', 'abcdefghijklmno', 'tcp'];
  const bad = ['', '80', '1-2', '-a', 'a-', 'a--b', 'a_b', 'a.b', 'abcdefghijklmnop', 'é', '__proto__'];
  for (const name of good) it(`may be ${name}`, () => assert.equal(portNameProblem(name), undefined));
  for (const name of bad) it(`may not be '${name}'`, () => assert.match(portNameProblem(name)!, /^a port name is/));
});

describe('ids', () => {
  const good = [
    'a',
    'web-1',
    'web-10.0.0.1:80',
    'web-2001:db8::7:80',
    'A_b@c',
    '...',
    '-',
    'x'.repeat(128),
    'toString',
    '__proto__',
    'constructor',
    'prototype',
  ];
  const bad = ['', 'x'.repeat(129), 'a/b', 'a b', 'a\n', '%2e', 'ä', 'a\0', '#', '?'];
  for (const id of good) it(`may be ${id}`, () => assert.equal(idProblem(id), undefined));
  for (const id of bad) {
    it(`may not be ${JSON.stringify(id)}`, () =>
      assert.equal(idProblem(id), 'an id is 1 to 128 of A-Z a-z 0-9 . _ : @ -'));
  }
  // The last two are what every client takes out of a path before it asks.
  for (const id of ['.', '..']) {
    it(`may not be ${id}`, () => assert.equal(idProblem(id), `'${id}' cannot be an id`));
  }
  for (const id of ['__proto__', 'constructor', 'prototype', '..']) {
    it(`of checks may not be ${id}`, () => assert.equal(checkIdProblem(id), `'${id}' cannot be an id`));
  }
  it('call what reaches into objects treacherous', () => {
    assert.deepEqual(['__proto__', 'constructor', 'prototype', 'proto', 'toString'].map(isTreacherousKey), [
      true,
      true,
      true,
      false,
      false,
    ]);
  });
});

describe('host names', () => {
  const long = `${'a'.repeat(63)}.`.repeat(3);
  const good = [
    'localhost',
    'a.example',
    '_tcp.a',
    '7.a',
    'xn--kse-qla.example',
    'a.b2',
    '0xg',
    `${long}${'b'.repeat(61)}`,
  ];
  const bad = [
    '',
    'a.',
    '.a',
    'a..b',
    '1.2.3',
    '256.1.1.1',
    '1.2.3.4',
    '7',
    'a.7',
    '0x7f',
    'a.0x7F',
    '0x',
    'a b',
    'a:b',
  ];
  const tooLong = [`${long}${'b'.repeat(62)}`, `${'a'.repeat(64)}.b`];
  for (const host of good) it(`may be ${host.slice(0, 40)}`, () => assert.equal(isHostName(host), true));
  for (const host of [...bad, ...tooLong, '-a', 'a-.b', 'ü.de', 'fe80::1%eth0', '::1', 'a\n']) {
    it(`may not be ${JSON.stringify(host.slice(0, 40))}`, () => assert.equal(isHostName(host), false));
  }
});

// read-forward.test.ts -- who may be asked for names outside, as it is written in the configuration

import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { loadConfig } from '../../src/config/load-config.ts';
import { formatName } from '../../src/dns/name.ts';
import { formatUpstream, parseUpstream } from '../../src/net/upstream-address.ts';
import { makeCertificate } from '../support/certificate.ts';

const certificate = makeCertificate();
after(() => certificate.remove());

function load(env: Record<string, string>) {
  const named = Object.entries(env).map(([key, value]) => [`ROLLCALL_DNS_${key}`, value]);
  return loadConfig({ file: false, env: Object.fromEntries(named), cwd: '/etc' });
}

describe('an upstream', () => {
  for (const [text, formatted] of [
    ['9.9.9.9', '9.9.9.9:53'],
    ['9.9.9.9:5353', '9.9.9.9:5353'],
    ['2620:fe::9', '[2620:fe::9]:53'],
    ['[2620:FE:0::9]', '[2620:fe::9]:53'],
    ['[2620:fe::9]:54', '[2620:fe::9]:54'],
    ['tls://1.1.1.1', 'tls://1.1.1.1:853'],
    ['tls://1.1.1.1:8853#cloudflare-dns.com', 'tls://1.1.1.1:8853#cloudflare-dns.com'],
    ['tls://[2620:fe::9]#dns.quad9.net.', 'tls://[2620:fe::9]:853#dns.quad9.net'],
  ] as const) {
    it(`is ${text}`, () => {
      const upstream = parseUpstream(text);
      assert.equal(upstream && formatUpstream(upstream), formatted);
      assert.deepEqual(parseUpstream(formatted), upstream);
    });
  }

  for (const text of [
    '',
    'dns.quad9.net',
    '9.9.9',
    '9.9.9.9:0',
    '9.9.9.9:65536',
    '9.9.9.9:',
    '9.9.9.9#name',
    '[9.9.9.9]:53 ',
    'tls://',
    'tls://dns.quad9.net',
    'tls://1.1.1.1#',
    'tls://1.1.1.1#-a',
    'tls://1.1.1.1#a b',
    'https://1.1.1.1',
    'fe80::1%eth0',
  ]) {
    it(`is not '${text}'`, () => assert.equal(parseUpstream(text), undefined));
  }
});

describe('dns.forward', () => {
  it('has defaults', () => {
    const { config } = load({});
    const { allow, ...rest } = config!.dns.forward;
    assert.equal(allow.length, 6);
    assert.deepEqual(rest, {
      to: [],
      timeoutMs: 2000,
      cacheSize: 10_000,
      staleMs: 86_400_000,
      passSpecial: [],
      stripPrivate: false,
      authorities: undefined,
      authoritiesFile: undefined,
    });
  });

  it('takes what is stated', () => {
    const { config, problems } = load({
      FORWARD_TO: '["9.9.9.9", "tls://1.1.1.1#one.one.one.one"]',
      FORWARD_ALLOW: '[10.0.0.0/8]',
      FORWARD_STALEFOR: '0s',
      FORWARD_PASSSPECIAL: '[home.arpa, 10.in-addr.arpa.]',
      FORWARD_STRIPPRIVATE: 'true',
      FORWARD_CAFILE: certificate.certFile,
    });
    assert.deepEqual(problems, []);
    const { to, allow, staleMs, passSpecial, stripPrivate, authorities } = config!.dns.forward;
    assert.deepEqual(to.map(formatUpstream), ['9.9.9.9:53', 'tls://1.1.1.1:853#one.one.one.one']);
    assert.deepEqual([allow.length, staleMs, stripPrivate, authorities], [1, 0, true, certificate.cert]);
    assert.deepEqual(passSpecial.map(formatName), ['home.arpa.', '10.in-addr.arpa.']);
  });

  const listen = { LISTEN: '["0.0.0.0:53", "[::1]:53", "10.0.0.1:5353"]' };
  const wrong: readonly [Record<string, string>, RegExp][] = [
    [{ FORWARD_TO: '[quad9]' }, /'quad9' is not a resolver like/],
    [{ FORWARD_TO: '[9.9.9.9, "9.9.9.9:53"]' }, /9\.9\.9\.9:53 stands twice/],
    [{ FORWARD_TO: '[0.0.0.0]' }, /0\.0\.0\.0:53 is not the address of a resolver/],
    [{ FORWARD_TO: '["224.0.0.251:5353"]' }, /is not the address of a resolver/],
    [{ FORWARD_TO: '["[ff02::fb]:5353"]' }, /is not the address of a resolver/],
    [{ ...listen, FORWARD_TO: '[127.0.0.53]' }, /is this server itself, which listens on 0\.0\.0\.0:53/],
    [{ ...listen, FORWARD_TO: '["::1"]' }, /is this server itself, which listens on \[::1\]:53/],
    [{ ...listen, FORWARD_TO: '["10.0.0.1:5353"]' }, /is this server itself/],
    [{ FORWARD_TO: JSON.stringify(Array.from({ length: 17 }, (_, i) => `9.9.9.${i}`)) }, /more than 16 upstreams/],
    [{ FORWARD_TIMEOUT: '50ms' }, /must be from 0\.1s to 60s/],
    [{ FORWARD_CACHESIZE: '-1' }, /must be a whole number/],
    [{ FORWARD_STALEFOR: '8d' }, /must be from 0s to/],
    [{ FORWARD_CAFILE: '/nowhere.pem' }, /cannot use \/nowhere\.pem: ENOENT/],
    [{ FORWARD_CAFILE: '/etc/hosts' }, /there is no certificate in it/],
    [{ FORWARD_PASSSPECIAL: '[a..b]' }, /'a\.\.b' is not a domain name/],
  ];
  for (const [env, message] of wrong) {
    it(`refuses ${JSON.stringify(env)}`, () => {
      const { problems } = load(env);
      assert.equal(problems.length, 1, JSON.stringify(problems));
      assert.match(problems[0]!.message, message);
    });
  }

  it('takes another port of ours, and another machine', () => {
    for (const to of ['["127.0.0.1:5300"]', '[192.0.2.53]', '["10.0.0.2:5353"]']) {
      assert.deepEqual(load({ ...listen, FORWARD_TO: to }).problems, [], to);
    }
  });
});

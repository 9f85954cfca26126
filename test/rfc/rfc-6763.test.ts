// rfc-6763.test.ts -- DNS-based service discovery: types, instances, subtypes, and names for people

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatRcode, TYPE } from '../../src/dns/codes.ts';
import { FLAG } from '../../src/dns/header.ts';
import { formatName, type Name, parseName, prependLabels } from '../../src/dns/name.ts';
import { srvTarget } from '../../src/dns/rdata/locating.ts';
import { expectReply, NameServer, texts } from '../support/name-server.ts';

const D = 'service.local.';

async function open(): Promise<NameServer> {
  const server = await NameServer.open();
  await server.register('web', 'web-1', {
    address: '10.0.0.1',
    port: 8001,
    tags: ['v1'],
    ports: { http: 80, dns: { port: 53, proto: 'udp' } },
    meta: { path: '/', version: '2' },
  });
  await server.register('web', 'web-2', { address: '2001:db8::2', port: 8002, ports: { http: 81 } });
  await server.register('a-service-of-17-c', 'long-1', { address: '10.0.0.3', port: 8003 });
  return server;
}

/** The names that PTR records at a name lead to. */
function pointers(server: NameServer, name: string): string[] {
  const { answers } = server.ask(`${name} PTR`, { transport: 'tcp' });
  return answers.map(({ rdata }) => formatName(rdata as Name)).sort();
}

describe('RFC 6763', () => {
  it('section 9: enumerates the types that there are', async () => {
    const server = await open();
    const types = ['_dns._udp', '_http._tcp', '_web._tcp'].map((type) => `${type}.${D}`);
    assert.deepEqual(pointers(server, `_services._dns-sd._udp.${D}`), types);
    await server.registry.setDraining('web-1', true);
    assert.deepEqual(pointers(server, `_services._dns-sd._udp.${D}`), types.slice(1));
    await server.registry.deregister('web-2');
    expectReply(server.ask(`_services._dns-sd._udp.${D} PTR`), { rcode: 'NOERROR', answer: '' });
  });

  it('section 7: service names have at most 15 characters', async () => {
    const server = await open();
    await server.register('exactly-15-char', 'e-1', { address: '10.0.0.4', port: 1 });
    assert.deepEqual(pointers(server, `_exactly-15-char._tcp.${D}`), [`e-1._exactly-15-char._tcp.${D}`]);
    assert.deepEqual(pointers(server, `_a-service-of-17-c._tcp.${D}`), []);
    expectReply(server.ask(`long-1._a-service-of-17-c._tcp.${D} SRV`), { rcode: 'NXDOMAIN' });
  });

  it('section 4.1: lists the instances of a type', async () => {
    const server = await open();
    const all = [`web-1._http._tcp.${D}`, `web-2._http._tcp.${D}`];
    assert.deepEqual(pointers(server, `_http._tcp.${D}`), all);
    assert.deepEqual(
      pointers(server, `_HTTP._TCP.${D}`),
      all.map((each) => each.replace('_http._tcp', '_HTTP._TCP')),
    );
    assert.deepEqual(pointers(server, `_dns._udp.${D}`), [`web-1._dns._udp.${D}`]);
    await server.registry.setDraining('web-1', true);
    assert.deepEqual(pointers(server, `_http._tcp.${D}`), all.slice(1));
    await server.registry.deregister('web-1');
    expectReply(server.ask(`_dns._udp.${D} PTR`), { rcode: 'NXDOMAIN' });
  });

  it('section 5 and 6: an instance has SRV and TXT, until it is out', async () => {
    const server = await open();
    expectReply(server.ask(`web-1._http._tcp.${D} SRV`), {
      answer: `web-1._http._tcp.${D} 5 IN SRV 0 1 80 10-0-0-1.addr.${D}`,
      additional: `10-0-0-1.addr.${D} 5 IN A 10.0.0.1`,
    });
    expectReply(server.ask(`web-1._http._tcp.${D} TXT`), {
      answer: `web-1._http._tcp.${D} 5 IN TXT "path=/" "version=2"`,
      additional: '',
    });
    // The main port, under the name of the service.
    expectReply(server.ask(`web-2._web._tcp.${D} SRV`), {
      answer: `web-2._web._tcp.${D} 5 IN SRV 0 1 8002 2001-db8-0-0-0-0-0-2.addr.${D}`,
    });
    for (const name of ['web-1._http._udp', 'web-2._dns._udp', 'web-3._http._tcp', 'x.web-1._http._tcp']) {
      expectReply(server.ask(`${name}.${D} SRV`), { rcode: 'NXDOMAIN' });
    }
    await server.registry.setDraining('web-1', true);
    for (const type of ['SRV', 'TXT', 'A']) {
      expectReply(server.ask(`web-1._http._tcp.${D} ${type}`), { rcode: 'NOERROR', answer: '' });
    }
  });

  it('section 6.1: TXT has a string at least, and none above 255 octets', async () => {
    const server = await open();
    expectReply(server.ask(`web-2._http._tcp.${D} TXT`), { answer: `web-2._http._tcp.${D} 5 IN TXT ""` });
    const meta = { fits: 'x'.repeat(250), longer: 'y'.repeat(250), schlüssel: 'no', plain: 'ümlaut' };
    await server.register('meta', 'meta-1', { address: '10.0.0.5', port: 1, meta });
    const [record] = server.ask(`meta-1._meta._tcp.${D} TXT`, { transport: 'tcp' }).answers;
    const expected = [`fits=${'x'.repeat(250)}`, 'plain=ümlaut'].map((each) => Buffer.from(each));
    const octets = expected.flatMap((each) => [each.length, ...each]);
    // Section 6.4: keys are printable US-ASCII; a pair that two strings would be needed for would read as two pairs.
    assert.deepEqual([...record!.rdata], octets);
  });

  it('section 7.1: subtypes are the tags of instances', async () => {
    const server = await open();
    assert.deepEqual(pointers(server, `_v1._sub._http._tcp.${D}`), [`web-1._http._tcp.${D}`]);
    assert.deepEqual(pointers(server, `_V1._SUB._dns._udp.${D}`), [`web-1._dns._udp.${D}`]);
    expectReply(server.ask(`_sub._http._tcp.${D} PTR`), { rcode: 'NOERROR', answer: '' });
    expectReply(server.ask(`_v2._sub._http._tcp.${D} PTR`), { rcode: 'NXDOMAIN' });
    expectReply(server.ask(`v1._sub._http._tcp.${D} PTR`), { rcode: 'NXDOMAIN' });
    await server.register('web', 'web-1', { address: '10.0.0.1', port: 8001, ports: { http: 80 } });
    for (const name of ['_sub._http._tcp', '_v1._sub._http._tcp', '_dns._udp']) {
      expectReply(server.ask(`${name}.${D} PTR`), { rcode: 'NXDOMAIN' });
    }
  });

  it('section 11: says where to browse', async () => {
    const server = await NameServer.open({ domains: ['service.local', 'b.example'] });
    for (const name of ['b', 'db', 'lb']) {
      assert.deepEqual(pointers(server, `${name}._dns-sd._udp.${D}`), [D]);
      assert.deepEqual(pointers(server, `${name}._dns-sd._udp.b.example.`), ['b.example.']);
    }
    for (const name of ['r', 'dr']) expectReply(server.ask(`${name}._dns-sd._udp.${D} PTR`), { rcode: 'NXDOMAIN' });
    expectReply(server.ask(`_dns-sd._udp.${D} PTR`), { rcode: 'NOERROR', answer: '' });
  });

  it('section 12: what comes next goes along, as far as there is room', async () => {
    const server = await open();
    expectReply(server.ask(`_http._tcp.${D} PTR`, { edns: true }), {
      answer: `
        _http._tcp.${D} 5 IN PTR web-1._http._tcp.${D}
        _http._tcp.${D} 5 IN PTR web-2._http._tcp.${D}`,
      additional: `
        web-1._http._tcp.${D} 5 IN SRV 0 1 80 10-0-0-1.addr.${D}
        web-1._http._tcp.${D} 5 IN TXT "path=/" "version=2"
        10-0-0-1.addr.${D} 5 IN A 10.0.0.1
        web-2._http._tcp.${D} 5 IN SRV 0 1 81 2001-db8-0-0-0-0-0-2.addr.${D}
        web-2._http._tcp.${D} 5 IN TXT ""
        2001-db8-0-0-0-0-0-2.addr.${D} 5 IN AAAA 2001:db8::2`,
    });
    expectReply(server.ask(`_v1._sub._http._tcp.${D} PTR`, { edns: true }), {
      additional: `
        web-1._http._tcp.${D} 5 IN SRV 0 1 80 10-0-0-1.addr.${D}
        web-1._http._tcp.${D} 5 IN TXT "path=/" "version=2"
        10-0-0-1.addr.${D} 5 IN A 10.0.0.1`,
    });
    expectReply(server.ask(`_services._dns-sd._udp.${D} PTR`, { edns: true }), { additional: '' });
    await server.registerMany('many', 40, { ports: { many: 1 } });
    const reply = server.ask(`_many._tcp.${D} PTR`, { edns: true });
    assert.equal(reply.answers.length, 40);
    assert.equal(reply.flags & FLAG.TC, 0, 'additional records that are left out are no truncation');
  });

  it('section 4.1.1: labels hold spaces, dots and any script; letter case of ASCII alone means nothing', async () => {
    const server = await open();
    const names = ['Dr. No. 7', 'Küche', 'ÅNGSTRÖM \\"x\\"', '印刷機 2', 'a\\b', '_sub', '*', 'Café'.normalize('NFD')];
    for (const [i, instanceName] of names.entries()) {
      await server.register('tv', `tv-${i}`, { address: `10.1.0.${i}`, port: 80, meta: { instanceName } });
    }
    const { answers } = server.ask(`_tv._tcp.${D} PTR`, { transport: 'tcp' });
    const labels = answers.map(({ rdata }) => Buffer.from(rdata.subarray(1, 1 + rdata[0]!)).toString());
    assert.deepEqual(
      labels,
      names.map((name) => name.normalize('NFC')),
    );
    const ask = (label: Buffer) =>
      server.ask(`${formatName(prependLabels([label.toString('latin1')], parseName(`_tv._tcp.${D}`)))} SRV`).answers[0];
    for (const [i, label] of labels.entries()) {
      const srv = ask(Buffer.from(label))!;
      assert.equal(formatName(srvTarget(srv.rdata)), `10-1-0-${i}.addr.${D}`, label);
    }
    const upper = (text: string) => Buffer.from(text.replace(/[a-z]/g, (letter) => letter.toUpperCase()));
    assert.ok(ask(upper('Dr. No. 7')), 'ASCII letters are equal in both cases');
    assert.ok(ask(upper('Küche')), 'other letters stand beside them as they are');
    assert.equal(ask(Buffer.from('KÜCHE')), undefined);
    assert.equal(ask(Buffer.from('tv-1')), undefined, 'an instance has one name only');
  });

  it('takes the id where there is no name that could be a label, shortened where it is too long', async () => {
    const server = await open();
    const bad = ['', 'x'.repeat(64), 'ü'.repeat(32)];
    for (const [i, instanceName] of bad.entries()) {
      await server.register('bad', `bad-${i}`, { address: '10.0.0.1', port: 80 + i, meta: { instanceName } });
    }
    const long = ['a', 'b'].map((end) => `${'long.'.repeat(25)}${end}`);
    for (const id of long) await server.register('long', id, { address: '10.0.0.1', port: 80 });
    assert.deepEqual(
      pointers(server, `_bad._tcp.${D}`),
      bad.map((_, i) => `bad-${i}._bad._tcp.${D}`),
    );
    const listed = pointers(server, `_long._tcp.${D}`);
    assert.equal(new Set(listed).size, 2);
    for (const each of listed) assert.equal(server.ask(`${each} SRV`).answers.length, 1, each);
  });

  it('section 5: instances of one name are one instance with several SRV records', async () => {
    const server = await open();
    const meta = { instanceName: 'Shop Front' };
    for (let i = 1; i <= 40; i++) {
      await server.register('shop', `shop-${i}`, { address: `10.2.0.${i}`, port: 80, weight: i, meta });
    }
    assert.deepEqual(pointers(server, `_shop._tcp.${D}`), [`Shop\\032Front._shop._tcp.${D}`]);
    const records = server.ask(`shop\\032FRONT._shop._tcp.${D} SRV`, { transport: 'tcp' }).answers;
    assert.equal(records.length, 32);
    expectReply(server.ask(`Shop\\032Front._shop._tcp.${D} TXT`), {
      answer: `Shop\\032Front._shop._tcp.${D} 5 IN TXT "instanceName=Shop Front"`,
    });
    for (let i = 2; i <= 40; i++) await server.registry.setDraining(`shop-${i}`, true);
    assert.equal(server.ask(`Shop\\032Front._shop._tcp.${D} SRV`).answers.length, 1);
    for (let i = 1; i <= 40; i++) await server.registry.deregister(`shop-${i}`);
    expectReply(server.ask(`Shop\\032Front._shop._tcp.${D} SRV`), { rcode: 'NXDOMAIN' });
  });

  it("takes TTLs as everywhere: the policy's, else the least of the instances', else the domain's", async () => {
    const server = await open();
    const ttlOf = (question: string) => server.ask(question).answers[0]!.ttlSeconds;
    await server.register('web', 'web-2', { address: '10.0.0.2', port: 8002, ports: { http: 81 }, ttl: '3s' });
    assert.deepEqual([ttlOf(`_http._tcp.${D} PTR`), ttlOf(`web-1._http._tcp.${D} SRV`)], [3, 5]);
    await server.setPolicy('web', { ttl: '9s' });
    assert.deepEqual([ttlOf(`_http._tcp.${D} PTR`), ttlOf(`web-2._http._tcp.${D} TXT`)], [9, 9]);
  });

  it('lists hidden by static records stay hidden, and instances below them stay', async () => {
    const zone = `$ORIGIN ${D}\n$TTL 60\n@ SOA ns h 1 3600 600 86400 5\n NS ns\nns A 192.0.2.1\n_http._tcp PTR own._http._tcp\n`;
    const server = await NameServer.open({ zones: [zone] });
    await server.register('web', 'web-1', { address: '10.0.0.1', port: 8001, ports: { http: 80 } });
    assert.deepEqual(pointers(server, `_http._tcp.${D}`), [`own._http._tcp.${D}`]);
    assert.equal(server.ask(`web-1._http._tcp.${D} SRV`).answers.length, 1);
  });

  it('answers lists whole: TC over UDP, all of it over TCP, up to what a message holds', async () => {
    const server = await NameServer.open();
    const id = (i: number) => `an-instance-with-a-rather-long-id-${String(i).padStart(5, '0')}`;
    for (let i = 0; i < 1500; i++) {
      await server.register('big', id(i), { address: `10.0.${i >> 8}.${i & 255}`, port: 80 });
    }
    const udp = server.ask(`_big._tcp.${D} PTR`, { edns: true });
    assert.notEqual(udp.flags & FLAG.TC, 0);
    const tcp = server.ask(`_big._tcp.${D} PTR`, { edns: true, transport: 'tcp' });
    assert.equal(tcp.flags & FLAG.TC, 0);
    assert.ok(tcp.answers.length > 1000 && tcp.answers.length < 1500, `${tcp.answers.length}`);
    // The services of 15 characters make the longest list of types there can be.
    for (let i = 0; i < 3000; i++) {
      await server.register(`service-of-${String(i).padStart(4, '0')}`, `s-${i}`, { address: '10.0.0.1', port: 80 });
    }
    const types = server.ask(`_services._dns-sd._udp.${D} PTR`, { edns: true, transport: 'tcp' });
    assert.equal(types.flags & FLAG.TC, 0);
    assert.ok(types.answers.length > 1500, `${types.answers.length}`);
  });

  it('whatever is listed can be resolved, down to an address', async () => {
    const server = await open();
    await server.register('tv', 'tv-1', { address: 'tv.example', port: 80, meta: { instanceName: 'TV. 1' } });
    let resolved = 0;
    for (const type of pointers(server, `_services._dns-sd._udp.${D}`)) {
      const instances = pointers(server, type);
      assert.ok(instances.length > 0, `${type} is listed and has no instance`);
      for (const instance of instances) {
        const [srv] = server.ask(`${instance} SRV`).answers;
        assert.ok(srv, instance);
        assert.equal(server.ask(`${instance} TXT`).answers.length, 1, instance);
        const target = formatName(srvTarget(srv.rdata));
        if (target === 'tv.example.') continue;
        const found = ['A', 'AAAA'].flatMap((each) => texts(server.ask(`${target} ${each}`).answers));
        assert.equal(found.length, 1, target);
        resolved++;
      }
    }
    assert.equal(resolved, 5);
  });

  it('has no records but these', async () => {
    const server = await open();
    for (const name of ['_http._tcp', '_services._dns-sd._udp', 'web-1._http._tcp', '_v1._sub._http._tcp']) {
      for (const type of ['A', 'CNAME', 'NS', 'SOA', 'TYPE999']) {
        const reply = server.ask(`${name}.${D} ${type}`);
        assert.equal(formatRcode(reply.rcode), 'NOERROR');
        assert.equal(reply.answers.length, 0, `${name} ${type}`);
        assert.deepEqual(
          reply.authorities.map((record) => record.type),
          [TYPE.SOA],
        );
      }
    }
  });
});

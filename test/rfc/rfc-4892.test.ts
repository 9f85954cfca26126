// rfc-4892.test.ts -- who answers: id.server and its like, in class CHAOS

import { describe, it } from 'node:test';
import { expectReply, NameServer } from '../support/name-server.ts';

const NAMES = ['version.bind', 'version.server', 'hostname.bind', 'id.server'];
const chaos = { version: 'Rollcall 1.2', id: 'eu-1' };

describe('RFC 4892', () => {
  it('nothing is told unless it is switched on', async () => {
    const server = await NameServer.open();
    for (const name of NAMES) expectReply(server.ask(`${name}. CH TXT`), { rcode: 'REFUSED', flags: 'rd', answer: '' });
  });

  it('tells the version and the id, not to be cached', async () => {
    const server = await NameServer.open({ settings: { chaos } });
    for (const [name, text] of [
      ['version.bind', 'Rollcall 1.2'],
      ['Version.Server', 'Rollcall 1.2'],
      ['hostname.bind', 'eu-1'],
      ['ID.SERVER', 'eu-1'],
    ]) {
      for (const type of ['TXT', 'ANY']) {
        expectReply(server.ask(`${name}. CH ${type}`), {
          rcode: 'NOERROR',
          flags: 'aa rd',
          answer: `${name}. 0 CH TXT "${text}"`,
          authority: '',
        });
      }
    }
  });

  it('tells what it is to tell, and no more', async () => {
    const server = await NameServer.open({ settings: { chaos: { id: 'eu-1' } } });
    expectReply(server.ask('id.server. CH TXT'), { answer: 'id.server. 0 CH TXT "eu-1"' });
    expectReply(server.ask('version.bind. CH TXT'), { rcode: 'REFUSED' });
  });

  it('has no other names, types or classes', async () => {
    const server = await NameServer.open({ settings: { chaos } });
    const soa = 'id.server. 0 CH SOA id.server. hostmaster.id.server. 0 3600 600 604800 0';
    expectReply(server.ask('id.server. CH A'), { rcode: 'NOERROR', answer: '', authority: soa });
    expectReply(server.ask('id.server. CH SOA'), { rcode: 'NOERROR', answer: soa, authority: '' });
    for (const question of ['x.id.server. CH TXT', 'server. CH TXT', 'service.local. CH SOA', 'id.server. HS TXT']) {
      expectReply(server.ask(question), { rcode: 'REFUSED', answer: '' });
    }
    expectReply(server.ask('id.server. TXT'), { rcode: 'REFUSED', answer: '' });
  });

  it('tells it before the registry is loaded: it is about this server alone', () => {
    const server = NameServer.unloaded({ settings: { chaos } });
    expectReply(server.ask('id.server. CH TXT'), { answer: 'id.server. 0 CH TXT "eu-1"' });
  });
});

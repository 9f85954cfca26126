// dns2-server.mjs -- the answers of the bench from dns2's own UDP server: node dns2-server.mjs CONTENT.json PORT

import { readFileSync } from 'node:fs';
import dns2 from 'dns2';

const { Packet } = dns2;
const IN = Packet.CLASS.IN;
const [file, port] = process.argv.slice(2);
const { apex, ttlSeconds: ttl, services } = JSON.parse(readFileSync(file, 'utf8'));

const answersOf = new Map();
for (const { label, instances } of services) {
  const name = `${label}.${apex}`;
  const addresses = instances.map(({ address }) => ({ name, type: Packet.TYPE.A, class: IN, ttl, address }));
  const pointers = instances.map((each) => ({
    ...{ name, type: Packet.TYPE.SRV, class: IN, ttl },
    ...{ priority: 0, weight: 1, port: each.port, target: each.target },
  }));
  const glue = instances.map(({ target, address }) => ({ ...addresses[0], name: target, address }));
  answersOf.set(`${name} ${Packet.TYPE.A}`, { answers: addresses, additionals: [] });
  answersOf.set(`${name} ${Packet.TYPE.SRV}`, { answers: pointers, additionals: glue });
}

const server = dns2.createServer({
  udp: true,
  handle: (request, send) => {
    const response = Packet.createResponseFromRequest(request);
    const [{ name, type }] = request.questions;
    const found = answersOf.get(`${name.toLowerCase()} ${type}`);
    response.header.aa = 1;
    if (found === undefined) response.header.rcode = Packet.RCODE.NXDOMAIN;
    else {
      response.answers = found.answers;
      response.additionals = found.additionals;
    }
    send(response);
  },
});
await server.listen({ udp: { port: Number(port), address: '127.0.0.1' } });

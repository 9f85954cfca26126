// zone-content.ts -- the services that every server of a run answers for, in the forms they want

/** One instance as every server knows it. */
export interface BenchInstance {
  readonly id: string;
  readonly address: string;
  readonly port: number;
  /** Where its SRV record points: the name that Rollcall gives an address, so that all answers are equally long. */
  readonly target: string;
}

export interface BenchService {
  readonly label: string;
  readonly instances: readonly BenchInstance[];
}

export interface ZoneContent {
  readonly apex: string;
  readonly ttlSeconds: number;
  readonly services: readonly BenchService[];
  /** Of Rollcall's policies; undefined: none are set. */
  readonly strategy?: string | undefined;
}

/** A zone of `services` services of `instances` instances each; at most 2^24 instances in all. */
export function zoneContent(services: number, instances: number, strategy?: string): ZoneContent {
  return {
    strategy,
    apex: 'service.local',
    ttlSeconds: 5,
    services: Array.from({ length: services }, (_, service) => ({
      label: serviceLabel(service),
      instances: Array.from({ length: instances }, (_, number) => benchInstance(service, number, instances)),
    })),
  };
}

/** The label of the service with a number. */
export function serviceLabel(service: number): string {
  return `svc-${service}`;
}

function benchInstance(service: number, number: number, perService: number): BenchInstance {
  const serial = service * perService + number + 1;
  const octets = [10, (serial >> 16) & 255, (serial >> 8) & 255, serial & 255];
  return {
    id: `${serviceLabel(service)}-${number}`,
    address: octets.join('.'),
    port: 8080,
    target: `${octets.join('-')}.addr.service.local`,
  };
}

/** The content as a master file (RFC 1035 section 5). */
export function zoneFile({ apex, ttlSeconds, services }: ZoneContent): string {
  const lines = [
    `$ORIGIN ${apex}.`,
    `$TTL ${ttlSeconds}`,
    `@ IN SOA ns hostmaster 1 3600 600 86400 ${ttlSeconds}`,
    '@ IN NS ns',
    'ns IN A 127.0.0.1',
  ];
  for (const { label, instances } of services) {
    for (const { address, port, target } of instances) {
      lines.push(`${label} IN A ${address}`, `${label} IN SRV 0 1 ${port} ${target}.`, `${target}. IN A ${address}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

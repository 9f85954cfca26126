// validate-lifecycle.ts -- heartbeats and maintenance from untrusted input

import { OUTCOMES, type Outcome } from '../health/check-spec.ts';
import { boundOutput } from '../health/probe-output.ts';
import { Findings, InputObject } from './input.ts';
import type { Load } from './instance.ts';

/** What an instance says of itself. */
export interface Heartbeat {
  readonly report: { readonly status?: Outcome; readonly output?: string };
  readonly load: Load | undefined;
}

const MAX_OUTPUT_CHARACTERS = 65_536;
const MAX_REASON_CHARACTERS = 256;

/** Read a heartbeat; one without a body says nothing but that it is one. Throws CodedError `invalid`. */
export function readHeartbeat(body: unknown): Heartbeat {
  const findings = new Findings();
  const input = InputObject.of(body ?? {}, '', findings);
  const status = input?.oneOf('status', OUTCOMES);
  const output = input?.raw('output');
  if (output !== undefined && (typeof output !== 'string' || output.length > MAX_OUTPUT_CHARACTERS)) {
    input!.fail('output', `must be a string of at most ${MAX_OUTPUT_CHARACTERS} characters`);
  }
  const load = readLoad(input?.object('load'));
  input?.finish();
  findings.throwAny('heartbeat');
  return {
    report: {
      ...(status === undefined ? {} : { status }),
      ...(typeof output === 'string' ? { output: boundOutput(output) } : {}),
    },
    load,
  };
}

/** The reason for maintenance, empty when none is given; undefined: end it. Throws CodedError `invalid`. */
export function readMaintenance(body: unknown): string | undefined {
  const findings = new Findings();
  const input = InputObject.of(body, '', findings);
  const enabled = input?.boolean('enabled');
  if (input !== undefined && !input.has('enabled')) input.fail('enabled', 'is missing');
  const reason = input?.text('reason', MAX_REASON_CHARACTERS);
  input?.finish();
  findings.throwAny('maintenance');
  return enabled ? (reason ?? '') : undefined;
}

function readLoad(input: InputObject | undefined): Load | undefined {
  if (input === undefined) return undefined;
  const load = {
    connections: input.integer('connections', 0, Number.MAX_SAFE_INTEGER),
    latencyMs: readAmount(input, 'latencyMs'),
    cpu: readAmount(input, 'cpu'),
  };
  input.finish();
  return Object.fromEntries(Object.entries(load).filter(([, value]) => value !== undefined));
}

function readAmount(input: InputObject, key: string): number | undefined {
  const value = input.raw(key);
  if (value === undefined || (typeof value === 'number' && value >= 0 && value <= 1e9)) return value;
  return input.fail(key, 'must be a number from 0 to 1000000000');
}

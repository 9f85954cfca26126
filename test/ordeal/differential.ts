// differential.ts -- random questions to us and to Knot with our zones by AXFR: no difference that is not written down

import { Differential } from '../support/differential.ts';
import { requireTools } from '../support/tools.ts';
import { type OrdealOptions, type OrdealRow, type Scope, showProgress } from './ordeal-result.ts';

const QUESTIONS = 50_000;
const SEED = 20_260_101;
const MAX_UDP = 1232;
const MAX_PLAIN_UDP = 512;
const MAX_ANY_FACTOR = 4;
const SHOWN = 20;

export async function differential(scope: Scope, options: OrdealOptions): Promise<OrdealRow[]> {
  let reason = '';
  const skip = (why?: string) => {
    reason = why ?? '';
  };
  if (!(await requireTools({ skip }, { knotd: 'knot', dig: 'bind9-dnsutils' })))
    return [{ what: `skipped: ${reason}`, measured: '-', promised: '-', isKept: true }];
  const count = options.questions ?? QUESTIONS;
  const servers = await Differential.open(scope);
  const result = await servers.run(count, SEED, (done) => showProgress('differential', done, count));
  for (const difference of result.unexplained.slice(0, SHOWN)) console.error(difference);
  const known = Object.entries(result.known).map(([title, times]) => `${title} ${times}`);
  const rcodes = Object.entries(result.rcodes).map(([rcode, times]) => `${rcode} ${times}`);
  const { edns, plain } = result.largest;
  return [
    {
      what: `differences from Knot that nobody has explained, of ${result.questions} questions over UDP (${rcodes.join(', ')}) and ${result.overTcp} of them over TCP; explained: ${known.join(', ')}`,
      measured: String(result.unexplained.length),
      promised: '0',
      isKept: result.unexplained.length === 0,
    },
    {
      what: 'octets of the largest UDP replies, with EDNS and without',
      measured: `${edns}, ${plain}`,
      promised: `<= ${MAX_UDP}, ${MAX_PLAIN_UDP}`,
      isKept: edns <= MAX_UDP && plain <= MAX_PLAIN_UDP,
    },
    {
      what: 'octets of a reply to ANY for an octet of the question',
      measured: result.anyFactor.toFixed(1),
      promised: `<= ${MAX_ANY_FACTOR}`,
      isKept: result.anyFactor <= MAX_ANY_FACTOR,
    },
  ];
}

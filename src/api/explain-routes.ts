// explain-routes.ts -- why a name is answered as it is

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { CodedError } from '../base/errors.ts';
import { type IpPrefix, parsePrefix } from '../base/ip.ts';
import { formatType, parseType, TYPE } from '../dns/codes.ts';
import { formatName, type Name, NameError, parseName } from '../dns/name.ts';
import { prefixClient } from '../nameserver/client.ts';
import { meantService, type Trace } from '../nameserver/trace-name.ts';
import type { RolloutView } from '../routing/rollout.ts';
import type { ApiParts } from './api-parts.ts';
import { ExplainQuery, ExplanationDocument } from './foresight-documents.ts';
import { goneSignal, sendJson } from './long-reply.ts';
import { presentExplanation } from './present-explanation.ts';
import { QueryString } from './query-string.ts';
import { routeSchema } from './route-schema.ts';

/** A question as it was asked, and as it is understood. */
interface Asked {
  readonly name: Name;
  readonly type: number;
  readonly client: IpPrefix;
  readonly clientText: string;
}

export function addExplainRoutes(app: FastifyInstance, { foresight, rollouts, vantages }: ApiParts): void {
  app.get(
    '/v1/explain',
    {
      // Whose service it is shows only when the name is understood.
      config: { access: 'known' },
      schema: routeSchema({
        summary: 'Explain how a name is answered',
        description: 'Needs a token that may read the service behind the name. Nothing that is answered changes by it.',
        tag: 'operation',
        query: ExplainQuery,
        replies: { 200: ExplanationDocument },
        errors: [429, 503],
      }),
    },
    async (request, reply) => {
      const { name, type, client, clientText } = readAsked(request);
      const question = { name: formatName(name), type: formatType(type), client: clientText };
      let rollout: RolloutView | undefined;
      const begun = (trace: Trace): void => {
        checkMayRead(request, name, trace);
        const service = trace.dynamic?.service;
        rollout = service === undefined ? undefined : rollouts.show(service);
      };
      const text = await foresight.explain(
        { name, type, client: prefixClient(client) },
        { begun, present: (explanation) => presentExplanation(question, explanation, rollout, vantages) },
        goneSignal(reply),
      );
      return sendJson(reply, text);
    },
  );
}

function readAsked(request: FastifyRequest): Asked {
  const query = new QueryString(request);
  const nameText = query.checked('name', (text) => (readName(text) === undefined ? 'is not a domain name' : undefined));
  const typeText = query.checked('type', (text) =>
    parseType(text) === undefined ? 'is not a record type' : undefined,
  );
  const told = query.checked('client', (text) =>
    parsePrefix(text) === undefined ? 'must be an address, or a network like 10.1.2.0/24' : undefined,
  );
  if (nameText === undefined) query.need('name');
  query.finish();
  const clientText = told ?? (request.socket.remoteAddress ?? '').replace(/%.*$/s, '').replace(/^::ffff:/, '');
  return {
    name: readName(nameText!)!,
    type: typeText === undefined ? TYPE.A : parseType(typeText)!,
    client: parsePrefix(clientText) ?? parsePrefix('127.0.0.1')!,
    clientText,
  };
}

function readName(text: string): Name | undefined {
  try {
    return text === '' ? undefined : parseName(text);
  } catch (thrown) {
    if (thrown instanceof NameError) return undefined;
    throw thrown;
  }
}

/** Every service on the way must be one that the caller may read; where there is none, the one that would be. */
function checkMayRead({ caller }: FastifyRequest, name: Name, trace: Trace): void {
  if (caller.scopes.allowsAll('read')) return;
  const meant = [meantService(name, trace.served), meantService(trace.owner, trace.served)];
  const services = [...trace.services, ...meant.filter((each) => each !== undefined)];
  if (services.every((service) => caller.scopes.allows('read', service))) return;
  // The same words whether it exists or not.
  throw new CodedError('forbidden', `token '${caller.tokenId}' may not read the service of this name, if there is one`);
}

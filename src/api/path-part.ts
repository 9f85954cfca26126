// path-part.ts -- the names in a request's path, checked and in the one spelling the registry knows

import type { FastifyRequest } from 'fastify';
import { CodedError } from '../base/errors.ts';
import { checkIdProblem, idProblem, normalService } from '../registry/label.ts';

/** `{service}` of the path, lower case. Throws CodedError `invalid`. */
export function serviceName(request: FastifyRequest): string {
  return normalService(part(request, 'service'));
}

/** `{id}` of the path. Throws CodedError `invalid`. */
export function instanceId(request: FastifyRequest): string {
  return id(request, 'id', idProblem);
}

/** `{check}` of the path. Throws CodedError `invalid`. */
export function checkId(request: FastifyRequest): string {
  return id(request, 'check', checkIdProblem);
}

function id(request: FastifyRequest, name: string, problemOf: (id: string) => string | undefined): string {
  const text = part(request, name);
  const problem = problemOf(text);
  if (problem !== undefined) throw new CodedError('invalid', problem, [{ path: name, message: problem }]);
  return text;
}

function part(request: FastifyRequest, name: string): string {
  return (request.params as Readonly<Record<string, string>>)[name] ?? '';
}

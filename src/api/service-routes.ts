// service-routes.ts -- reading services: the list, and one with its instances, at once or when it changes

import { STATUS_CODES } from 'node:http';
import { Type } from 'typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { CodedError } from '../base/errors.ts';
import { type InstanceState, STATUSES } from '../registry/instance.ts';
import { tagProblem } from '../registry/label.ts';
import type { ApiParts } from './api-parts.ts';

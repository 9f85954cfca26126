// openapi-routes.ts -- the API described by itself: /openapi.json, and /docs to read and try it

import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { SHARED_DOCUMENTS } from './documents.ts';
import { operationId, routeSchema } from './route-schema.ts';

/** Call before any route is added: only later ones are described. */
export async function addOpenApi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Rollcall',
        version: 'v1',
        description: 'Register instances, report their health, and read what is answered. Durations are text ("5s").',
      },
      components: {
        securitySchemes: {
          token: { type: 'http', scheme: 'bearer' },
          consulToken: { type: 'apiKey', in: 'header', name: 'X-Consul-Token' },
        },
      },
      security: [{ token: [] }, { consulToken: [] }],
    },
    transform: ({ schema, url, route }) => ({
      schema: { ...schema, operationId: operationId(String(route.method), url) },
      url,
    }),
    // Shared schemas keep their own names instead of def-0, def-1.
    refResolver: { buildLocalReference: (json) => String(json.$id) },
  });
  for (const document of SHARED_DOCUMENTS) app.addSchema(document);
}

/** The document itself and the pages that show it; all of it is served from this machine. */
export async function addDocsRoutes(app: FastifyInstance): Promise<void> {
  app.get(
    '/openapi.json',
    {
      config: { access: 'known' },
      schema: routeSchema({ summary: 'This document', tag: 'operation', replies: { 200: Type.Object({}) } }),
    },
    async () => app.swagger(),
  );
  await app.register(async (docs) => {
    docs.addHook('onRoute', (route) => {
      route.config = { ...route.config, access: 'known' };
    });
    // The page sets styles of its own; scripts come from files only.
    docs.addHook('onSend', async (_request, reply) => {
      const styles = "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:";
      reply.header(
        'content-security-policy',
        `default-src 'none'; script-src 'self'; connect-src 'self'; ${styles}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`,
      );
    });
    await docs.register(swaggerUi, { routePrefix: '/docs', uiConfig: { docExpansion: 'list', deepLinking: true } });
  });
}

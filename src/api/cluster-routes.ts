// cluster-routes.ts -- the nodes that share one store

import type { FastifyInstance } from 'fastify';
import type { ApiParts } from './api-parts.ts';
import { ClusterDocument } from './cluster-documents.ts';
import { routeSchema } from './route-schema.ts';

export function addClusterRoutes(app: FastifyInstance, { cluster }: Pick<ApiParts, 'cluster'>): void {
  app.get(
    '/v1/cluster',
    {
      config: { access: 'overview' },
      schema: routeSchema({
        summary: 'The nodes of the cluster, and how the store is',
        description: 'As this node sees it. A server without etcd is a cluster of one.',
        tag: 'operation',
        replies: { 200: ClusterDocument },
      }),
    },
    async () => await cluster(),
  );
}

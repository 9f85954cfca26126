# Dockerfile -- Rollcall in a container: DNS on port 53 without root, HTTP on 8500, data in /data, zones in /zones
#
# How to use it, and what of this was tried where: docs/docker.md.
#
# Node 22: a long-term support line with more life ahead than 20, the oldest that Rollcall runs on.

FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --include=dev
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build

FROM node:22-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev

# The base of the slim Node image, without npm, yarn and headers: only the node program is taken from it.
FROM debian:bookworm-slim

# Port 53 is below 1024. The capability is on the node program itself, so the server never is root. Copying the
# program and marking it are one step, since a change of a file in a later layer stores all of it a second time.
# `node --version` fails the build when the base lacks a library that node needs.
RUN --mount=type=bind,from=build,source=/usr/local/bin/node,target=/mnt/node \
    apt-get update \
    && apt-get install -y --no-install-recommends libcap2-bin libstdc++6 \
    && cp /mnt/node /usr/local/bin/node \
    && setcap cap_net_bind_service=+ep /usr/local/bin/node \
    && apt-get purge -y --auto-remove libcap2-bin \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 rollcall \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin rollcall \
    && install -d -o rollcall -g rollcall /data \
    && node --version

WORKDIR /app
COPY package.json LICENSE ./
COPY --from=packages /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY docs/examples/toy-service.mjs ./docs/examples/
COPY zones /zones

# Environment variables override the configuration file: these are where the container differs from the defaults.
ENV NODE_ENV=production \
    ROLLCALL_DNS_LISTEN="[0.0.0.0:53]" \
    ROLLCALL_DNS_ZONES=/zones \
    ROLLCALL_HTTP_LISTEN="[0.0.0.0:8500]" \
    ROLLCALL_STORE_PATH=/data

EXPOSE 53/udp 53/tcp 8500/tcp
VOLUME /data
# By number, so that Kubernetes can see that it is not root.
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["node", "-e", "fetch('http://127.0.0.1:8500/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/dist/main.js"]
CMD ["serve"]

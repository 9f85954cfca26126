// rolling-deploy.mjs -- replace all instances of a service by those of a new version, without losing a request
//
// Plain Node, nothing to install. For each old instance: start a new one, which registers itself, wait until it is
// healthy, drain the old one, wait until nobody has it any more, stop it. Behind a gateway or by DNS alone.
//
//   node docs/examples/rolling-deploy.mjs cart-service v2 -- node docs/examples/toy-service.mjs
//
// What stands behind `--` is started once for each old instance, with SERVICE_NAME, SERVICE_ID, SERVICE_VERSION and
// SERVICE_ADDRESS in its environment; it must register itself under that id, and it lives on when this script has ended. Old
// instances are stopped by SIGTERM to the process id in their metadata (`meta.pid`); where that is not there, stopping
// them is left to you. ROLLCALL_HTTP and ROLLCALL_TOKEN say where Rollcall is and how to be let in.

import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

const rollcall = process.env.ROLLCALL_HTTP ?? 'http://127.0.0.1:8500';
const token = process.env.ROLLCALL_TOKEN;
const HEALTHY_WITHIN_MS = 60_000;
const CALL_TIMEOUT_MS = 40_000;

const [service, version, separator, command, ...args] = process.argv.slice(2);
if (separator !== '--' || command === undefined) {
  console.error('usage: rolling-deploy.mjs SERVICE VERSION -- COMMAND [ARGUMENT...]');
  process.exit(2);
}

const { body } = await call('GET', `/v1/services/${encodeURIComponent(service)}`);
const old = body.instances.filter(({ meta }) => meta?.version !== version);
console.log(`${service}: ${old.length} to replace by ${version}`);
// A deploy that was broken off is gone on with: what it started has its ids.
const taken = new Set(body.instances.map(({ id }) => id));
for (const [index, instance] of old.entries()) {
  const id = freeId();
  const child = start(id, instance.address);
  await untilHealthy(id, child);
  console.log(`${id} is healthy`);
  await takeLeave(instance);
  console.log(`${instance.id} is gone (${index + 1}/${old.length})`);
}

function freeId() {
  let number = 1;
  while (taken.has(`${service}-${version}-${number}`)) number++;
  taken.add(`${service}-${version}-${number}`);
  return `${service}-${version}-${number}`;
}

/** The new instance goes on when this script has ended. */
function start(id, address) {
  const env = { SERVICE_NAME: service, SERVICE_ID: id, SERVICE_VERSION: version, SERVICE_ADDRESS: address };
  const child = spawn(command, args, { detached: true, stdio: 'ignore', env: { ...process.env, ...env } });
  child.on('error', (error) => console.error(`${command}: ${error.message}`));
  child.unref();
  return child;
}

/** Blocking reads: each answers when something of the service has changed, or after a while. */
async function untilHealthy(id, child) {
  const deadline = Date.now() + HEALTHY_WITHIN_MS;
  let index = 0;
  while (Date.now() < deadline) {
    const { body } = await call('GET', `/v1/services/${encodeURIComponent(service)}?index=${index}&wait=5s`);
    const instance = body.instances.find((each) => each.id === id);
    if (instance?.status === 'healthy') return;
    index = body.index;
  }
  // The old one is still there and has its share.
  if (child.pid !== undefined) stop(child.pid);
  throw new Error(`${id} has not become healthy: nothing else is replaced`);
}

async function takeLeave({ id, meta }) {
  const path = `/v1/instances/${encodeURIComponent(id)}`;
  const { body, date } = await call('POST', `${path}/drain`);
  // By the server's own clock, which may not be ours; its Date has whole seconds.
  await sleep(Math.max(0, Date.parse(body.safeAfter) - date));
  if (meta?.pid !== undefined) stop(Number(meta.pid));
  await call('DELETE', path);
}

function stop(pid) {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    console.error(`process ${pid}: ${error.message}`);
  }
}

async function call(method, path) {
  const response = await fetch(new URL(path, rollcall), {
    method,
    headers: { ...(token && { authorization: `Bearer ${token}` }) },
    signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
  });
  const text = await response.text();
  // Who signs off itself may be gone already.
  const isGone = method === 'DELETE' && response.status === 404;
  if (!response.ok && !isGone) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return { body: text === '' ? undefined : JSON.parse(text), date: Date.parse(response.headers.get('date')) };
}

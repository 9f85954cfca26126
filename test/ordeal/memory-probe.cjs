// memory-probe.cjs -- preloaded into a server to weigh its threads: each collects its garbage and says what is left
//
// A shard never comes back to its event loop, so it is asked where it looks for news: any change to the registry makes
// it do that. The main thread is asked with SIGUSR2. Both write a file into the folder MEMORY_PROBE_FOLDER.

const { existsSync, rmSync, writeFileSync } = require('node:fs');
const { syncBuiltinESMExports } = require('node:module');
const { getHeapStatistics } = require('node:v8');
const threads = require('node:worker_threads');

const folder = process.env.MEMORY_PROBE_FOLDER;

function weigh(file) {
  globalThis.gc();
  globalThis.gc();
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics();
  writeFileSync(file, JSON.stringify({ heap, external }));
}

if (threads.isMainThread) {
  process.on('SIGUSR2', () => weigh(`${folder}/main.json`));
} else {
  const { receiveMessageOnPort } = threads;
  threads.receiveMessageOnPort = (port) => {
    const received = receiveMessageOnPort(port);
    if (received === undefined && existsSync(`${folder}/weigh-shard`)) {
      rmSync(`${folder}/weigh-shard`);
      weigh(`${folder}/shard.json`);
    }
    return received;
  };
  syncBuiltinESMExports();
}

// sync-trace.ts -- reads what strace wrote of a server: was everything on disk before its reply was sent?

/** One system call: where in the trace it began and where it ended. */
interface Call {
  readonly name: string;
  readonly text: string;
  readonly begin: number;
  readonly end: number;
}

/** The calls that strace must write down; `-f -y -s 4096` beside them. */
export const TRACED_CALLS = 'fdatasync,fsync,pwrite64,openat,read,recvfrom,write,writev,sendto';

const LINE = /^(\d+)\s+(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)$/;

/** Every finished call of the trace, in the order of their ends. */
function readCalls(trace: string): Call[] {
  const open = new Map<string, { begin: number; text: string }>();
  const calls: Call[] = [];
  for (const [at, line] of trace.split('\n').entries()) {
    const [, pid = '', resumed, begun, rest = ''] = LINE.exec(line) ?? [];
    if (begun !== undefined && line.endsWith('<unfinished ...>')) open.set(pid, { begin: at, text: rest });
    else if (begun !== undefined) calls.push({ name: begun, text: rest, begin: at, end: at });
    else if (resumed !== undefined) {
      const { begin, text } = open.get(pid) ?? { begin: at, text: '' };
      calls.push({ name: resumed, text: text + rest, begin, end: at });
    }
  }
  return calls;
}

/**
 * For each marker (a part of a request's path that its reply's body repeats): whether, between reading the request and
 * writing the reply, the pages of the data file were synced and then its head was written through to the disk.
 */
export function syncedBefore(trace: string, markers: readonly string[]): Map<string, boolean> {
  const calls = readCalls(trace);
  const dataFile = '/data.mdb>';
  const through = new Set(
    calls.flatMap(({ name, text }) =>
      name === 'openat' && /O_D?SYNC/.test(text) && text.includes(dataFile) ? (/= (\d+<)/.exec(text)?.[1] ?? []) : [],
    ),
  );
  const isSync = ({ name, text }: Call) => /^f(data)?sync$/.test(name) && text.includes(dataFile);
  const isHead = ({ name, text }: Call) => name === 'pwrite64' && through.has(/^(\d+<)/.exec(text)?.[1] ?? '');
  return new Map(
    markers.map((marker) => {
      const request = calls.find(({ name, text }) => /^(read|recvfrom)$/.test(name) && text.includes(marker));
      const reply = calls.find(
        ({ name, text }) =>
          /^(write|writev|sendto)$/.test(name) && text.includes('HTTP/1.1 20') && text.includes(marker),
      );
      if (request === undefined || reply === undefined) return [marker, false];
      const between = calls.filter(({ begin, end }) => begin > request.end && end < reply.begin);
      const sync = between.find(isSync);
      const head = between.findLast((call) => isHead(call) || isSync(call));
      return [marker, sync !== undefined && head !== undefined && head.begin > sync.end];
    }),
  );
}

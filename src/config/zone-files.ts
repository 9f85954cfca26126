// zone-files.ts -- reads the zones folder: every *.zone and what it includes
//
// An $INCLUDE, or a link, leads to nothing outside the folder: who may write a zone file may not thereby read others.

import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import { errorMessage, errorsIn, LocatedError, type Problem } from '../base/errors.ts';
import { formatName, type Name, nameKey, parseName } from '../dns/name.ts';
import { buildZone } from '../zone/build-zone.ts';
import { type Include, readMasterFile } from '../zone/master-file.ts';
import type { Zone } from '../zone/zone.ts';
import type { DnsConfig } from './config.ts';
import type { Place } from './yaml-source.ts';

/** What the folder holds. */
export interface ZoneFiles {
  /** The zones without errors; when there is an error among the problems, not all that are meant. */
  readonly zones: readonly Zone[];
  readonly problems: readonly Problem[];
  /** Every file that was opened or looked for: when one of them changes, read again. */
  readonly files: readonly string[];
}

/** How to read. */
export interface ReadZonesOptions {
  /** Where somebody asked for this folder: a missing one is an error then, not a folder without zones. */
  readonly statedAt?: Place | undefined;
  /** Largest file in octets; default 16 MiB. */
  readonly maxFileOctets?: number;
}

const DEFAULT_MAX_FILE_OCTETS = 16 * 1024 * 1024;
const SUFFIX = '.zone';
/** Beyond it a zone's problems are only counted. */
const MAX_PROBLEMS_PER_ZONE = 100;

/**
 * Read every `*.zone` of a folder, in order of names. The file name without `.zone` is the origin to begin with; the
 * owner of the SOA is the apex. Never throws for what is on the disk.
 */
export function readZones(folder: string, options: ReadZonesOptions = {}): ZoneFiles {
  const problems: Problem[] = [];
  const files = new Set<string>();
  const zones: Zone[] = [];
  const fileOfApex = new Map<string, string>();
  const { statedAt } = options;
  const listing = listZoneFiles(folder, statedAt !== undefined);
  if ('problem' in listing) return { zones, problems: [folderProblem(folder, listing.problem, statedAt)], files: [] };

  const reader = new ConfinedReader(
    folder,
    listing.realFolder,
    options.maxFileOctets ?? DEFAULT_MAX_FILE_OCTETS,
    files,
  );
  for (const name of listing.names) {
    const file = join(folder, name);
    const { zone, problems: found } = readZone(reader, file, name);
    problems.push(...firstOf(found, file));
    if (zone === undefined) continue;
    const key = nameKey(zone.apex);
    const other = fileOfApex.get(key);
    if (other === undefined) zones.push(zone);
    else problems.push(wholeFile(file, `${formatName(zone.apex)} is the zone of ${other} already`));
    fileOfApex.set(key, other ?? file);
  }
  return { zones, problems, files: [...files] };
}

/** The zones of a configuration. Throws a LocatedError `invalid_zones` when one has an error. */
export function readValidZones({ zonesFolder, zonesStatedAt: statedAt }: DnsConfig): ZoneFiles {
  const zones = readZones(zonesFolder, { statedAt });
  if (errorsIn(zones.problems).length > 0) throw new LocatedError('invalid_zones', zones.problems);
  return zones;
}

function readZone(reader: ConfinedReader, file: string, name: string): { zone?: Zone; problems: readonly Problem[] } {
  const read = reader.read(file);
  if ('problem' in read) return { problems: [wholeFile(file, read.problem)] };
  const origin = originOf(name);
  const { records, problems } = readMasterFile({
    file,
    text: read.text,
    include: reader.include,
    ...(origin === undefined ? {} : { origin }),
  });
  // Checks on half of the records would only find what the missing half explains.
  if (problems.some(({ severity }) => severity === 'error')) return { problems };
  const built = buildZone(records, file);
  return { ...built, problems: [...problems, ...built.problems] };
}

/** `service.local.zone` is about `service.local.`; undefined when the file's name is no domain name. */
function originOf(fileName: string): Name | undefined {
  try {
    return parseName(`${fileName.slice(0, -SUFFIX.length)}.`);
  } catch {
    return undefined;
  }
}

type Listing = { readonly realFolder: string; readonly names: readonly string[] } | { readonly problem: string };

function listZoneFiles(folder: string, mustExist: boolean): Listing {
  try {
    const names = readdirSync(folder).filter((name) => name.endsWith(SUFFIX) && !name.startsWith('.'));
    return { realFolder: realpathSync(folder), names: names.sort() };
  } catch (thrown) {
    const isMissing = errorCode(thrown) === 'ENOENT';
    return isMissing && !mustExist ? { realFolder: folder, names: [] } : { problem: whyUnreadable(thrown) };
  }
}

type Read = { readonly text: string } | { readonly problem: string };

/** Reads text files that are really in one folder or below it. */
class ConfinedReader {
  readonly #folder: string;
  readonly #realFolder: string;
  readonly #maxOctets: number;
  readonly #files: Set<string>;

  constructor(folder: string, realFolder: string, maxOctets: number, files: Set<string>) {
    this.#folder = folder;
    this.#realFolder = realFolder;
    this.#maxOctets = maxOctets;
    this.#files = files;
  }

  /** Paths are relative to the file that includes. */
  readonly include: Include = (path, fromFile) => {
    if (isAbsolute(path) || path.split(/[/\\]/).includes('..')) {
      return { problem: `'${path}' must be a path below ${this.#folder}, without '..'` };
    }
    const file = join(dirname(fromFile), path);
    const read = this.read(file);
    return 'problem' in read ? { problem: `${file}: ${read.problem}` } : { file, text: read.text };
  };

  read(file: string): Read {
    this.#files.add(file);
    try {
      const real = realpathSync(file);
      const way = relative(this.#realFolder, real);
      if (way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way)) {
        return { problem: `leads out of ${this.#folder}` };
      }
      return this.#readText(real);
    } catch (thrown) {
      return { problem: whyUnreadable(thrown) };
    }
  }

  #readText(path: string): Read {
    // Without blocking, since to open a FIFO waits for a writer; without following, since a link may have come since.
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    try {
      const status = fstatSync(descriptor);
      if (!status.isFile()) return { problem: 'is not a regular file' };
      if (status.size > this.#maxOctets) return { problem: `has ${status.size} octets (at most ${this.#maxOctets})` };
      return decode(readFileSync(descriptor));
    } finally {
      closeSync(descriptor);
    }
  }
}

function decode(octets: Uint8Array): Read {
  const nul = octets.indexOf(0);
  if (nul >= 0) return { problem: `is not text: NUL at octet ${nul}` };
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(octets) };
  } catch {
    return { problem: 'is not UTF-8 text' };
  }
}

function whyUnreadable(thrown: unknown): string {
  switch (errorCode(thrown)) {
    case 'ENOENT':
      return 'does not exist';
    case 'EACCES':
      return 'may not be read';
    case 'ENOTDIR':
      return 'is not a folder';
    default:
      return errorMessage(thrown);
  }
}

function errorCode(thrown: unknown): string | undefined {
  return (thrown as NodeJS.ErrnoException).code;
}

function firstOf(problems: readonly Problem[], file: string): readonly Problem[] {
  if (problems.length <= MAX_PROBLEMS_PER_ZONE) return problems;
  // Errors before warnings, so that what keeps the zone out is never among those cut.
  const sorted = [...problems].sort((a, b) => a.severity.localeCompare(b.severity));
  const rest = `${problems.length - MAX_PROBLEMS_PER_ZONE} more problems`;
  const severity = sorted[0]!.severity;
  return [...sorted.slice(0, MAX_PROBLEMS_PER_ZONE), { ...wholeFile(file, rest), severity }];
}

function folderProblem(folder: string, reason: string, statedAt: Place | undefined): Problem {
  if (statedAt === undefined) return wholeFile(folder, reason);
  return { ...statedAt, message: `dns.zones: ${folder} ${reason}`, severity: 'error' };
}

function wholeFile(file: string, message: string): Problem {
  return { file, line: 0, column: 0, message, severity: 'error' };
}

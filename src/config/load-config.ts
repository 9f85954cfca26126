// load-config.ts -- the configuration file and the environment, read into a Config or into a list of all their faults

import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Problem } from '../base/errors.ts';
import { formatEndpoint, isLoopback, parseIp } from '../base/ip.ts';
import { LOG_LEVELS } from '../base/log.ts';
import { Findings, InputObject } from '../registry/input.ts';
import { section } from '../registry/input-forms.ts';
import type { Instance } from '../registry/instance.ts';
import { type InstanceRules, readInstanceInto } from '../registry/validate-instance.ts';
import type { Config } from './config.ts';
import { ConfigTree } from './config-tree.ts';
import { type Environment, readEnvironment } from './environment.ts';
import { locateFindings } from './located-findings.ts';
import { readDns } from './read-dns.ts';
import { readGateway, warnOfIdleGateway } from './read-gateway.ts';
import { readHealth } from './read-health.ts';
import { readHttp, readTokens } from './read-http.ts';
import { readSchedules } from './read-schedules.ts';
import { readStore } from './read-store.ts';
import type { SectionSource } from './section.ts';
import { readYaml, type YamlSource } from './yaml-source.ts';

/** What to load. */
export interface LoadConfigOptions {
  /**
   * The file, which must exist; false for none. Default: `rollcall.yaml` in `cwd` when there is one. Problems name it
   * as it is written here.
   */
  readonly file?: string | false;
  readonly env: Environment;
  /** Absolute. */
  readonly cwd: string;
  /** Is the id of an instance registered already, elsewhere than in the file? Default: none is. */
  readonly isTaken?: ((id: string) => boolean) | undefined;
}

/** What came of it. */
export interface LoadedConfig {
  /** Undefined when there is an error among the problems. */
  readonly config: Config | undefined;
  /** Errors and warnings; warnings do not keep a configuration from being used. */
  readonly problems: readonly Problem[];
  /** Absolute paths of the files read: when one changes, load again. */
  readonly files: readonly string[];
}

const DEFAULT_FILE = 'rollcall.yaml';
const MAX_FILE_OCTETS = 4 * 1024 * 1024;
const MAX_SERVICES = 100_000;

/** Read and validate everything at once. Never throws for what stands in the file or the environment. */
export function loadConfig(options: LoadConfigOptions): LoadedConfig {
  const { file, source: yaml } = openFile(options);
  const { overrides, problems: variableProblems } = readEnvironment(options.env);
  const files = file === undefined ? [] : [file];
  const problems = [...yaml.problems, ...variableProblems];
  // What the sections of half a file lack would only repeat that the file cannot be read.
  if (yaml.problems.length > 0) return { config: undefined, problems, files };

  const tree = new ConfigTree(yaml, overrides);
  const findings = new Findings();
  const root = InputObject.of(tree.value, '', findings);
  const config =
    root === undefined
      ? undefined
      : readSections(
          { tree, root, fileFolder: file === undefined ? options.cwd : dirname(file), cwd: options.cwd },
          file,
          options.isTaken,
        );
  problems.push(...locateFindings(findings, tree));
  if (config !== undefined) problems.push(...warnOfOpenDoor(config, tree));
  const hasErrors = problems.some(({ severity }) => severity === 'error');
  if (config !== undefined && !hasErrors) problems.push(...warnOfIdleGateway(config.gateway, tree));
  return { config: hasErrors ? undefined : config, problems, files };
}

const EMPTY: YamlSource = { value: undefined, places: new Map(), problems: [] };

function openFile({ file, cwd }: LoadConfigOptions): { file: string | undefined; source: YamlSource } {
  if (file === false) return { file: undefined, source: EMPTY };
  const name = file ?? DEFAULT_FILE;
  const path = resolve(cwd, name);
  try {
    const { size } = statSync(path);
    if (size > MAX_FILE_OCTETS) throw new Error(`it has ${size} octets (at most ${MAX_FILE_OCTETS})`);
    const text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
    return { file: path, source: readYaml(text, name) };
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOENT' && file === undefined) return { file: undefined, source: EMPTY };
    const reason = READ_ERRORS[code ?? ''] ?? message;
    const problem = {
      file: name,
      line: 0,
      column: 0,
      message: `cannot be read: ${reason}`,
      severity: 'error',
    } as const;
    return { file: path, source: { ...EMPTY, problems: [problem] } };
  }
}

const READ_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a folder',
  ERR_ENCODING_INVALID_ENCODED_DATA: 'it is not UTF-8 text',
};

function readSections(
  source: SectionSource,
  file: string | undefined,
  isTaken: LoadConfigOptions['isTaken'] = () => false,
): Config {
  const { root } = source;
  const dns = readDns(source);
  const http = readHttp(source);
  const tokens = readTokens(source);
  const store = readStore(source);
  const health = readHealth(source);
  const gateway = readGateway(source, { dns, http });
  const log = section(root, 'log');
  const level = log.oneOf('level', LOG_LEVELS) ?? 'info';
  log.finish();
  // Whoever writes this file may run programs anyway.
  const rules = { checkDefaults: { ...health, allowExec: true }, domains: dns.domains.map(({ name }) => name) };
  const services = readServices(root, rules, isTaken);
  const schedules = readSchedules(source);
  root.finish();
  return { dns, http, auth: { tokens }, store, health, gateway, services, schedules, log: { level }, file };
}

function readServices(root: InputObject, rules: InstanceRules, isTaken: (id: string) => boolean): readonly Instance[] {
  const instances: Instance[] = [];
  const ids = new Set<string>();
  for (const [index, each] of (root.list('services', MAX_SERVICES) ?? []).entries()) {
    const path = `services[${index}]`;
    const instance = readInstanceInto(root.findings, each, path, {}, rules);
    if (instance === undefined) continue;
    if (ids.has(instance.id)) root.fail(path, `the id '${instance.id}' stands twice`);
    if (isTaken(instance.id)) root.fail(path, `the id '${instance.id}' is registered through the API already`);
    ids.add(instance.id);
    instances.push(instance);
  }
  return instances;
}

/** Without tokens only callers on this machine are let in, which whoever listens elsewhere may not expect. */
function warnOfOpenDoor({ http, auth }: Config, tree: ConfigTree): Problem[] {
  const open = http.listen.filter(({ address }) => !isLoopback(parseIp(address)!));
  if (auth.tokens.length > 0 || open.length === 0) return [];
  const where = open.map(formatEndpoint).join(', ');
  const message = `http.listen: without auth.tokens only callers on this machine are let in, also at ${where}`;
  return [{ ...tree.valuePlace('http.listen'), message, severity: 'warning' }];
}

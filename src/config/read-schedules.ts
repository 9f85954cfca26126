// read-schedules.ts -- the `schedules` key: when maintenance begins and ends by itself

import { cronProblem, timezoneProblem } from '../health/cron.ts';
import { InputObject } from '../registry/input.ts';
import { idProblem, serviceProblem } from '../registry/label.ts';
import type { ScheduleConfig } from './config.ts';
import type { SectionSource } from './section.ts';

const MAX_SCHEDULES = 1000;

/** Read every schedule. */
export function readSchedules({ root }: SectionSource): readonly ScheduleConfig[] {
  const schedules: ScheduleConfig[] = [];
  for (const [index, each] of (root.list('schedules', MAX_SCHEDULES) ?? []).entries()) {
    const object = InputObject.of(each, root.at(`schedules[${index}]`), root.findings);
    const schedule = object === undefined ? undefined : readSchedule(object);
    if (schedule === undefined) continue;
    if (schedules.some(({ name }) => name === schedule.name)) object!.fail('name', `'${schedule.name}' stands twice`);
    schedules.push(schedule);
  }
  return schedules;
}

function readSchedule(input: InputObject): ScheduleConfig | undefined {
  const name = input.text('name', 128);
  const cron = input.word('cron', cronProblem);
  const timezone = input.word('timezone', timezoneProblem);
  for (const key of ['name', 'cron', 'action']) if (!input.has(key)) input.fail(key, 'is missing');
  const action = input.object('action');
  input.finish();
  const parts = action === undefined ? undefined : readAction(action);
  if (name === undefined || cron === undefined || parts === undefined) return undefined;
  return { name, cron, timezone, ...parts };
}

function readAction(input: InputObject): Pick<ScheduleConfig, 'maintenance' | 'target'> | undefined {
  const maintenance = readSwitch(input);
  const service = input.word('service', serviceProblem)?.toLowerCase();
  const instance = input.word('instance', idProblem);
  const [hasService, hasInstance] = [input.has('service'), input.has('instance')];
  if (hasService === hasInstance) input.fail('', 'must name either a service or an instance');
  input.finish();
  if (maintenance === undefined || hasService === hasInstance) return undefined;
  if (service !== undefined) return { maintenance, target: { service } };
  return instance === undefined ? undefined : { maintenance, target: { instance } };
}

/** YAML 1.2 reads on and off as text, older readers and habits as true and false. */
function readSwitch(input: InputObject): 'on' | 'off' | undefined {
  const value = input.raw('maintenance');
  if (value === undefined) return input.fail('maintenance', 'is missing: on or off');
  if (value === 'on' || value === true) return 'on';
  if (value === 'off' || value === false) return 'off';
  return input.fail('maintenance', 'must be on or off');
}

// cron.ts -- what is wrong with a cron expression or a time zone, asked of node-cron and of Node itself

import { validateDetailed } from 'node-cron';

/** What is wrong with a cron expression of five fields, or six with seconds first; undefined when it is fine. */
export function cronProblem(text: string): string | undefined {
  const { valid, errors } = validateDetailed(text);
  if (valid) return undefined;
  const what = errors.map(({ field, message }) => (field === 'expression' ? message : `${field}: ${message}`));
  return `is not a cron expression: ${what.join('; ') || 'it cannot be read'}`;
}

/** What is wrong with the name of a time zone; undefined when it is fine. node-cron itself would take any. */
export function timezoneProblem(text: string): string | undefined {
  try {
    new Intl.DateTimeFormat('en', { timeZone: text });
    return undefined;
  } catch {
    return 'is not a time zone like UTC or Europe/Berlin';
  }
}

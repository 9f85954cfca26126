// errors.ts -- the three kinds of error: coded, located, and a broken promise of our own
//
// A CodedError is for somebody who called us (HTTP, CLI, store) and carries a stable code. A LocatedError is for the
// operator and lists every problem in the files that were read, each as file:line:column. What is left is a bug, and
// `assert` says so.

/** One place in a request body or a configuration tree and what is wrong there. */
export interface ErrorDetail {
  /** Dotted path, `checks[0].interval`; empty for the whole. */
  readonly path: string;
  readonly message: string;
}

/** An error with a code that callers may rely on; codes are listed in docs/errors.md and never change meaning. */
export class CodedError extends Error {
  override readonly name = 'CodedError';
  readonly code: string;
  readonly details: readonly ErrorDetail[];

  constructor(code: string, message: string, details: readonly ErrorDetail[] = []) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

/** One problem in a file. Line and column count from 1; 0 means the file as a whole. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly severity: 'error' | 'warning';
}

/** `file:line:column: message`, the form editors and people know how to follow. */
export function formatProblem(problem: Problem): string {
  const place = problem.line > 0 ? `${problem.file}:${problem.line}:${problem.column}` : problem.file;
  return `${place}: ${problem.severity === 'warning' ? 'warning: ' : ''}${problem.message}`;
}

/** Every problem found in a set of files, reported at once. */
export class LocatedError extends Error {
  override readonly name = 'LocatedError';
  readonly code: string;
  readonly problems: readonly Problem[];

  constructor(code: string, problems: readonly Problem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.code = code;
    this.problems = problems;
  }
}

/** Throw when something that this code itself guarantees does not hold. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}

/** The message of anything that was thrown. */
export function errorMessage(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Those that are no mere warnings. */
export function errorsIn(problems: readonly Problem[]): Problem[] {
  return problems.filter(({ severity }) => severity === 'error');
}

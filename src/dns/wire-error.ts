// wire-error.ts -- a message that cannot be taken as it is, with the rcode it deserves

/** Thrown while reading a message. Carries no stack: floods of bad packets must stay cheap. */
export class WireError extends Error {
  override readonly name = 'WireError';
  readonly rcode: number;

  constructor(rcode: number, message: string) {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = limit;
    this.rcode = rcode;
  }
}

// probe-output.ts -- the text a result carries: bounded, and safe to print

/** The most a result's output may hold, in octets of UTF-8; also how much of a body or a program's output is read. */
export const OUTPUT_LIMIT_BYTES = 4096;

/**
 * `text` cut to OUTPUT_LIMIT_BYTES at a character boundary. Control characters other than tab and line feed are
 * replaced, and so are characters that reorder or hide others: the text comes from whatever was probed and ends up on
 * people's terminals.
 */
export function boundOutput(text: string): string {
  // A character is at least one octet, so this slice never cuts too much and keeps the work bounded.
  const printable = text.slice(0, OUTPUT_LIMIT_BYTES).replaceAll('\r\n', '\n').replace(CONTROL, '\ufffd');
  if (printable.length * 3 <= OUTPUT_LIMIT_BYTES) return printable;
  const buffer = new Uint8Array(OUTPUT_LIMIT_BYTES);
  const { read } = new TextEncoder().encodeInto(printable, buffer);
  return printable.slice(0, read);
}

const CONTROL = /[\p{Cf}\p{Cs}\u2028\u2029]|(?![\t\n])\p{Cc}/gu;

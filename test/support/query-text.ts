// query-text.ts -- queries as one line of text, so that a table of them can be read
//
// `name [class] TYPE`, then in any order:
//   flags=0100   the flags word but for the opcode, hexadecimal; default 0000
//   opcode=4
//   edns         an OPT record of version 0; edns=1: of another version
//   size=4096    its UDP size; default 1232
//   do           its DO flag; ednsflags=4000: the whole word
//   opt=10:0102  one more option, code and data; may be repeated
//   headeronly   no question
//   twice        the question stands there twice
// `hex:` and octets in hexadecimal: a message as it stands, but for its id.

import { parseQuestion } from './name-server.ts';
import { bytes } from './wire.ts';

/** The octets of a query written in the form above. */
export function queryOctets(text: string, id: number): Buffer {
  if (text.startsWith('hex:')) return withId(Buffer.from(bytes(text.slice(4))), id);
  const words = text.split(/\s+/);
  const optionsAt = words.findIndex((word, i) => i > 1 && /^[a-z]/.test(word));
  const question = parseQuestion(words.slice(0, optionsAt === -1 ? undefined : optionsAt).join(' '));
  const options = optionsAt === -1 ? [] : words.slice(optionsAt);
  const value = (key: string) => options.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1);
  const has = (key: string) => options.some((word) => word === key || word.startsWith(`${key}=`));
  const asked = Buffer.concat([question.name, words16(question.type, question.class)]);
  const count = has('headeronly') ? 0 : has('twice') ? 2 : 1;
  const flags = Number.parseInt(value('flags') ?? '0', 16) | (Number(value('opcode') ?? 0) << 11);
  const opt = ['edns', 'size', 'do', 'ednsflags', 'opt'].some(has) ? optRecord(options, value, has) : Buffer.alloc(0);
  return Buffer.concat([
    words16(id, flags, count, 0, 0, opt.length > 0 ? 1 : 0),
    ...Array.from({ length: count }, () => asked),
    opt,
  ]);
}

function optRecord(
  words: readonly string[],
  value: (key: string) => string | undefined,
  has: (key: string) => boolean,
): Buffer {
  const data = words.flatMap((word) => {
    const [, code, hex] = /^opt=(\d+):(.*)$/.exec(word) ?? [];
    if (code === undefined) return [];
    const octets = bytes(hex!);
    return [words16(Number(code), octets.length), octets];
  });
  const rdata = Buffer.concat(data);
  const flags = Number.parseInt(value('ednsflags') ?? '0', 16) | (has('do') ? 0x8000 : 0);
  const version = Number(value('edns') ?? 0);
  return Buffer.concat([Buffer.of(0), words16(41, Number(value('size') ?? 1232), version, flags, rdata.length), rdata]);
}

/** 16 bits each. */
function words16(...values: readonly number[]): Buffer {
  const octets = Buffer.alloc(values.length * 2);
  for (const [i, value] of values.entries()) octets.writeUInt16BE(value & 0xffff, i * 2);
  return octets;
}

function withId(message: Buffer, id: number): Buffer {
  if (message.length >= 2) message.writeUInt16BE(id);
  return message;
}

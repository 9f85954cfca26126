// rdata.ts -- RDATA of any type: between messages and stored form, and between stored form and text
//
// To add a type: its number in codes.ts, one row in the family file it belongs to. Types without a row are opaque
// octets, written `\# length hex` (RFC 3597).

import type { Name } from '../name.ts';
import { errorAt, PresentationError, type TokenCursor } from '../token-cursor.ts';
import { WireError } from '../wire-error.ts';
import { formErr, WireReader } from '../wire-reader.ts';
import { WireWriter } from '../wire-writer.ts';
import { BASIC } from './basic.ts';
import type { Field } from './field.ts';
import { LOCATING } from './locating.ts';
import { SECURITY } from './security.ts';

const SHAPES: ReadonlyMap<number, readonly Field[]> = new Map([...BASIC, ...LOCATING, ...SECURITY]);

const MAX_RDATA = 65535;

/** Where RDATA is put together before it is copied: one buffer for all, as reading never nests. */
const SCRATCH = WireWriter.growing(1024);

/**
 * Take the next `length` octets of a message as RDATA in stored form: a copy, names expanded, every field checked.
 * Throws WireError.
 */
export function readRdata(reader: WireReader, type: number, length: number): Uint8Array {
  const end = reader.offset + length;
  if (end > reader.bytes.length) throw formErr('RDATA runs past the end');
  const shape = SHAPES.get(type);
  // Not `slice`: of a Buffer that is a view, which would change with the message's memory.
  if (shape === undefined) return new Uint8Array(reader.octets(length));
  SCRATCH.rewind(0);
  transfer(shape, reader, end, SCRATCH);
  return SCRATCH.bytes.slice(0, SCRATCH.offset);
}

/** Write stored RDATA into a message, behind its length, compressing the names that may be. */
export function writeRdata(writer: WireWriter, type: number, rdata: Uint8Array): void {
  const lengthAt = writer.offset;
  writer.u16(rdata.length);
  const shape = SHAPES.get(type);
  if (shape === undefined) {
    writer.octets(rdata);
    return;
  }
  transfer(shape, new WireReader(rdata), rdata.length, writer);
  if (!writer.overflowed) writer.patchU16(lengthAt, writer.offset - lengthAt - 2);
}

function transfer(shape: readonly Field[], reader: WireReader, end: number, writer: WireWriter): void {
  for (const field of shape) {
    field.transfer(reader, end, writer);
    if (reader.offset > end) throw formErr('RDATA is longer than its length says');
  }
  if (reader.offset !== end) throw formErr('RDATA is shorter than its length says');
}

/** RDATA from its text, the type's own or `\# length hex`. Throws PresentationError. */
export function parseRdata(type: number, tokens: TokenCursor): Uint8Array {
  const first = tokens.peek();
  const shape = SHAPES.get(type);
  if (first?.text === '\\#' && !first.quoted) return parseOpaque(type, tokens);
  if (shape === undefined) throw tokens.errorHere('RDATA of this type must be written as \\# length hex (RFC 3597)');
  const writer = WireWriter.growing();
  for (const field of shape) field.parse(tokens, writer);
  const extra = tokens.peek();
  if (extra !== undefined) throw errorAt(extra, `unexpected '${extra.text}' after the record`);
  if (writer.offset > MAX_RDATA) throw tokens.errorHere(`RDATA has ${writer.offset} octets (at most ${MAX_RDATA})`);
  return writer.written().slice();
}

function parseOpaque(type: number, tokens: TokenCursor): Uint8Array {
  const mark = tokens.take('\\#');
  const length = tokens.takeNumber('length', MAX_RDATA);
  const hex = length === 0 && tokens.isDone ? '' : tokens.takeRest('data').text;
  if (!/^(?:[0-9A-Fa-f]{2})*$/.test(hex) || hex.length !== length * 2) {
    throw errorAt(mark, `\\# announces ${length} octets, the data are not that`);
  }
  let rdata: Uint8Array;
  try {
    rdata = readRdata(new WireReader(Buffer.from(hex, 'hex')), type, length);
  } catch (thrown) {
    if (thrown instanceof WireError) throw new PresentationError(thrown.message, mark.line, mark.column);
    throw thrown;
  }
  // There is no message here that a pointer could lead to.
  if (rdata.length !== length) throw errorAt(mark, 'compressed name in \\# data');
  return rdata;
}

/** The text of stored RDATA. */
export function formatRdata(type: number, rdata: Uint8Array): string {
  const shape = SHAPES.get(type);
  if (shape === undefined) return formatOpaque(rdata);
  const reader = new WireReader(rdata);
  return shape
    .map((field) => field.format(reader, rdata.length))
    .filter((text) => text !== '')
    .join(' ');
}

function formatOpaque(rdata: Uint8Array): string {
  return rdata.length === 0 ? '\\# 0' : `\\# ${rdata.length} ${Buffer.from(rdata).toString('hex').toUpperCase()}`;
}

/** The name that NS, CNAME or PTR RDATA consists of. */
export function nameOfRdata(rdata: Uint8Array): Name {
  return rdata as Name;
}

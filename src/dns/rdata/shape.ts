// shape.ts -- what a type's RDATA consists of

import type { Field } from './field.ts';

/** Types and the fields of their RDATA, in wire order. */
export type Shapes = readonly (readonly [type: number, shape: readonly Field[]])[];

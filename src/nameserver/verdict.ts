// verdict.ts -- what answering may come to when it is not a reply

/** There is to be no reply. */
export const NO_REPLY = 0;
/** The name is outside every zone, and this client may have it asked for upstream. */
export const FORWARD = -1;
/** A zone transfer that is allowed: many messages, over a stream only. */
export const TRANSFER = -2;

// ability.ts -- whether a member can be in an answer at all, by what is asked for

import type { Member } from '../registry/member.ts';

/** Has a member a record of the type, or the port, that is asked for? Only addresses, ports and metadata decide. */
export type Ability = (member: Member) => boolean;

/** For what every instance has. */
export const EVERYBODY_ABLE: Ability = () => true;

// leading.ts -- who may come first: not those of weight 0 while anybody else is to be had (contract section 3)

import type { Member } from '../registry/member.ts';
import type { Policy } from '../registry/policy.ts';

/** Has the member a weight, also while it warns? */
export function mayLead({ status, instance }: Member, policy: Policy | undefined): boolean {
  return instance.weight > 0 && !(status === 'warning' && policy?.warningWeight === 0);
}

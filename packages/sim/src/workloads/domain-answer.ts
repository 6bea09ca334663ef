import { isRecord, isWhole } from '@mk/monitor-proto/guards';
import type { DomainId } from '@mk/monitor-proto/ids';

/** The domain in the answer of `domain_create`. */
export function domainOf(answer: unknown): DomainId {
  if (isRecord(answer) && isWhole(answer['domain'])) return answer['domain'];
  throw new TypeError(`domain_create answered ${JSON.stringify(answer)}`);
}

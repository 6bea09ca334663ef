import { row } from './spec.ts';

/** Capabilities and memory. */
export const CAPABILITY_INVARIANTS = {
  C1: row(
    'node-kernel/src/capability/audit/audit-owners.ts',
    'checker capabilities, mkctl audit',
    'A capability of a single-owner type has one owner, on whom all copies agree and who holds a copy.',
  ),
  C2: row(
    'node-kernel/src/capability/audit/audit-memory.ts',
    'checker capabilities, mkctl audit',
    'No two capabilities of incompatible types cover the same memory, and none covers free memory.',
  ),
  C3: row(
    'node-kernel/src/capability/audit/audit.ts',
    'checker revoked, churn',
    'When a revoke reports success, nothing of its target is left anywhere but the slot itself.',
  ),
  C4: row(
    'node-kernel/src/monitor/capops/retype.ts',
    'checker capabilities (as C2)',
    'Of overlapping retypes one succeeds, and the others are refused.',
  ),
  C5: row(
    'node-kernel/src/capability/audit/audit-memory.ts',
    'checker capabilities, mkctl audit',
    'All memory is free, covered by a capability, or on its way home.',
  ),
  LO1: row(
    'node-kernel/src/capability/store/loans.ts',
    'checker ram',
    'A byte that a core has lent is its own, lent once, and not free there meanwhile.',
  ),
  C6: row(
    'node-kernel/src/monitor/capops/requests.ts',
    'churn',
    'No operation succeeds without the right that it needs.',
  ),
  C7: row(
    'node-kernel/src/monitor/capops/requests.ts',
    'churn',
    'Every capability operation ends, in success or a named error.',
  ),
  relations: row(
    'node-kernel/src/capability/audit/audit-owners.ts',
    'checker capabilities, mkctl audit',
    'The owner knows of every copy, ancestor and descendant that may be on other cores.',
  ),
  copies: row(
    'node-kernel/src/capability/audit/audit-owners.ts',
    'checker capabilities, mkctl audit',
    'The copies on one core agree on owner, lock and relations.',
  ),
  CS1: row(
    'node-kernel/src/capability/model/changes.ts',
    'cheap',
    'At the end of a step, the services have heard of every capability change, or hear of it in the same turn.',
  ),
  CS2: row(
    'node-kernel/src/capability/store/local-capabilities.ts',
    'step',
    'The target of a committed revoke stays locked as long as the revoke runs.',
  ),
  CS3: row(
    'node-kernel/src/capability/store/deletion-queue.ts',
    'step',
    'A slot that the monitor is deleting across cores is full.',
  ),
  CR1: row(
    'node-kernel/src/monitor/capops/revoke.ts',
    'step, cheap',
    'A participant of a committed revoke keeps its mark; one without a mark still owes its vote.',
  ),
  RO1: row(
    'node-kernel/src/monitor/capops/recover.ts',
    'tests (mutants)',
    'A core adopts only what no lower member holds as an orphan and no member owns.',
  ),
  RO2: row(
    'node-kernel/src/monitor/capops/recover.ts',
    'tests (mutants)',
    'A core that is not the lowest keeps asking until it hears of a new owner, or nobody is in its way.',
  ),
  RO3: row(
    'node-kernel/src/monitor/capops/handovers.ts',
    'step, tests (mutants), checker survivors',
    'When a core dies while taking ownership over, every core that has not heard of it still finds an owner that holds a copy.',
  ),
  CT1: row(
    'node-kernel/src/monitor/capops/retype.ts',
    'step',
    'A range is guarded only for an initiator that is present.',
  ),
  CM1: row(
    'node-kernel/src/monitor/capops/copy.ts',
    'step',
    'Only capabilities that may leave their core are in flight.',
  ),
  CF1: row(
    'node-kernel/src/monitor/capops/reclaim.ts',
    'step',
    'A home asks about each piece of memory in one batch at a time; a watch has an initiator that is present.',
  ),
  M1: row(
    'node-kernel/src/memory/coherence/directory.ts',
    'step, checker memory',
    'A page has one writer or many readers, counting grants in flight.',
  ),
  M2: row(
    'node-kernel/src/memory/coherence/page-cache.ts',
    'checker memory, litmus',
    'A read returns the last write in the order of its page’s versions: all readable copies are equal.',
  ),
  M3: row(
    'node-kernel/src/memory/coherence/directory.ts',
    'checker memory',
    'The directory names every holder of a page.',
  ),
  M4: row(
    'node-kernel/src/memory/coherence/page-cache.ts',
    'step, checker memory',
    'Every miss ends: a thread waits only for a page that was requested, and nothing waits at the end.',
  ),
  M5: row(
    'node-kernel/src/memory/coherence/directory.ts',
    'step, checker memory',
    'No page is lost silently: the log names it, and later requests fail with PAGE_LOST.',
  ),
  M6: row(
    'node-kernel/src/memory/page-copies.ts',
    'step, checker memory',
    'After an unmap or revoke has returned, no access through the old mapping has an effect.',
  ),
  VS1: row(
    'node-kernel/src/monitor/memory/address-spaces.ts',
    'step, checker memory',
    'A translation in use on a core is in the page tables of the domain’s home, or is being removed.',
  ),
  V2: row(
    'node-kernel/src/monitor/memory/shootdowns.ts',
    'checker memory, tests',
    'When an unmap, protect or revoke has returned, no core uses the old translation.',
  ),
  VS2: row(
    'node-kernel/src/monitor/memory/shootdowns.ts',
    'tests',
    'A round ends once each core has acted or is gone; its waiters hear of it in time.',
  ),
} as const;

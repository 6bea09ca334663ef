import { row } from './spec.ts';

/** The knowledge base and its clients. */
export const KNOWLEDGE_INVARIANTS = {
  O1: row('skb/src/octopus/store.ts', 'tests', 'Requests take effect one after another, whole or not at all.'),
  O2: row('skb/src/octopus/store.ts', 'tests', 'A trigger is installed in the step of the query that carries it.'),
  O3: row('skb/src/octopus/store.ts', 'tests', 'A trigger reports changes in their order; nothing follows REMOVED.'),
  O4: row('skb/src/octopus/store.ts', 'tests', 'Sequential numbers of a name only rise.'),
  O5: row(
    'skb/src/octopus/store.ts',
    'tests',
    'When an owner goes, its transient records go in the order in which they were set.',
  ),
  O6: row(
    'skb/src/octopus/store.ts',
    'tests',
    'Taken and available permits add up to those posted, less those consumed for good.',
  ),
  OD1: row(
    'skb/src/knowledge/octopus-desk.ts',
    'tests',
    'No message leaves before the changes that it rests on are on disk.',
  ),
  OD2: row('skb/src/knowledge/octopus-desk.ts', 'tests', 'A request repeated after a restart takes effect once.'),
  OD3: row(
    'skb/src/knowledge/octopus-desk.ts',
    'tests',
    'Requests of one client take effect in the order in which it made them.',
  ),
  OD4: row('skb/src/knowledge/octopus-desk.ts', 'tests', 'A turn runs a bounded number of steps; clients take turns.'),
  JN1: row('skb/src/journal/io/sqlite-journal.ts', 'tests', '`append` resolves once the changes are on disk.'),
  JN2: row('skb/src/journal/io/sqlite-journal.ts', 'tests', 'Everything appended is read back unchanged.'),
  JN3: row(
    'skb/src/journal/io/sqlite-journal.ts',
    'tests',
    'An unreadable row is set aside, by name, and costs no other row.',
  ),
  JN4: row('skb/src/journal/io/sqlite-journal.ts', 'tests', 'One process at a time holds the journal.'),
  N1: row(
    'monitor-proto/src/knowledge/session.ts',
    'tests',
    'A client learns that its session is over no later than anybody can acquire what it held.',
  ),
  N2: row('monitor-proto/src/knowledge/session.ts', 'tests', 'A lost session stays lost.'),
  LK1: row(
    'libmk/src/octopus/lock.ts',
    'tests',
    'At any time at most one holder has yet to hear that it lost the lock.',
  ),
  LK2: row('libmk/src/octopus/lock.ts', 'tests', 'Tokens rise from holder to holder, across restarts of the SKB too.'),
  HR1: row(
    'libmk/src/octopus/held-record.ts',
    'tests',
    'A holder that loses its lock hears of it within the session time-out.',
  ),
  HR2: row('libmk/src/octopus/held-record.ts', 'tests', 'It hears of it once, and never after releasing the lock.'),
  BR1: row(
    'libmk/src/octopus/barrier.ts',
    'tests',
    'Nobody passes a barrier before the number it waits for have arrived.',
  ),
  BR2: row('libmk/src/octopus/barrier.ts', 'tests', 'A member that dies blocks nobody else.'),
} as const;

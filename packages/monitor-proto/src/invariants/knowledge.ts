import { row } from './spec.ts';

/** The knowledge base and its clients. */
export const KNOWLEDGE_INVARIANTS = {
  O1: row('skb/src/octopus/store.ts', 'tests', 'Requests take effect one after the other, whole or not at all.'),
  O2: row('skb/src/octopus/store.ts', 'tests', 'A trigger is installed in the step of the query that carries it.'),
  O3: row(
    'skb/src/octopus/store.ts',
    'tests',
    'A trigger tells in the order of the changes; after REMOVED nothing comes.',
  ),
  O4: row('skb/src/octopus/store.ts', 'tests', 'Sequential numbers of a name only rise.'),
  O5: row(
    'skb/src/octopus/store.ts',
    'tests',
    'When an owner goes its transient records go in the order they were set.',
  ),
  O6: row(
    'skb/src/octopus/store.ts',
    'tests',
    'Taken permits and those that can be taken are as many as were posted, less those taken for good.',
  ),
  OD1: row(
    'skb/src/knowledge/octopus-desk.ts',
    'tests',
    'Nothing leaves before the changes that it rests on are on the disk.',
  ),
  OD2: row(
    'skb/src/knowledge/octopus-desk.ts',
    'tests',
    'A request that is asked again after a restart takes effect once.',
  ),
  OD3: row(
    'skb/src/knowledge/octopus-desk.ts',
    'tests',
    'Requests of one client take effect in the order in which it made them.',
  ),
  OD4: row('skb/src/knowledge/octopus-desk.ts', 'tests', 'A turn takes as many steps as it may; clients take turns.'),
  JN1: row('skb/src/journal/io/sqlite-journal.ts', 'tests', '`append` resolves when the changes are on the disk.'),
  JN2: row('skb/src/journal/io/sqlite-journal.ts', 'tests', 'Whatever was appended is read back as it was.'),
  JN3: row(
    'skb/src/journal/io/sqlite-journal.ts',
    'tests',
    'A row that cannot be read is set aside, by name, and costs no other.',
  ),
  JN4: row('skb/src/journal/io/sqlite-journal.ts', 'tests', 'One process has the journal.'),
  N1: row(
    'monitor-proto/src/knowledge/session.ts',
    'tests',
    'A client knows that its session is over no later than anybody can have what it held.',
  ),
  N2: row('monitor-proto/src/knowledge/session.ts', 'tests', 'A session that was lost stays so.'),
  LK1: row(
    'libmk/src/octopus/lock.ts',
    'tests',
    'At any time at most one holder has not been told that it lost the lock.',
  ),
  LK2: row('libmk/src/octopus/lock.ts', 'tests', 'Tokens rise from holder to holder, over restarts of the SKB too.'),
  HR1: row('libmk/src/octopus/held-record.ts', 'tests', 'Who loses what it held is told within the session time-out.'),
  HR2: row('libmk/src/octopus/held-record.ts', 'tests', 'It is told once, and never after it gave it back.'),
  BR1: row(
    'libmk/src/octopus/barrier.ts',
    'tests',
    'Nobody passes a barrier before the number it waits for have come in.',
  ),
  BR2: row('libmk/src/octopus/barrier.ts', 'tests', 'A member that dies stops nobody else.'),
} as const;

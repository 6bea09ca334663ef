import { row } from './spec.ts';

/** Dispatchers, domains, channels between programs, and the library. */
export const PROGRAM_INVARIANTS = {
  P1: row(
    'node-kernel/src/cpu-driver/dispatchers/dispatchers.ts',
    'cheap, checker programs',
    'At most one dispatcher of a core is in a turn.',
  ),
  P2: row(
    'node-kernel/src/cpu-driver/dispatchers/dispatchers.ts',
    'tests',
    'A dispatcher is resumed only when something waits for it, and sees upcalls in their order.',
  ),
  P3: row(
    'node-kernel/src/cpu-driver/dispatchers/dispatchers.ts',
    'tests',
    'Whoever keeps the core past its slice is asked to yield, and is killed after the grace period.',
  ),
  P4: row(
    'node-kernel/src/cpu-driver/dispatchers/dispatchers.ts',
    'checker programs',
    'Every dispatcher has its part of a domain and its cspace.',
  ),
  P5: row(
    'node-kernel/src/monitor/programs/homes.ts',
    'checker programs',
    'A domain that has finished has no part on a living core.',
  ),
  P6: row(
    'node-kernel/src/monitor/programs/homes.ts',
    'tests',
    'A part on a core that is gone has ended; the domain goes on without it.',
  ),
  P7: row(
    'node-kernel/src/monitor/programs/parts.ts',
    'checker programs',
    'When all domains have ended nothing of them is left on any core.',
  ),
  K1: row(
    'node-kernel/src/monitor/channels/ends.ts',
    'checker channels',
    'What a program hands over comes exactly once and in order to the other end.',
  ),
  K2: row(
    'node-kernel/src/monitor/channels/end.ts',
    'cheap, checker channels',
    'Credit is what counters say, and no more than a window is under way.',
  ),
  K3: row(
    'node-kernel/src/monitor/channels/circuits.ts',
    'checker channels',
    'With everything settled a circuit is at both ends of its link.',
  ),
  K4: row(
    'node-kernel/src/monitor/channels/circuits.ts',
    'tests',
    'A relay passes on what comes, in order, and holds nothing of it.',
  ),
  K5: row(
    'node-kernel/src/monitor/channels/ends.ts',
    'checker channels',
    'A capability in a message comes once, before its message; none is lost or left without one.',
  ),
  K6: row(
    'node-kernel/src/monitor/channels/ends.ts',
    'checker channels',
    'An end whose other end is gone is told, after everything that was sent before.',
  ),
  K7: row(
    'node-kernel/src/monitor/channels/binding.ts',
    'checker channels',
    'Every bind and every message with capabilities ends.',
  ),
  SC1: row('node-kernel/src/cpu-driver/scheduler/rbed.ts', 'tests', 'The queue is in order of absolute deadlines.'),
  SC2: row(
    'node-kernel/src/cpu-driver/scheduler/rbed.ts',
    'tests',
    'The utilisations that were admitted and the tenth for best effort never exceed the processor.',
  ),
  SC3: row(
    'node-kernel/src/cpu-driver/scheduler/rbed.ts',
    'tests',
    'No job executes longer than its budget by more than what runs without the scheduler being asked.',
  ),
  BD1: row(
    'libmk/src/dispatcher/protocol.ts',
    'tests',
    'A batch decodes to what was encoded, or is refused as a whole.',
  ),
  BD2: row(
    'libmk/src/dispatcher/protocol.ts',
    'tests',
    'A turn brings a bounded number of calls and bytes; the rest stays, in order.',
  ),
  RT1: row(
    'libmk/src/runtime/runtime.ts',
    'tests',
    'Upcalls of a batch are handled in order, each before any thread runs that it woke.',
  ),
  RT2: row('libmk/src/runtime/runtime.ts', 'tests', 'After `end` nothing of the program runs any more.'),
  RT3: row(
    'libmk/src/runtime/runtime.ts',
    'tests',
    'An error that nobody catches ends the program with the name of the thread.',
  ),
  RT4: row(
    'libmk/src/runtime/runtime.ts',
    'tests',
    'A promise that is rejected and that nobody holds when its turn is over ends the program, too.',
  ),
  Q1: row('libmk/src/runtime/run-queue.ts', 'tests', 'Who is woken first goes on first.'),
  Q2: row('libmk/src/runtime/run-queue.ts', 'tests', 'One strand at a time.'),
  Q3: row('libmk/src/runtime/run-queue.ts', 'tests', 'A parked wait ends once.'),
  EP1: row(
    'node-kernel/src/cpu-driver/endpoints/endpoints.ts',
    'tests',
    'Nobody sends to an endpoint without its capability; with the dispatcher its endpoints go.',
  ),
  EP2: row(
    'node-kernel/src/cpu-driver/endpoints/endpoints.ts',
    'cheap, tests',
    'An endpoint buffers a bounded number of messages; one more is refused, and not delivered.',
  ),
  EP3: row(
    'node-kernel/src/cpu-driver/endpoints/endpoints.ts',
    'tests',
    'What is delivered arrives once, in the order of sending.',
  ),
  RM1: row('libmk/src/threads/remote-threads.ts', 'tests', 'A thread runs on one core at a time, over all its moves.'),
  RM2: row(
    'libmk/src/threads/remote-threads.ts',
    'tests',
    'Its end is told once, to everybody who joins, from any core of the domain.',
  ),
  RM3: row(
    'libmk/src/threads/remote-threads.ts',
    'tests',
    'It ends with the dispatcher that it is on, in the same error.',
  ),
  PR1: row(
    'sim/src/programs/program-run.ts',
    'runs of programs (mk-launch sim run)',
    'No assertion and no invariant of a program breaks, in any of its domains.',
  ),
  PR2: row(
    'sim/src/programs/program-run.ts',
    'runs of programs (mk-launch sim run)',
    'Every domain that a run began exits with status 0, unless a fault took its core, or (status 3) what it needed.',
  ),
  PR3: row(
    'sim/src/programs/program-run.ts',
    'runs of programs (mk-launch sim run)',
    'Every domain that a run began ends.',
  ),
  B1: row(
    'programs/src/bank.ts',
    'mk.always in the program',
    'The money of all branches together is what it was at the opening, when no transfer is under way.',
  ),
  B2: row('programs/src/bank.ts', 'mk.always in the program', 'No account is overdrawn.'),
  B3: row('programs/src/bank.ts', 'mk.assert in the program', 'A branch commits only what it has prepared.'),
  KV1: row(
    'programs/src/kv.ts',
    'mk.assert in the program',
    'What was acknowledged is never lost, as long as a majority of the replicas lives.',
  ),
  KV2: row(
    'programs/src/kv.ts',
    'mk.assert in the program',
    'What a reader has seen nobody sees older: a holder that lost the lock is refused by its token.',
  ),
} as const;

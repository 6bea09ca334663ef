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
    'A dispatcher is resumed only when something waits for it, and sees upcalls in order.',
  ),
  P3: row(
    'node-kernel/src/cpu-driver/dispatchers/dispatchers.ts',
    'tests',
    'A dispatcher that keeps the core past its slice is asked to yield, and killed once it has had CPU time to, or a minute.',
  ),
  P4: row(
    'node-kernel/src/cpu-driver/dispatchers/dispatchers.ts',
    'checker programs',
    'Every dispatcher has a part of a domain, and that part’s cspace.',
  ),
  P5: row(
    'node-kernel/src/monitor/programs/homes.ts',
    'checker programs',
    'A finished domain has no part on a living core.',
  ),
  P6: row(
    'node-kernel/src/monitor/programs/homes.ts',
    'tests',
    'A part on a core that is gone has ended; the domain goes on without it.',
  ),
  P7: row(
    'node-kernel/src/monitor/programs/parts.ts',
    'checker programs',
    'When all domains have ended, nothing of them is left on any core.',
  ),
  K1: row(
    'node-kernel/src/monitor/channels/ends.ts',
    'checker channels',
    'Everything that a program sends reaches the other end exactly once and in order.',
  ),
  K2: row(
    'node-kernel/src/monitor/channels/end.ts',
    'cheap, checker channels',
    'Credit matches the counters, and no more than a window is under way.',
  ),
  K3: row(
    'node-kernel/src/monitor/channels/circuits.ts',
    'checker channels',
    'Once everything has settled, a circuit exists at both ends of its link or at neither.',
  ),
  K4: row(
    'node-kernel/src/monitor/channels/circuits.ts',
    'tests',
    'A relay forwards what comes, in order, and buffers nothing.',
  ),
  K5: row(
    'node-kernel/src/monitor/channels/ends.ts',
    'checker channels',
    'A capability in a message arrives once, before its message; none is lost, and none is left without a message.',
  ),
  K6: row(
    'node-kernel/src/monitor/channels/ends.ts',
    'checker channels',
    'An end learns that the other end is gone after it has received everything sent before.',
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
    'The admitted utilisations and the tenth for best effort never exceed the processor.',
  ),
  SC3: row(
    'node-kernel/src/cpu-driver/scheduler/rbed.ts',
    'tests',
    'A job overruns its budget by no more than the time between two runs of the scheduler.',
  ),
  BD1: row(
    'libmk/src/dispatcher/protocol.ts',
    'tests',
    'A batch decodes to the encoded calls, or is refused as a whole.',
  ),
  BD2: row(
    'libmk/src/dispatcher/protocol.ts',
    'tests',
    'A turn accepts a bounded number of calls and bytes; the rest waits, in order.',
  ),
  RT1: row(
    'libmk/src/runtime/runtime.ts',
    'tests',
    'Upcalls of a batch are handled in order, each before any thread that it woke runs.',
  ),
  RT2: row('libmk/src/runtime/runtime.ts', 'tests', 'After `end` no code of the program runs any more.'),
  RT3: row('libmk/src/runtime/runtime.ts', 'tests', 'An uncaught error ends the program and names the thread.'),
  RT4: row(
    'libmk/src/runtime/runtime.ts',
    'tests',
    'A rejected promise that nobody handles by the end of its turn ends the program, too.',
  ),
  Q1: row('libmk/src/runtime/run-queue.ts', 'tests', 'Threads resume in the order in which they were woken.'),
  Q2: row('libmk/src/runtime/run-queue.ts', 'tests', 'One strand runs at a time.'),
  Q3: row('libmk/src/runtime/run-queue.ts', 'tests', 'A parked wait ends once.'),
  EP1: row(
    'node-kernel/src/cpu-driver/endpoints/endpoints.ts',
    'tests',
    'Nobody sends to an endpoint without its capability; a dispatcher’s endpoints go with it.',
  ),
  EP2: row(
    'node-kernel/src/cpu-driver/endpoints/endpoints.ts',
    'cheap, tests',
    'An endpoint buffers a bounded number of messages; a further one is refused, not delivered.',
  ),
  EP3: row(
    'node-kernel/src/cpu-driver/endpoints/endpoints.ts',
    'tests',
    'What is delivered arrives once, in the order of sending.',
  ),
  RM1: row(
    'libmk/src/threads/remote-threads.ts',
    'tests',
    'A thread runs on one core at a time, across all its moves.',
  ),
  RM2: row(
    'libmk/src/threads/remote-threads.ts',
    'tests',
    'Its end is reported once to everybody who joins it, from any core of the domain.',
  ),
  RM3: row('libmk/src/threads/remote-threads.ts', 'tests', 'It ends with its dispatcher, with the same error.'),
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
    'While no transfer is under way, all branches together hold the money of the opening.',
  ),
  B2: row('programs/src/bank.ts', 'mk.always in the program', 'No account is overdrawn.'),
  B3: row('programs/src/bank.ts', 'mk.assert in the program', 'A branch commits only transfers that it has prepared.'),
  KV1: row(
    'programs/src/kv.ts',
    'mk.assert in the program',
    'No acknowledged write is lost as long as a majority of the replicas lives.',
  ),
  KV2: row(
    'programs/src/kv.ts',
    'mk.assert in the program',
    'No reader sees anything older than another reader has seen: the token refuses a holder that lost the lock.',
  ),
} as const;

import { row } from './spec.ts';

/** Invariants of the hosts: the launcher and the simulator. */
export const HOST_INVARIANTS = {
  C0: row(
    'sim/src/engine/run-scenario.ts',
    'checker convergence',
    'After faults stop, every reachable core is bound, and a round over each plan succeeds.',
  ),
  BT1: row('launcher/src/boot/boot-machine.ts', 'tests', 'Nothing leaves `complete` or `failed`.'),
  BT2: row('launcher/src/boot/boot-machine.ts', 'tests', '`failed` names the process to blame and its last words.'),
  SV1: row(
    'launcher/src/supervisor/supervisor.ts',
    'tests',
    'When `stop` has resolved, no process started here is still running.',
  ),
  SV2: row('launcher/src/supervisor/supervisor.ts', 'tests', 'A core’s number belongs to at most one running process.'),
  SU1: row('launcher/src/state/succession.ts', 'tests', 'A dead supervisor has at most one running successor.'),
  SU2: row(
    'launcher/src/state/succession.ts',
    'tests',
    'Nobody succeeds a supervisor that is running or already has a successor.',
  ),
  S1: row('sim/src/engine/simulation.ts', 'tests (every seed twice)', 'The same options give the same trace.'),
  S2: row(
    'sim/src/engine/simulation.ts',
    'tests',
    'A core handles one event at a time, in order of arrival; handling and sending take their modelled time.',
  ),
  S3: row(
    'sim/src/engine/simulation.ts',
    'tests',
    'Frames are the bytes that sockets carry, under the same link model and fault rules.',
  ),
  S4: row(
    'sim/src/programs/sim-programs.ts',
    'tests',
    'A turn depends only on its dispatcher’s earlier turns, its upcalls and the virtual time.',
  ),
  D0: row('sim/src/engine/trace-hash.ts', 'tests (every seed twice)', 'The same seed gives the same trace hash.'),
  H1: row(
    'sim/src/checkers/honest-peers.ts',
    'checker honest_peers',
    'Honest peers never break the protocol among themselves.',
  ),
  H2: row('sim/src/checkers/honest-peers.ts', 'checker honest_peers', 'No process ends by itself.'),
  L1: row('sim/src/checkers/leaks.ts', 'checker leaks', 'Nothing is left over once everything has settled.'),
} as const;

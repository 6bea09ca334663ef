import { row } from './spec.ts';

/** Links, channels and agreement between monitors. */
export const LINK_INVARIANTS = {
  U1: row(
    'monitor-proto/src/urpc/channel.ts',
    'checker urpc',
    'Every message that a channel accepted is delivered exactly once while both instances live.',
  ),
  U2: row(
    'monitor-proto/src/urpc/channel.ts',
    'checker urpc',
    'Messages are delivered in the order of sending, within their lane.',
  ),
  U3: row(
    'monitor-proto/src/urpc/channel.ts',
    'step, checker honest_peers',
    'At most one window of a lane is under way; an ack covers only messages that were sent; early messages lie within the window.',
  ),
  E1: row(
    'monitor-proto/src/endpoint/endpoint.ts',
    'tests',
    'A frame that does not validate closes its link and changes nothing else.',
  ),
  E2: row(
    'monitor-proto/src/endpoint/endpoint.ts',
    'tests',
    'The first message to a peer opens a link, and messages wait in order until it is open.',
  ),
  W1: row(
    'monitor-proto/src/endpoint/silence-watch.ts',
    'tests',
    'The link to a watched peer is ended and reopened when nothing was heard for the bound although an acknowledgement was due for half of it.',
  ),
  W2: row(
    'monitor-proto/src/endpoint/silence-watch.ts',
    'tests',
    'Nothing is lost by that: the channel goes on over the next link, even with a peer that merely stood still.',
  ),
  W3: row(
    'monitor-proto/src/endpoint/silence-watch.ts',
    'tests',
    'A watcher that was itself stopped has heard nobody, and blames nobody.',
  ),
  OC1: row(
    'monitor-proto/src/link/occupancy.ts',
    'tests',
    'A message leaves no earlier than now, and after the previous one, plus the cost of its receiver’s distance.',
  ),
  OC2: row(
    'monitor-proto/src/link/occupancy.ts',
    'tests',
    'A message is taken once it has arrived and the previous one was taken, plus the cost of its sender’s distance.',
  ),
  T1: row(
    'monitor-proto/src/io/transport.ts',
    'tests (conformance)',
    'A frame arrives whole and unaltered, or not at all; on one link in the order of sending.',
  ),
  T2: row(
    'monitor-proto/src/io/transport.ts',
    'tests (conformance)',
    'link_up comes once, before the link’s other frames, at the end that did not open it.',
  ),
  T3: row(
    'monitor-proto/src/io/transport.ts',
    'tests (conformance)',
    'Frames sent before `close` are delivered if the link still carries them; after it this end hears nothing more.',
  ),
  LM1: row(
    'monitor-proto/src/link/link-model.ts',
    'tests',
    'With clear settings and nothing under way, every frame passes and no random number is drawn.',
  ),
  LM2: row(
    'monitor-proto/src/link/link-model.ts',
    'tests',
    'Due times never fall from one frame to the next, except for reordered frames.',
  ),
  LM3: row(
    'monitor-proto/src/link/link-model.ts',
    'tests',
    'New settings delay no frame that is under way and change the order of none.',
  ),
  LM4: row(
    'monitor-proto/src/link/link-model.ts',
    'tests',
    '`reset_after` leaves a link alone until its handshake has ended.',
  ),
  A1: row(
    'node-kernel/src/monitor/agreement/rounds.ts',
    'step, cheap, checker agreement',
    'A node answers its parent once, after it has voted and every child has answered or was given up.',
  ),
  A2: row(
    'node-kernel/src/monitor/agreement/rounds.ts',
    'checker agreement',
    'An answer counts every core below once; nobody commits before everybody has prepared.',
  ),
  A3: row(
    'node-kernel/src/monitor/agreement/rounds.ts',
    'step, cheap, checker agreement',
    'Every round ends, in ok or a named error, within its deadline.',
  ),
  A4: row('node-kernel/src/monitor/agreement/multicast.ts', 'tests', 'A multicast to nobody completes at once.'),
  A5: row(
    'node-kernel/src/monitor/agreement/multicast.ts',
    'tests',
    'A second phase goes to exactly the cores of the first, until each has acted or is gone.',
  ),
  A6: row(
    'node-kernel/src/monitor/agreement/multicast.ts',
    'tests',
    'A core that knows of a member whom the initiator did not ask refuses with MEMBERS_CHANGED.',
  ),
  A7: row(
    'node-kernel/src/monitor/agreement/multicast.ts',
    'tests',
    'A late or repeated phase does nothing, and gets the first answer again.',
  ),
  A8: row('node-kernel/src/monitor/agreement/multicast.ts', 'tests', 'A round whose initiator is gone is not begun.'),
  A9: row(
    'node-kernel/src/monitor/agreement/multicast.ts',
    'tests',
    'A core refuses a request that its own records forbid the initiator to make, and holds it against an initiator that asked directly.',
  ),
  A10: row(
    'node-kernel/src/monitor/agreement/multicast.ts',
    'tests',
    'A relayed request bears the initiator’s seal for this core, or is refused and held against the relay.',
  ),
  J1: row('node-kernel/src/monitor/membership/join.ts', 'checker membership', 'Two monitors share at most one link.'),
  J2: row(
    'node-kernel/src/monitor/membership/join.ts',
    'step, cheap, checker membership',
    'A monitor takes part in no global operation before a view with it is installed.',
  ),
  J3: row(
    'node-kernel/src/monitor/membership/join.ts',
    'step',
    'A monitor has the address of every monitor that it knows, until that incarnation is over.',
  ),
  R1: row(
    'skb/src/registry/registry.ts',
    'step, cheap, checker membership',
    'At most one live instance holds a core id.',
  ),
  R2: row(
    'skb/src/registry/registry.ts',
    'step, cheap, checker membership',
    'Incarnations of a core rise, and each is given to one instance only.',
  ),
  R3: row(
    'skb/src/registry/introductions.ts',
    'checker membership',
    'Two monitors are introduced once in a life of the SKB.',
  ),
  R4: row(
    'skb/src/registry/registry.ts',
    'checker membership',
    'An incarnation declared gone never becomes a member again.',
  ),
  V1: row(
    'node-kernel/src/monitor/views/view-agreement.ts',
    'checker views, tests (mutants)',
    'At any time at most one view has a majority of valid leases, and only members with a valid lease act.',
  ),
  V3: row(
    'node-kernel/src/monitor/views/view-agreement.ts',
    'checker views, tests (mutants)',
    'Every member installs the same sequence of views, from its first on.',
  ),
  V4: row(
    'node-kernel/src/monitor/views/view-agreement.ts',
    'checker views, tests (mutants)',
    'After faults stop, the members agree on one view.',
  ),
  QV1: row(
    'node-kernel/src/monitor/views/quarantine.ts',
    'tests (mutants)',
    'No member is excluded on the word of less than a majority of the others, nor of one alone.',
  ),
  QV2: row(
    'node-kernel/src/monitor/views/quarantine.ts',
    'tests (mutants)',
    'No member is excluded whom the view cannot spare.',
  ),
  QV3: row(
    'node-kernel/src/monitor/views/quarantine.ts',
    'checker honest_peers, tests (mutants)',
    'An honest core never holds another honest one guilty.',
  ),
  EE1: row(
    'node-kernel/src/monitor/conduct/early-ends.ts',
    'checker honest_peers, tests',
    'A round counts as ended early only when its initiator had not received this core’s answer.',
  ),
  EE2: row(
    'node-kernel/src/monitor/conduct/early-ends.ts',
    'checker honest_peers, tests',
    'It counts only if it was certainly begun less than half a deadline ago.',
  ),
  EE3: row(
    'node-kernel/src/monitor/conduct/early-ends.ts',
    'checker honest_peers, tests',
    'One round counts between two questions to its initiator, and the first few in a row are free.',
  ),
  F1: row(
    'monitor-proto/src/link/fault-engine.ts',
    'tests',
    'Without rules and with a clear base every frame passes, at the cost of two comparisons.',
  ),
  F2: row(
    'monitor-proto/src/link/fault-engine.ts',
    'tests',
    'A cut holds from the frame after `add`; frames under way still arrive.',
  ),
  F3: row('monitor-proto/src/link/fault-engine.ts', 'tests', 'Later rules override earlier ones, setting by setting.'),
  F4: row(
    'monitor-proto/src/link/fault-engine.ts',
    'tests',
    'Heal takes effect at once: frames under way on the pairs of a changed rule get new due times (LM3).',
  ),
  F5: row(
    'monitor-proto/src/link/fault-engine.ts',
    'tests',
    'The choices for one pair depend only on the seed and that pair’s frames.',
  ),
} as const;

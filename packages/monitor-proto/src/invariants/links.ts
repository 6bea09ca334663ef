import { row } from './spec.ts';

/** Links, channels and agreement between monitors. */
export const LINK_INVARIANTS = {
  U1: row(
    'monitor-proto/src/urpc/channel.ts',
    'checker urpc',
    'Every message that a channel took is handed on exactly once while both instances live.',
  ),
  U2: row(
    'monitor-proto/src/urpc/channel.ts',
    'checker urpc',
    'Messages are handed on in the order of sending, within their lane.',
  ),
  U3: row(
    'monitor-proto/src/urpc/channel.ts',
    'step, checker honest_peers',
    'No more than a window of a lane is on the way; an ack covers only what was sent; what came too early lies within the window.',
  ),
  E1: row(
    'monitor-proto/src/endpoint/endpoint.ts',
    'tests',
    'A frame that does not validate closes its link and changes nothing else.',
  ),
  E2: row(
    'monitor-proto/src/endpoint/endpoint.ts',
    'tests',
    'A link is opened when something is first said to a peer, and what is said waits in order until it is open.',
  ),
  W1: row(
    'monitor-proto/src/endpoint/silence-watch.ts',
    'tests',
    'The link to a watched peer is ended, and opened anew, when nothing was heard for the bound although an acknowledgement was due for half of it.',
  ),
  W2: row(
    'monitor-proto/src/endpoint/silence-watch.ts',
    'tests',
    'Nothing is lost by that: the channel goes on over the next link, also with a peer that merely stood still.',
  ),
  W3: row(
    'monitor-proto/src/endpoint/silence-watch.ts',
    'tests',
    'A watcher that was itself stopped has heard nobody, and blames nobody.',
  ),
  OC1: row(
    'monitor-proto/src/link/occupancy.ts',
    'tests',
    'A message leaves when the one before has left and now has come, plus the cost of its receiver’s distance.',
  ),
  OC2: row(
    'monitor-proto/src/link/occupancy.ts',
    'tests',
    'A message is taken when it has arrived and the one before was taken, plus the cost of its sender’s distance.',
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
    'With clear settings and nothing under way every frame passes, and no random number is drawn.',
  ),
  LM2: row(
    'monitor-proto/src/link/link-model.ts',
    'tests',
    'Due times never fall from one frame to the next, but for reordered frames.',
  ),
  LM3: row(
    'monitor-proto/src/link/link-model.ts',
    'tests',
    'New settings make no frame under way later and change the order of none.',
  ),
  LM4: row(
    'monitor-proto/src/link/link-model.ts',
    'tests',
    '`reset_after` leaves a link alone until its handshake has ended.',
  ),
  A1: row(
    'node-kernel/src/monitor/agreement/rounds.ts',
    'step, cheap, checker agreement',
    'A node answers its parent once, after it has voted and all its children have answered or were given up.',
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
    'A phase that comes late or twice does nothing, and is answered as the first time.',
  ),
  A8: row('node-kernel/src/monitor/agreement/multicast.ts', 'tests', 'A round whose initiator is gone is not begun.'),
  A9: row(
    'node-kernel/src/monitor/agreement/multicast.ts',
    'tests',
    'What a core’s own record says the initiator may not ask is refused, and held against it if it asked itself.',
  ),
  A10: row(
    'node-kernel/src/monitor/agreement/multicast.ts',
    'tests',
    'What comes over others bears the initiator’s seal for this core, or is refused and held against who passed it on.',
  ),
  J1: row('node-kernel/src/monitor/membership/join.ts', 'checker membership', 'Two monitors have one link at most.'),
  J2: row(
    'node-kernel/src/monitor/membership/join.ts',
    'step, cheap, checker membership',
    'A monitor is in no global operation before a view with it is installed.',
  ),
  J3: row(
    'node-kernel/src/monitor/membership/join.ts',
    'step',
    'A monitor has an address of every monitor that it knows, until that incarnation is over.',
  ),
  R1: row(
    'skb/src/registry/registry.ts',
    'step, cheap, checker membership',
    'At most one live instance holds a core id.',
  ),
  R2: row(
    'skb/src/registry/registry.ts',
    'step, cheap, checker membership',
    'Incarnations of a core rise, and are given to one instance only.',
  ),
  R3: row(
    'skb/src/registry/introductions.ts',
    'checker membership',
    'Two monitors are introduced once in a life of the SKB.',
  ),
  R4: row(
    'skb/src/registry/registry.ts',
    'checker membership',
    'An incarnation that was declared gone is no member again.',
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
    'After faults stop the members agree on one view.',
  ),
  QV1: row(
    'node-kernel/src/monitor/views/quarantine.ts',
    'tests (mutants)',
    'No member is put out on the word of fewer than a majority of the others, nor of one alone.',
  ),
  QV2: row(
    'node-kernel/src/monitor/views/quarantine.ts',
    'tests (mutants)',
    'No member is put out whom the view cannot spare.',
  ),
  QV3: row(
    'node-kernel/src/monitor/views/quarantine.ts',
    'checker honest_peers, tests (mutants)',
    'A sound core never takes another sound one for guilty.',
  ),
  EE1: row(
    'node-kernel/src/monitor/conduct/early-ends.ts',
    'checker honest_peers, tests',
    'A round was ended early only when its initiator had not received this core’s answer.',
  ),
  EE2: row(
    'node-kernel/src/monitor/conduct/early-ends.ts',
    'checker honest_peers, tests',
    'And only when it was certainly begun less than half a deadline ago.',
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
  F3: row('monitor-proto/src/link/fault-engine.ts', 'tests', 'Later rules win over earlier ones, setting by setting.'),
  F4: row(
    'monitor-proto/src/link/fault-engine.ts',
    'tests',
    'Heal is now: frames under way on the pairs that a changed rule concerns are due anew (LM3).',
  ),
  F5: row(
    'monitor-proto/src/link/fault-engine.ts',
    'tests',
    'The choices for one pair depend on the seed and on that pair’s frames alone.',
  ),
} as const;

import { OFFENCES } from '@mk/monitor-proto/offences';
import { isKeyOf } from '@mk/monitor-proto/tables';
import type { Checker } from './checker.ts';

/** Refusals that a sound peer may meet: it was restarted, or announced before it was known. */
const EXPECTED = new Set([
  'WRONG_INCARNATION',
  'PEER_UNKNOWN',
  'NOT_A_MEMBER',
  'CORE_ID_TAKEN',
  'HANDSHAKE_TIMEOUT',
  'SHUTTING_DOWN',
  'PEER_GONE',
]);

/**
 * H1: sound peers never break the protocol towards each other: no frame is rejected (the window U3 is kept, an ack
 * covers what was sent), and handshakes fail only for reasons that faults explain. H2: no process ends by itself. QV3
 * (quarantine.ts): a sound core that hears accusers never takes another sound one for guilty.
 */
export function honestPeersChecker(): Checker {
  const rogues = new Set<unknown>();
  return {
    name: 'honest_peers',
    line(line, report) {
      if (line.event === 'rogue_changed') rogues.add(line.core);
      if (rogues.has(line['peer']) || rogues.has(line.core)) return;
      const offence = String(line['offence']);
      if (line.event === 'peer_offence' && isKeyOf(OFFENCES, offence) && OFFENCES[offence].proof)
        report(
          'H1',
          `${line.core} caught ${String(line['peer'])} at ${String(line['offence'])}: ${String(line['text'])}`,
        );
      if (line.event === 'core_quarantined')
        report('QV3', `${line.core} puts out ${String(line['peer'])}, accused by ${String(line['accusers'])}`);
      if (line.event === 'frame_rejected') {
        const text = String(line['text']);
        report(
          text.includes('window') || text.includes('ack covers') ? 'U3' : 'H1',
          `${line.core} rejected a frame of ${String(line['peer'])}: ${text}`,
        );
      }
      if (line.event === 'link_refused' && !EXPECTED.has(String(line['error'])))
        report('H1', `${line.core} and ${String(line['peer'])}: ${String(line['error'])} ${String(line['text'])}`);
    },
    died(node, cause, report) {
      // The registry did without it for too long, or another checker reports its assertion.
      const excluded = cause.startsWith('PEER_GONE') || cause.startsWith('AssertionFailure');
      if (cause !== 'crashed' && cause !== '' && !excluded) report('H2', `core ${node.id} ended by itself: ${cause}`);
    },
  };
}

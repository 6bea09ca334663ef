/*
 * A fault on command of a person, a plan or the simulator: this core's monitor misbehaves (CAVEATS.md). It has only
 * what a monitor has: the secret, its links, and the messages sent to it. The rest of the core works on, so that any
 * loss of the others is due to its acts and not to its absence.
 */
import { known } from '@mk/monitor-proto/assert';
import { type CorePeer, isCorePeer } from '@mk/monitor-proto/endpoint/peer';
import { MILLISECOND, type Nanos } from '@mk/monitor-proto/ids';
import { createPrng } from '@mk/monitor-proto/prng';
import { ROGUE_BEHAVIOUR_NAMES, type RogueBehaviour } from '@mk/monitor-proto/rogue-behaviours';
import type { RogueState } from '../../control/verb-answers.ts';
import type { CpuDriver } from '../../cpu-driver/cpu-driver.ts';
import type { MonitorContext } from '../context.ts';
import { OperationError } from '../operations.ts';
import type { Service, Verbs } from '../service.ts';
import { flood } from './flood.ts';
import { forge } from './forge.ts';
import { garbage } from './garbage.ts';
import { lie } from './lie.ts';
import type { MessageMaker, Mischief } from './mischief.ts';
import { spamRemap, spamRetype, spamRevoke } from './spam.ts';

const MAKERS: { readonly [B in RogueBehaviour]?: MessageMaker } = {
  spam_remap: spamRemap,
  spam_retype: spamRetype,
  spam_revoke: spamRevoke,
  forge,
  flood,
};
const TICK: Nanos = MILLISECOND;
/** Leaves room for the rest of this core's answers, which the others wait for. */
const ON_THE_WAY = 512;

export class Rogue implements Service {
  private readonly behaviours = new Set<RogueBehaviour>();
  private rate = 0;
  private sent = 0;
  private ticking = false;
  private mischief: Mischief | null = null;

  constructor(
    private readonly context: MonitorContext,
    private readonly driver: CpuDriver,
  ) {}

  readonly verbs = {
    rogue: {
      args: ['behaviour', 'rate', 'seed'],
      doc: 'Makes this core misbehave in one more way from now on (docs/reference/rogue-behaviours.md); none: behave again; absent: answers its present ways. rate: messages to each peer per millisecond.',
      withoutLease: true,
      run: (args, now) => {
        const behaviour = args.oneOf('behaviour', ['', 'none', ...ROGUE_BEHAVIOUR_NAMES], '');
        if (behaviour === '') return this.status();
        if (behaviour === 'none') return this.behave();
        const rate = args.whole('rate', { min: 1, max: 10_000, otherwise: 64 });
        return this.misbehave(behaviour, rate, args.whole('seed', { min: 0, max: 2 ** 32 - 1, otherwise: 1 }), now);
      },
    },
  } satisfies Verbs;

  /** Whether it misbehaves in some way. */
  get active(): boolean {
    return this.behaviours.size > 0;
  }

  status(): RogueState & Readonly<Record<string, unknown>> {
    return { rogue: [...this.behaviours], rogue_sent: this.sent };
  }

  private misbehave(behaviour: RogueBehaviour, rate: number, seed: number, now: Nanos): RogueState {
    const { context, driver } = this;
    if (!driver.booted) throw new OperationError('NOT_A_MEMBER', 'this core has not been registered yet');
    this.mischief ??= { context, state: driver.state, prng: createPrng(`rogue/${seed}/${context.core}`) };
    this.rate = rate;
    if (!this.behaviours.has(behaviour)) context.outbox.log('rogue_changed', { behaviour });
    this.behaviours.add(behaviour);
    if (behaviour === 'lie') context.disguise = (message, to) => lie(known(this.mischief), message, to);
    this.tickLater(now);
    return this.status();
  }

  private behave(): RogueState {
    if (this.behaviours.size > 0) this.context.outbox.log('rogue_changed', { behaviour: '' });
    this.behaviours.clear();
    this.context.disguise = null;
    return this.status();
  }

  private tickLater(now: Nanos): void {
    if (this.ticking) return;
    this.ticking = true;
    this.context.timers.set(now + TICK, (at) => this.tick(at));
  }

  private tick(now: Nanos): void {
    this.ticking = false;
    if (this.behaviours.size === 0) return;
    for (const peer of this.context.endpoint.peers.values())
      if (isCorePeer(peer) && peer.link !== 0) this.trouble(peer, now);
    this.tickLater(now);
  }

  private trouble(peer: CorePeer, now: Nanos): void {
    const mischief = known(this.mischief);
    for (const behaviour of this.behaviours) {
      const make = MAKERS[behaviour];
      if (make !== undefined) this.say(mischief, peer, make);
      if (behaviour !== 'garbage') continue;
      this.context.outbox.push({ type: 'send_frame', link: peer.link, peer: peer.id, frame: garbage(mischief, peer) });
      this.sent += 1;
      peer.lastSentAt = now;
    }
  }

  private say(mischief: Mischief, peer: CorePeer, make: MessageMaker): void {
    for (let left = this.rate; left > 0 && peer.channel.unacknowledged < ON_THE_WAY;) {
      const messages = make(mischief, peer.id);
      left -= messages.length;
      this.sent += messages.length;
      for (const message of messages) if (!this.context.endpoint.sendTo(peer, message)) return;
    }
  }
}

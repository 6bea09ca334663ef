/** A deliberate bug in view agreement: another text in the place of one of a file, and what has to see it. */
export interface ViewMutant {
  readonly name: string;
  /** Below src/monitor/views. */
  readonly file: string;
  readonly good: string;
  readonly bad: string;
  /** Invariants; V4: the machine does not heal. `leaders`: leaders come and go without need. */
  readonly seenBy: readonly ('V1' | 'V3' | 'V4' | 'leaders')[];
}

export const VIEW_MUTANTS: readonly ViewMutant[] = [
  {
    name: 'no fencing: a core acts on after its lease has run out',
    file: 'view-agreement.ts',
    good: '!this.#excluded && now < this.leaseUntil',
    bad: '!this.#excluded',
    seenBy: ['V1'],
  },
  {
    name: 'a lease counts from the arrival of the word, not from the sending of the answer',
    file: 'view-agreement.ts',
    good: 'this.#lease.acknowledged(acked);',
    bad: 'if (acked > 0) this.#lease.sent(acked, now);\nthis.#lease.acknowledged(acked);',
    seenBy: ['V1'],
  },
  {
    name: 'a leader’s lease counts from the arrival of the answers',
    file: 'leadership.ts',
    good: '({ sequence }) => this.#sentAt.get(sequence)?.at ?? -Infinity',
    bad: '({ heardAt }) => heardAt',
    seenBy: ['V1'],
  },
  {
    name: 'a stale view is accepted: messages of an earlier view count',
    file: 'view-agreement.ts',
    good: 'if (message.view < view.number || !isMember(view, from))',
    bad: 'if (!isMember(view, from))',
    seenBy: ['V1', 'V3'],
  },
  {
    name: 'a proposal of its own: what a majority may have accepted is not adopted',
    file: 'elections.ts',
    good: 'candidacy.adopted?.view ?? null',
    bad: 'null',
    seenBy: ['V1', 'V3'],
  },
  {
    name: 'an acceptor takes a proposal below its promise',
    file: 'acceptor.ts',
    good: 'if (compareBallots(proposal.ballot, this.promised) < 0) return false;',
    bad: '',
    seenBy: ['V1', 'V3'],
  },
  {
    name: 'half is a majority',
    file: 'view.ts',
    good: 'return Math.floor(count / 2) + 1;',
    bad: 'return Math.ceil(count / 2);',
    seenBy: ['V1', 'V3'],
  },
  {
    name: 'a new leader does not wait for the leases of the old one',
    file: 'elections.ts',
    good: 'now + 2 * leaseNs * (1 + drift)',
    bad: 'now',
    seenBy: ['V1'],
  },
  {
    name: 'a leader that has promised a higher ballot leads on',
    file: 'elections.ts',
    good: 'this.host.resign();',
    bad: '',
    seenBy: ['V1', 'V3'],
  },
  {
    name: 'who is about to be left out is given a lease',
    file: 'leadership.ts',
    good: 'const acks = leads && !this.#leaving.has(core) &&',
    bad: 'const acks = leads &&',
    seenBy: ['V1'],
  },
  {
    name: 'a leader without a lease gives leases',
    file: 'leadership.ts',
    good: 'const acks = leads &&',
    bad: 'const acks =',
    seenBy: ['V1'],
  },
  {
    name: 'nobody waits for the lease of whom the view leaves out',
    file: 'leadership.ts',
    good: 'now >= this.#leaseEndOf(core)',
    bad: 'now > 0',
    seenBy: ['V1'],
  },
  {
    name: 'no majority is kept: a leader cuts off all who do not answer',
    file: 'leadership.ts',
    good: 'if (kept.length >= majority) return true;',
    bad: 'if (kept.length > 0) return true;',
    seenBy: ['V1', 'V3', 'V4'],
  },
  {
    name: 'a quorum is who is not proven dead, however many are',
    file: 'view.ts',
    good: 'return gone.length < majorityOf(members.length) && isEverybodyLeft',
    bad: 'return isEverybodyLeft',
    seenBy: ['V1', 'V3'],
  },
  {
    name: 'a member jumps to a view that it was taught out of order',
    file: 'view-agreement.ts',
    good: 'if (view.number === this.#view.number + 1) return true;',
    bad: 'if (view.number > this.#view.number) return true;',
    seenBy: ['V3'],
  },
  {
    name: 'a candidate asks again for the ballot that it was not granted',
    file: 'elections.ts',
    good: 'this.highestRound = Math.max(this.highestRound, ballot.round);\n    for (const',
    bad: 'for (const',
    seenBy: ['V4'],
  },
  {
    name: 'nobody teaches a member the views that it lacks',
    file: 'view-agreement.ts',
    good: 'if (views.length > 0) this.port.send(core',
    bad: 'if (views.length < 0) this.port.send(core',
    seenBy: ['V4'],
  },
  {
    name: 'a member votes although it hears its leader',
    file: 'elections.ts',
    good: 'const granted = !leads && this.host.missesLeader(now) && round',
    bad: 'const granted = round',
    seenBy: ['leaders', 'V1'],
  },
  {
    name: 'no stability window: a view for every change of what is heard',
    file: 'leadership.ts',
    good: 'const stable = now - this.#change!.since >= window || now - this.#wantedSince! >= leaseNs;',
    bad: 'const stable = true;',
    seenBy: ['leaders', 'V1', 'V4'],
  },
  {
    name: 'a proposal without a lease of one’s own',
    file: 'leadership.ts',
    good: 'if (now >= this.leaseUntil) return false;',
    bad: '',
    seenBy: ['V1', 'V3'],
  },
];

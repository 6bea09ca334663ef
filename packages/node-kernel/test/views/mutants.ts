/** A deliberate bug in view agreement: a replacement for some text of a file, and what must detect it. */
export interface ViewMutant {
  readonly name: string;
  /** Relative to src/monitor/views. */
  readonly file: string;
  readonly good: string;
  readonly bad: string;
  /** Invariants, QV1 of quarantine.ts; V4: the machine does not heal. `leaders`: leaders change without need. */
  readonly seenBy: readonly ('V1' | 'V3' | 'V4' | 'QV1' | 'leaders')[];
}

export const VIEW_MUTANTS: readonly ViewMutant[] = [
  {
    name: 'no fencing: a core acts on after its lease has run out',
    file: 'view-agreement.ts',
    good: '!this.leaving && now < this.leaseUntil',
    bad: '!this.leaving',
    seenBy: ['V1'],
  },
  {
    name: 'a lease counts from the arrival of the word, not from the sending of the answer',
    file: 'view-agreement.ts',
    good: 'this.lease.acknowledged(acked);',
    bad: 'if (acked > 0) this.lease.sent(acked, now);\nthis.lease.acknowledged(acked);',
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
    name: 'half is a majority',
    file: 'view.ts',
    good: 'return Math.floor(count / 2) + 1;',
    bad: 'return Math.ceil(count / 2);',
    seenBy: ['V1', 'V3'],
  },
  {
    name: 'who is about to be left out is given a lease',
    file: 'leadership.ts',
    good: 'const acks = leads && !this.leaving.has(core) &&',
    bad: 'const acks = leads &&',
    seenBy: ['V1'],
  },
  {
    name: 'nobody waits for the lease of whom the view leaves out',
    file: 'leadership.ts',
    good: 'now >= this.leaseEndOf(core)',
    bad: 'now > 0',
    seenBy: ['leaders', 'V1'],
  },
  {
    name: 'a member jumps to a view that it was taught out of order',
    file: 'view.ts',
    good: 'if (next.number === current.number + 1) return true;',
    bad: 'if (next.number > current.number) return true;',
    seenBy: ['V3'],
  },
  {
    name: 'a member heeds others although it hears its leader',
    file: 'elections.ts',
    good: 'return !this.host.leads(now) && this.host.missesLeader(now);',
    bad: 'return now > 0;',
    seenBy: ['leaders', 'V1'],
  },
  {
    name: 'a quorum is anybody',
    file: 'view.ts',
    good: 'if (said.size >= majorityOf(members.length)) return true;',
    bad: 'if (said.size > 0) return true;',
    seenBy: ['V1', 'V3', 'leaders'],
  },
  {
    name: 'a candidate leads without promises',
    file: 'candidacy.ts',
    good: '    return isQuorum(this.view, this.promises, this.dead);',
    bad: '    return true;',
    seenBy: ['V1', 'V3', 'leaders'],
  },
  {
    name: 'a member believes in a lease of twice its length',
    file: 'lease.ts',
    good: 'sent + this.leaseNs',
    bad: 'sent + 2 * this.leaseNs',
    seenBy: ['V1'],
  },
  {
    name: 'a proof of death of an earlier incarnation counts for the next one',
    file: 'view.ts',
    good: 'return (dead.get(core) ?? 0) >= incarnation;',
    bad: 'return (dead.get(core) ?? 0) > 0 && incarnation > 0;',
    seenBy: ['V1', 'V3', 'V4'],
  },
  {
    name: 'an acceptor does not say what it has accepted',
    file: 'elections.ts',
    good: "{ type: 'view_promise', view, ballot, accepted: this.host.acceptor().accepted }",
    bad: "{ type: 'view_promise', view, ballot, accepted: null }",
    seenBy: ['V3'],
  },
  {
    name: 'a leader considers a view of its own before the one that it adopts',
    file: 'leadership.ts',
    good: 'this.beacon(now);\n    return this.proposeAdopted(adopted, now);',
    bad: 'this.adopted = null;\n    this.tick(now);\n    return this.proposeAdopted(adopted, now);',
    seenBy: ['V3'],
  },
  {
    name: 'a view that is adopted does not wait for leases that have been granted since it was proposed',
    file: 'leadership.ts',
    good: 'if (!this.isGuiltyAlone([...leftOut]) && [...leftOut].some(waits)) return;',
    bad: 'void waits;',
    seenBy: ['V1'],
  },
  {
    name: 'an acceptor accepts below what it has promised',
    file: 'acceptor.ts',
    good: '  accept(proposal: Proposal): boolean {\n    if (compareBallots(proposal.ballot, this.promised) < 0) return false;',
    bad: '  accept(proposal: Proposal): boolean {',
    seenBy: ['V3'],
  },
  {
    name: 'an acceptor promises below what it has promised',
    file: 'acceptor.ts',
    good: '  prepare(ballot: Ballot): boolean {\n    if (compareBallots(ballot, this.promised) < 0) return false;',
    bad: '  prepare(ballot: Ballot): boolean {',
    seenBy: ['V3'],
  },
  {
    name: 'a leader goes on without a lease: what it was last confirmed by counts for ever',
    file: 'leadership.ts',
    good: 'return this.confirmedAt + this.settings.leaseNs;',
    bad: 'return this.confirmedAt + 1e6 * this.settings.leaseNs;',
    seenBy: ['V1'],
  },
  {
    name: 'one accuser is enough',
    file: 'quarantine.ts',
    good: 'return Math.max(2, majorityOf(members - 1));',
    bad: 'return 1;',
    seenBy: ['QV1'],
  },
  {
    name: 'two accusers are enough, of however many',
    file: 'quarantine.ts',
    good: 'return Math.max(2, majorityOf(members - 1));',
    bad: 'return 2;',
    seenBy: ['QV1'],
  },
  {
    name: 'what an earlier life did is held against the next one',
    file: 'quarantine.ts',
    good: 'core === this.self || !isMember(view, { core, incarnation })',
    bad: 'core === this.self || memberIn(view, core) === undefined',
    seenBy: ['QV1'],
  },
  {
    name: 'whoever is left out counts as guilty: nobody waits for leases',
    file: 'leadership.ts',
    good: 'return leaving.length === 1 && this.port.isGuilty(known(leaving[0]));',
    bad: 'return leaving.length > 0;',
    seenBy: ['V1', 'leaders'],
  },
  {
    name: 'a leader that enough accuse is obeyed',
    file: 'view-agreement.ts',
    good: 'if (this.excluded || this.quarantine.isOut(from.core)) return;',
    bad: 'if (this.excluded) return;',
    seenBy: ['V4'],
  },
  {
    name: 'the leader alone hears of what it is accused of',
    file: 'quarantine.ts',
    good: 'leads ? view.members :',
    bad: 'view === null ? [] :',
    seenBy: ['V4'],
  },
  {
    name: 'more are put out at once than the view can spare',
    file: 'quarantine.ts',
    good: '.slice(0, spared);',
    bad: '.slice(0, spared + members.length);',
    seenBy: ['V4'],
  },
];

import { isWhole } from '../guards.ts';
import { type CoreId, isCore, type Nanos, type PeerId, SKB_PEER } from '../ids.ts';
import type { LogEventName, LogFields } from '../log-events.ts';
import type { Prng } from '../prng.ts';
import type { ControlReply, ControlRequest } from '../step.ts';
import { FaultEngine } from './fault-engine.ts';
import { checkFaultRule, describeRule, type FaultRule } from './fault-rule.ts';
import { PASS, type Retiming, type Verdict } from './link-model.ts';
import type { LinkSettings } from './link-settings.ts';
import { ruleConcerns } from './rule-scope.ts';
import { type ActiveRule, checkStandingRule, type HealTarget, isHealTarget, type StandingRule } from './rule-state.ts';

/** Reacts to the consequences of a process's faults. */
export interface LinkFaultsOwner {
  log(event: LogEventName, fields: LogFields): void;
  /** The latency of the links to these cores may have changed. */
  touched(cores: readonly CoreId[]): void;
  /** Frames under way to this peer have new due times. */
  retimed(to: PeerId, retime: Retiming): void;
}

/** The process whose links are shaped, and their shape without faults. */
export interface OwnLinks {
  readonly self: PeerId;
  /** Core ids that the cluster may assign. */
  readonly capacity: number;
  readonly prng: Prng;
  /** The settings of a link without faults; absent: links are clear. */
  readonly base?: (to: PeerId) => LinkSettings;
}

type Args = Readonly<Record<string, unknown>>;
type Verb = (args: Args, now: Nanos, engine: FaultEngine) => ControlReply;

/** The link model of one process's own links: the machine's latencies, and injected faults. */
export class LinkFaults {
  private engine: FaultEngine | null = null;
  private self: PeerId = -1;
  private capacity = 0;
  /** The version of the last set of rules. */
  private version = 0;

  constructor(private readonly owner: LinkFaultsOwner) {}

  /** Starts shaping this process's links, once its peer id is known. */
  configure({ self, capacity, prng, base }: OwnLinks): void {
    this.self = self;
    this.capacity = capacity;
    const retimed = (_from: PeerId, to: PeerId, retime: Retiming): void => this.owner.retimed(to, retime);
    this.engine = new FaultEngine({ prng, retimed, ...(base && { base: (_from, to) => base(to) }) });
  }

  verdict(peer: PeerId, now: Nanos, bytes: number, openedAt: Nanos): Verdict {
    if (this.engine === null || !hasShape(peer)) return PASS;
    return this.engine.verdict(this.self, peer, now, bytes, openedAt);
  }

  /** Whether nothing shapes the frames to this peer. */
  clear(peer: PeerId, now: Nanos): boolean {
    return this.engine === null || !hasShape(peer) || this.engine.clear(this.self, peer, now);
  }

  /** The rules in force. */
  active(now: Nanos): readonly ActiveRule[] {
    return this.engine?.rules(now) ?? [];
  }

  /** Totals of the rules in force, including their predecessors of the same id. */
  totals(now: Nanos): ReturnType<FaultEngine['totalsOf']> {
    return this.engine?.totalsOf(now) ?? [];
  }

  /** Serves the verbs `fault_add`, `fault_heal`, `fault_set` and `faults`; null for any other. */
  control({ verb, args }: ControlRequest, now: Nanos): ControlReply | null {
    const run = Object.hasOwn(this.verbs, verb) ? this.verbs[verb] : undefined;
    if (run === undefined) return null;
    if (this.engine === null)
      return { ok: false, error: 'NOT_A_MEMBER', text: 'this core has not been registered yet' };
    this.noteExpired(now);
    return run(args, now, this.engine);
  }

  /** Logs each expired rule; returns when the next one expires. */
  noteExpired(now: Nanos): Nanos {
    if (this.engine === null) return Infinity;
    for (const { rule, counters } of this.engine.takeExpired(now)) this.ended(rule, counters.frames);
    return this.engine.nextExpiry;
  }

  private readonly verbs: Readonly<Record<string, Verb>> = {
    fault_add: ({ rule: given }, now, engine) => {
      const rule = checkFaultRule(given);
      if (typeof rule === 'string') return bad(rule);
      engine.add(rule, now);
      this.began(rule);
      return { ok: true, value: { id: rule.id } };
    },
    fault_heal: ({ target }, now, engine) => {
      if (!isHealTarget(target)) return bad('fault_heal: target is "all", {id} or {from, to}');
      return { ok: true, value: { healed: this.heal(target, now, engine) } };
    },
    fault_set: ({ rules: given, version }, now, engine) => {
      if (!isWhole(version, Number.MIN_SAFE_INTEGER)) return bad('fault_set: version must be a whole number');
      if (!Array.isArray(given)) return bad('fault_set: rules must be a list');
      const rules: StandingRule[] = [];
      for (const rule of given.map(checkStandingRule)) {
        if (typeof rule === 'string') return bad(rule);
        rules.push(rule);
      }
      // A process that hung may read an older request after a newer one.
      if (version < this.version) return { ok: true, value: { ended: [] } };
      this.version = version;
      return { ok: true, value: { ended: this.set(rules, now, engine) } };
    },
    faults: (_args, now, engine) => ({ ok: true, value: engine.rules(now) }),
  };

  private heal(target: HealTarget, now: Nanos, engine: FaultEngine): readonly string[] {
    const before = engine.rules(now);
    const ids = engine.heal(target, now);
    for (const { rule, counters } of before) if (ids.includes(rule.id)) this.ended(rule, counters.frames);
    return ids;
  }

  private set(rules: readonly StandingRule[], now: Nanos, engine: FaultEngine): readonly string[] {
    const before = engine.rules(now);
    const { begun, ended } = engine.replaceAll(rules, now);
    for (const { rule, counters } of before) if (ended.includes(rule.id)) this.ended(rule, counters.frames);
    for (const { rule } of rules) if (begun.includes(rule.id)) this.began(rule);
    return ended;
  }

  private began(rule: FaultRule): void {
    this.owner.log('fault_applied', { rule: rule.id, text: describeRule(rule) });
    this.touch(rule);
  }

  private ended(rule: FaultRule, affected: number): void {
    this.owner.log('fault_healed', { rule: rule.id, affected });
    this.touch(rule);
  }

  /** Only links under a link rule may have changed their latency. */
  private touch(rule: FaultRule): void {
    if (rule.kind !== 'link') return;
    const cores: CoreId[] = [];
    for (let core = 0; core < this.capacity; core++) {
      if (core !== this.self && (ruleConcerns(rule, this.self, core) || ruleConcerns(rule, core, this.self)))
        cores.push(core);
    }
    if (cores.length > 0) this.owner.touched(cores);
  }
}

/** Links of cores and of the SKB have a shape; those of clients and of unidentified peers have none. */
function hasShape(peer: PeerId): boolean {
  return isCore(peer) || peer === SKB_PEER;
}

function bad(text: string): ControlReply {
  return { ok: false, error: 'BAD_REQUEST', text };
}

import type { CoreId, Nanos, PeerId } from '@mk/monitor-proto/ids';
import { FaultEngine, type HealTarget } from '@mk/monitor-proto/link/fault-engine';
import { checkFaultRule, describeRule, type FaultRule, ruleConcerns } from '@mk/monitor-proto/link/fault-rule';
import { CLEAR_LINK, type LinkSettings } from '@mk/monitor-proto/link/link-settings';
import { PASS, type Verdict } from '@mk/monitor-proto/link/link-model';
import type { LogEventName, LogFields } from '@mk/monitor-proto/log-events';
import { createPrng } from '@mk/monitor-proto/prng';
import type { ControlReply, ControlRequest } from '@mk/monitor-proto/step';
import type { Registration } from '../config.ts';

/** What the SKB tells a core about its links, as JSON: see skb/src/io/settings.ts. */
interface CoreLinkSettings {
  readonly seed: string;
  readonly base: Partial<LinkSettings>;
  /** Added one-way delay to each core by id, from the machine description. */
  readonly delaysNs: readonly number[];
}

type Log = (event: LogEventName, fields: LogFields) => void;

/** The link model of one core's own links: the machine's latencies, and the faults that were injected. */
export class LinkFaults {
  private engine: FaultEngine | null = null;
  private self: CoreId = -1;
  /** Core ids that the cluster may give out. */
  private capacity = 0;

  constructor(
    private readonly log: Log,
    private readonly touched: (peers: readonly CoreId[]) => void,
  ) {}

  /** The registry has named this core: from now on its links are shaped. */
  configure(registration: Registration): void {
    const { seed, base, delaysNs } = JSON.parse(registration.settings) as CoreLinkSettings;
    this.self = registration.core;
    this.capacity = delaysNs.length;
    const prng = createPrng(`${seed}/links/${registration.core}/${registration.incarnation}`);
    const settingsTo = (peer: PeerId): LinkSettings => {
      if (peer >= delaysNs.length && peer > 60_000) return CLEAR_LINK;
      return { ...CLEAR_LINK, ...base, delayNs: (base.delayNs ?? 0) + (delaysNs[peer] ?? 0) };
    };
    const clear = Object.keys(base).length === 0 && delaysNs.every((delay) => delay === 0);
    this.engine = new FaultEngine(clear ? { prng } : { prng, base: (_from, to) => settingsTo(to) });
  }

  verdict(peer: PeerId, now: Nanos, bytes: number): Verdict {
    if (this.engine === null || peer > 60_000) return PASS;
    return this.engine.verdict(this.self, peer, now, bytes);
  }

  /** Whether nothing shapes the frames to this peer. */
  clear(peer: PeerId, now: Nanos): boolean {
    return this.engine === null || peer > 60_000 || this.engine.clear(this.self, peer, now);
  }

  /** The verbs `fault_add`, `fault_heal` and `faults`; null: not one of ours. */
  control({ verb, args }: ControlRequest, now: Nanos): ControlReply | null {
    const run = Object.hasOwn(this.verbs, verb) ? this.verbs[verb] : undefined;
    if (run === undefined) return null;
    if (this.engine === null)
      return { ok: false, error: 'NOT_A_MEMBER', text: 'this core has not been registered yet' };
    this.noteExpired(now);
    return run(args, now, this.engine);
  }

  /** Writes a log line for each rule that has run out; says when the next one will. */
  noteExpired(now: Nanos): Nanos {
    if (this.engine === null) return Infinity;
    for (const { rule, counters } of this.engine.takeExpired(now)) {
      this.log('fault_healed', { rule: rule.id, affected: counters.frames });
      this.touch(rule);
    }
    return this.engine.nextExpiry;
  }

  /** The latency of the links that a rule speaks of may have changed, and of no other. */
  private touch(rule: FaultRule): void {
    if (rule.kind !== 'link') return;
    const peers: CoreId[] = [];
    for (let peer = 0; peer < this.capacity; peer++) {
      if (peer !== this.self && (ruleConcerns(rule, this.self, peer) || ruleConcerns(rule, peer, this.self)))
        peers.push(peer);
    }
    if (peers.length > 0) this.touched(peers);
  }

  private readonly verbs: Readonly<
    Record<string, (args: Readonly<Record<string, unknown>>, now: Nanos, engine: FaultEngine) => ControlReply>
  > = {
    fault_add: ({ rule: given }, now, engine) => {
      const rule = checkFaultRule(given);
      if (typeof rule === 'string') return { ok: false, error: 'BAD_REQUEST', text: rule };
      engine.add(rule, now);
      this.log('fault_applied', { rule: rule.id, text: describeRule(rule) });
      this.touch(rule);
      return { ok: true, value: { id: rule.id } };
    },
    fault_heal: ({ target }, now, engine) => {
      if (!isHealTarget(target))
        return { ok: false, error: 'BAD_REQUEST', text: 'fault_heal: target is "all", {id} or {from, to}' };
      const before = engine.rules(now);
      const ids = engine.heal(target);
      for (const { rule, counters } of before) {
        if (!ids.includes(rule.id)) continue;
        this.log('fault_healed', { rule: rule.id, affected: counters.frames });
        this.touch(rule);
      }
      return { ok: true, value: { healed: ids } };
    },
    faults: (_args, now, engine) => ({ ok: true, value: engine.rules(now) }),
  };
}

function isHealTarget(value: unknown): value is HealTarget {
  if (value === 'all') return true;
  if (typeof value !== 'object' || value === null) return false;
  const { id, from, to } = value as Record<string, unknown>;
  return typeof id === 'string' || (Number.isSafeInteger(from) && Number.isSafeInteger(to));
}

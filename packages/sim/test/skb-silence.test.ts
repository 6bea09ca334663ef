import { describe, expect, test } from '@jest/globals';
import { SECOND, SKB_PEER } from '@mk/monitor-proto/ids';
import { isRecord } from '@mk/monitor-proto/guards';
import { applyFault } from '@mk/sim/engine/apply-fault';
import { flatMachine } from '@mk/sim/engine/machines';
import { Simulation } from '@mk/sim/engine/simulation';
import { hmacSha256 } from '@mk/sim/io/hmac';

/** An SKB whose host vanished closes no connection: cores notice by its silence (W1–W3, decision 0189). */

const CORES = 4;
const BOUND_S = 8;

interface Run {
  readonly simulation: Simulation;
  /** Lines of these events, as `core event` and their time in seconds. */
  lines(...events: readonly string[]): readonly { readonly what: string; readonly at: number }[];
}

function booted(seed: number, cores = CORES, boundS = BOUND_S): Run {
  const settings = JSON.stringify({ skbSilenceMs: boundS * 1000 });
  const simulation = new Simulation({
    ...{ seed, cores, settings, machine: flatMachine(), hmac: hmacSha256, logLevel: 'info' },
    leaseMs: 15_000,
  });
  const seen: { readonly event: string; readonly what: string; readonly at: number }[] = [];
  simulation.observe({
    line: ({ event, ...line }, node) =>
      void seen.push({
        event,
        what: `${node.id} ${event} ${String(line['cause'] ?? '')}`.trim(),
        at: simulation.now / SECOND,
      }),
  });
  simulation.start();
  expect(simulation.run(20 * SECOND, () => isWhole(simulation, cores))).toBe(true);
  simulation.run(simulation.now + SECOND);
  return { simulation, lines: (...events) => seen.filter(({ event }) => events.includes(event)) };
}

const status = (simulation: Simulation, core: number): Readonly<Record<string, unknown>> => {
  const given = simulation.node(core).kernel?.status();
  return isRecord(given) ? given : {};
};

/** All are members of one view and linked to the SKB. */
function isWhole(simulation: Simulation, cores = CORES): boolean {
  return Array.from({ length: cores }, (_, core) => simulation.node(core).kernel).every(
    (kernel) => kernel?.health()['members'] === cores && kernel.monitor.endpoint.peers.get(SKB_PEER)?.link !== 0,
  );
}

function cutOff(simulation: Simulation, cores: readonly number[], forS: number): void {
  const groups = [cores, [SKB_PEER]];
  applyFault(simulation, {
    type: 'rule',
    rule: { kind: 'partition', id: 'cut', groups, one_way: false, for_ns: forS * SECOND },
  });
}

describe('an SKB that says nothing', () => {
  test('its link is closed at the bound, once, and is open again when the network is back; nothing is lost', () => {
    for (const seed of [1, 2, 3]) {
      const { simulation, lines } = booted(seed);
      const cutAt = simulation.now / SECOND;
      cutOff(simulation, [1, 2], 40);
      simulation.run(simulation.now + 30 * SECOND);
      for (const core of [1, 2]) {
        expect(status(simulation, core)['skb_silent_ms']).toBeGreaterThan(BOUND_S * 1000);
        expect(simulation.node(core).kernel?.health()).toMatchObject({
          ok: true,
          skb: expect.stringMatching(/silent for \d+ s/),
        });
      }
      for (const core of [0, 3]) expect(status(simulation, core)['skb_silent_ms']).toBe(0);
      const silent = lines('skb_silent');
      expect(silent.map(({ what }) => what).sort()).toEqual(['1 skb_silent', '2 skb_silent']);
      // A heartbeat and a look later than the bound at most.
      for (const { at } of silent) expect(at - cutAt).toBeLessThan(BOUND_S * 1.5 + 1);
      for (const { at } of silent) expect(at - cutAt).toBeGreaterThan(BOUND_S - 1);
      simulation.run(simulation.now + 25 * SECOND, () => isWhole(simulation) && lines('skb_heard').length === 2);
      expect(
        lines('skb_heard')
          .map(({ what }) => what)
          .sort(),
      ).toEqual(['1 skb_heard', '2 skb_heard']);
      expect(isWhole(simulation)).toBe(true);
      expect(lines('member_gone', 'peer_gone')).toEqual([]);
    }
  });

  test('one that hangs is dialled, not dropped in a loop; when it wakes all goes on as before', () => {
    const { simulation, lines } = booted(4);
    simulation.hang(SKB_PEER);
    simulation.run(simulation.now + 90 * SECOND);
    expect(lines('skb_silent')).toHaveLength(CORES);
    simulation.resume(SKB_PEER);
    simulation.run(simulation.now + 30 * SECOND);
    expect(lines('skb_silent')).toHaveLength(CORES);
    expect(lines('skb_heard')).toHaveLength(CORES);
    expect(isWhole(simulation)).toBe(true);
    expect(lines('member_gone', 'peer_gone', 'session_lost')).toEqual([]);
  });

  test('one that stands still again and again for less than the bound keeps its links', () => {
    const { simulation, lines } = booted(5);
    for (let i = 0; i < 5; i += 1) {
      simulation.hang(SKB_PEER);
      simulation.run(simulation.now + (BOUND_S - 3) * SECOND);
      simulation.resume(SKB_PEER);
      simulation.run(simulation.now + SECOND);
    }
    expect(lines('skb_silent', 'link_closed')).toEqual([]);
  });

  test('a core that itself stood still blames nobody', () => {
    const { simulation, lines } = booted(6);
    simulation.hang(2);
    simulation.run(simulation.now + 12 * SECOND);
    simulation.resume(2);
    simulation.run(simulation.now + 5 * SECOND);
    expect(lines('skb_silent')).toEqual([]);
  });

  test('an idle machine whose SKB beats more seldom than the bound allows keeps its links: the SKB is asked', () => {
    const cores = 34; // a beat every three seconds
    const { simulation, lines } = booted(7, cores, 2);
    simulation.run(simulation.now + 20 * SECOND);
    expect(lines('skb_silent')).toEqual([]);
    expect(isWhole(simulation, cores)).toBe(true);
  });
});

import { beforeEach, expect, test } from '@jest/globals';
import type { ControlReply } from '@mk/monitor-proto/step';
import { hmacSha256 } from '@mk/sim/io/hmac';
import { flatMachine } from '@mk/sim/engine/machines';
import type { SimLogLine } from '@mk/sim/engine/sim-log';
import { Simulation } from '@mk/sim/engine/simulation';
import { logLineError } from '../support/log-schema.ts';

/*
 * An operation that somebody does not answer ends in an error that names the operation and the silent cores, and in a
 * warning with the actual numbers: one query over the logs shows what went wrong.
 */
const CORES = 5;
const HUNG = 3;
const PAGE = 4096;
let simulation: Simulation;
let lines: SimLogLine[];

beforeEach(() => {
  simulation = new Simulation({
    seed: 'unanswered',
    cores: CORES,
    machine: flatMachine(),
    hmac: hmacSha256,
    logLevel: 'debug',
    settings: JSON.stringify({ ramBytes: 1 << 20 }),
  });
  lines = [];
  simulation.observe({ line: (line) => void lines.push(line) });
  simulation.start();
  simulation.run(5e9, () =>
    [...Array(CORES).keys()].every(
      (core) => simulation.node(core).kernel?.monitor.context.members.length === CORES - 1,
    ),
  );
});

function ask(core: number, verb: string, args: object): ControlReply {
  let answer: ControlReply | null = null;
  simulation.control(core, verb, args as Readonly<Record<string, unknown>>, (reply) => (answer = reply));
  simulation.run(simulation.now + 60e9, () => answer !== null);
  return answer!;
}

function value<T>(reply: ControlReply): T {
  if (!reply.ok) throw new Error(reply.text);
  return reply.value as T;
}

/** RAM of core 0 of which every core has a copy. */
function shared(): { readonly domain: number; readonly address: number } {
  const domains = [...Array(CORES).keys()].map(
    (core) => value<{ domain: number }>(ask(core, 'domain_create', { cnodes: 1, memory: 64 * PAGE })).domain,
  );
  const domain = domains[0]!;
  const { address } = value<{ address: number }>(ask(0, 'cap_alloc', { domain, bytes: 16 * PAGE }));
  for (let core = 1; core < CORES; core++)
    value(ask(0, 'cap_send', { domain, source: address, core, to: domains[core] }));
  return { domain, address };
}

/** `select(.level == "warn" and .event == "operation_unanswered")`. */
function warnings(): readonly SimLogLine[] {
  return lines.filter(({ level, event }) => level === 'warn' && event === 'operation_unanswered');
}

test('a revoke that a hung core holds up names itself and that core, to its caller and in the log', () => {
  const { domain, address } = shared();
  simulation.hang(HUNG);
  const reply = ask(0, 'cap_revoke', { domain, target: address });
  expect(reply).toMatchObject({ ok: false, error: 'OPERATION_TIMEOUT' });
  const text = reply.ok ? '' : reply.text;
  const [, op] = /^revoke (0\.1\.\d+): no answer from core 3$/.exec(text) ?? [];
  expect(op).toBeDefined();
  const [warning] = warnings();
  // Mark went to four cores, three of which answered.
  expect(warning).toMatchObject({ core: 0, op, kind: 'revoke', cores: CORES, messages: 7, silent: [HUNG] });
  expect(warning).toMatchObject({ result: 'OPERATION_TIMEOUT' });
  expect(logLineError(JSON.stringify(warning))).toBeNull();
  const ended = lines.find(({ event, op: of }) => event === 'cap_operation' && of === op);
  expect(ended).toMatchObject({ cores: CORES, messages: 7, result: 'OPERATION_TIMEOUT' });
});

test('what a core holds up after the mark is told when its caller is, once', () => {
  const { domain, address } = shared();
  // The mark is answered, the commit is not.
  let reply: ControlReply | null = null;
  simulation.control(0, 'cap_revoke', { domain, target: address }, (answer) => (reply = answer));
  const isReady = (): boolean => lines.some(({ event, core }) => event === 'cap_revoke_ready' && core === HUNG);
  expect(simulation.run(simulation.now + 60e9, isReady)).toBe(true);
  simulation.hang(HUNG);
  simulation.run(simulation.now + 60e9, () => reply !== null);
  const told = warnings();
  expect(told).toMatchObject([{ kind: 'revoke', cores: CORES, silent: [HUNG] }]);
  expect(reply).toMatchObject({ ok: false, error: 'OPERATION_TIMEOUT' });
  expect((reply as unknown as { text: string }).text).toBe(
    `revoke ${String(told[0]!['op'])}: no answer from core ${HUNG}; it continues until it leaves nothing locked`,
  );
  simulation.resume(HUNG);
  const isOver = (): boolean => lines.some(({ event, kind }) => event === 'cap_operation' && kind === 'revoke');
  expect(simulation.run(simulation.now + 60e9, isOver)).toBe(true);
  expect(warnings()).toHaveLength(1);
});

test('a round', () => {
  simulation.hang(HUNG);
  const reply = ask(0, 'round', { plan: 'unicast', phases: 2, count: 1 });
  expect(reply).toMatchObject({ ok: false, error: 'OPERATION_TIMEOUT' });
  expect(reply.ok ? '' : reply.text).toMatch(/^round 0\.1\.\d+: no answer from core 3$/);
  expect(warnings()).toMatchObject([{ kind: 'round', cores: CORES, messages: 7, silent: [HUNG] }]);
});

test('nobody is blamed when everybody answers', () => {
  const { domain, address } = shared();
  value(ask(0, 'cap_revoke', { domain, target: address }));
  expect(warnings()).toEqual([]);
});

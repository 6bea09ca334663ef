import { expect, test } from '@jest/globals';
import { hmacSha256 } from '@mk/sim/io/hmac';
import { flatMachine } from '@mk/sim/engine/machines';
import { Simulation } from '@mk/sim/engine/simulation';

const PAGE = 4096;

/**
 * What is not shared costs no message: the CPU driver handles it, or a monitor that finds nobody to ask (Baumann et
 * al., SOSP 2009, §4.3).
 */
test('operations on what no other core has send no message; on what another has, they do', () => {
  const simulation = new Simulation({
    seed: 'local',
    cores: 3,
    machine: flatMachine(),
    hmac: hmacSha256,
    logLevel: 'debug',
    settings: JSON.stringify({ ramBytes: 1 << 20 }),
  });
  const sent: string[] = [];
  simulation.observe({
    line: (line) => void (line.event === 'message_sent' && sent.push(`${line.core}: ${String(line['message'])}`)),
  });
  simulation.start();
  simulation.run(5e9, () =>
    [0, 1, 2].every((core) => simulation.node(core).kernel?.monitor.context.members.length === 2),
  );
  simulation.run(simulation.now + 100e6);

  const ask = (core: number, verb: string, args: object): unknown => {
    let answer: { readonly value: unknown } | null = null;
    simulation.control(
      core,
      verb,
      args as Readonly<Record<string, unknown>>,
      (reply) => (answer = { value: reply.ok ? reply.value : reply.error }),
    );
    simulation.run(simulation.now + 1e9, () => answer !== null);
    return answer!.value;
  };
  const [own, other] = [0, 1].map(
    (core) => (ask(core, 'domain_create', { cnodes: 1, memory: 64 * PAGE }) as { domain: number }).domain,
  );
  const invoke = (invocation: object): unknown =>
    ask(0, 'cap_call', { domain: own, call: { name: 'invoke', args: [invocation] } });
  const at = (address: number) => ({ address });
  const freeBefore = simulation.node(0).kernel!.cpuDriver.state.ram.freeBytes;
  const { address: ram } = ask(0, 'cap_alloc', { domain: own, bytes: 16 * PAGE }) as { address: number };
  sent.length = 0;

  const answers = [
    invoke({
      operation: 'retype',
      source: at(ram),
      destination: at(20),
      type: 'Frame',
      offset: 0,
      objectSize: PAGE,
      count: 4,
    }),
    invoke({ operation: 'copy', source: at(20), destination: at(30) }),
    invoke({ operation: 'mint', source: at(20), destination: at(31), rights: 1 }),
    invoke({ operation: 'move', source: at(30), destination: at(32) }),
    invoke({ operation: 'delete', target: at(31) }),
    invoke({ operation: 'delete', target: at(21) }),
    invoke({ operation: 'revoke', target: at(20) }),
    invoke({ operation: 'revoke', target: at(ram) }),
    invoke({ operation: 'delete', target: at(ram) }),
  ];
  expect(answers.map((answer) => typeof answer)).not.toContain('string'); // not an error's name
  expect(simulation.node(0).kernel!.cpuDriver.state.ram.freeBytes).toBe(freeBefore);
  expect(sent).toEqual([]);

  const { address: shared } = ask(0, 'cap_alloc', { domain: own, bytes: PAGE }) as { address: number };
  ask(0, 'cap_send', { domain: own, source: shared, core: 1, to: other });
  sent.length = 0;
  invoke({ operation: 'revoke', target: at(shared) });
  expect(sent.length).toBeGreaterThan(0);
});

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ClusterClient } from '@mk/launcher/client/cluster-client';
import { type DomainRow, loadProgram } from '@mk/libmk/io/domains';
import type { UnmapCurve } from '@mk/sim/commands/unmap-figure';
import { programText } from '../../scripts/bundle-program.mjs';
import { PLAN_KINDS } from '@mk/node-kernel/monitor/agreement/plan';
import type { TreeNode } from '@mk/skb/topology/multicast-tree';
import { ClusterPlace, type ReadyMessage } from '../integration/running-cluster.ts';
import { CASES, fileOf } from './cases.ts';

const NAME = 'program-tests';
/** Two packages: the trees have a leader in the second. */
const CORES = 6;
const UNMAPS = 12;

describe('Barrelfish’s tests as programs, on processes: the same files', () => {
  const place = new ClusterPlace();
  let cluster: ClusterClient;
  let ready: ReadyMessage;

  beforeAll(async () => {
    ({ ready } = await place.boot('--cores', String(CORES), '--name', NAME));
    process.env['MK_STATE_DIR'] = place.state;
    cluster = ClusterClient.open({ cluster: NAME });
    for (const file of new Set(CASES.map((one) => one.file)))
      await loadProgram(cluster, 0, file, await programText(fileOf(file)));
  });
  afterAll(() => place.cleanUp());

  test.each(CASES)('$name ends well and leaves no channel', async ({ file, args }) => {
    const { domain } = (await cluster.core(0, 'domain_spawn', { program: file, core: 0, args })) as {
      domain: string;
    };
    const ended = (await cluster.core(0, 'domain_wait', { domain }, { timeoutMs: 600_000 })) as DomainRow;
    expect(ended).toMatchObject({ cause: 'exited', status: 0, text: '' });
    for (let core = 0; core < CORES; core += 1)
      expect(await cluster.core(core, 'channels', {})).toEqual({ channels: [], names: [], relayed: 0 });
  });

  test('litmus tests run while a fault plan happens, and leave none of its rules; a plan that cannot be is refused', async () => {
    const plan = (text: string): string => {
      const file = join(place.state, 'plan.yaml');
      writeFileSync(file, `faults:\n${text}\n`);
      return file;
    };
    const faults = '  - { at: 0s, link: { from: 0, to: 1, delay: 1ms } }\n  - { at: 3000s, heal: all }';
    const words = ['litmus', 'MP', '--cores', '2', '--runs', '40', '--plan'];
    const { status, stdout, stderr } = await place.mkctl(...words, plan(faults));
    expect(status).toBe(0);
    expect(stdout).toMatch(/^MP \(coherent\): 40 runs, \d outcomes?, 3 allowed, 0 forbidden$/m);
    expect(stderr).toContain('plan at 0.0 s: link 0 -> 1 delay 1 ms');
    expect(stderr).toContain('ended before 1 of the plan’s faults');
    expect((await place.mkctl('faults')).stdout).toContain('no faults in force');
    const beyond = await place.mkctl(...words, plan('  - { at: 0s, slow: { core: 7, factor: 3 } }'));
    expect(beyond.status).not.toBe(0);
    expect(beyond.stderr).toContain('the plan names core 7, which does not exist');
  });

  test('bench unmap tells the whole call by number of cores, and where its time goes; its plan is for it alone', async () => {
    const words = ['bench', 'unmap', '--plan', 'numa', '--count', '2', '--step', '2', '--json'];
    const { status, stdout } = await place.mkctl(...words);
    expect(status).toBe(0);
    const [curve] = JSON.parse(stdout) as readonly [UnmapCurve];
    expect(curve.plan).toBe('numa');
    expect(curve.points.map(({ cores, messages }) => [cores, messages])).toEqual([
      [1, 0],
      [3, 4],
      [5, 8],
      [6, 10],
    ]);
    for (const { min_ns: least, round_ns: round, stack } of curve.points) {
      expect(Math.min(...Object.values(stack))).toBeGreaterThanOrEqual(0);
      expect({ call: stack.call > 0, marshalling: stack.marshalling > 0, reply: stack.reply > 0 }).toEqual({
        call: true,
        marshalling: true,
        reply: true,
      });
      expect(stack.marshalling).toBeLessThanOrEqual(round);
      expect(least).toBeGreaterThan(0);
    }
    const { plan } = (await cluster.core(0, 'unmap_plan', {})) as { readonly plan: string };
    expect(plan).toBe('auto');
  });

  test('each plan of an unmap is what is run: who sends how many requests is what the SKB’s tree says', async () => {
    for (const kind of PLAN_KINDS) {
      const tree = async () => childrenOf((await cluster.skb('tree', { root: 0, kind, form: 'json' })) as TreeNode);
      const [planned, before] = [await tree(), await requestsSent(ready)];
      const words = ['--plan', kind, '--count', String(UNMAPS), '--step', String(CORES - 1), '--json'];
      expect((await place.mkctl('bench', 'unmap', ...words)).status).toBe(0);
      const after = await requestsSent(ready);
      // Rounds about anything else are fewer than the unmaps.
      const sent = after.map((count, core) => Math.floor((count - before[core]!) / UNMAPS));
      expect({ kind, sum: sent.reduce((a, b) => a + b, 0) }).toEqual({ kind, sum: CORES - 1 });
      // The measured trees may have been replanned meanwhile.
      const isSame = (await tree()).every((count, core) => count === planned[core]);
      if (isSame) expect({ kind, sent }).toEqual({ kind, sent: planned });
      if (kind === 'unicast' || kind === 'broadcast') expect(sent).toEqual([CORES - 1, 0, 0, 0, 0, 0]);
      if (kind === 'multicast') expect(sent).toEqual([4, 0, 0, 0, 1, 0]);
    }
  });
});

/** The requests of rounds that each core has sent. */
function requestsSent({ processes }: ReadyMessage): Promise<readonly number[]> {
  const sent = async (core: number): Promise<number> => {
    const { address } = processes.find(({ name }) => name === `core-${core}`)!;
    const page = await (await fetch(`http://${address}/metrics`)).text();
    const [, count = '0'] = /^mk_messages_sent_total\{[^}]*message="round_request"[^}]*\} (\d+)/m.exec(page) ?? [];
    return Number(count);
  };
  return Promise.all(Array.from({ length: CORES }, (_, core) => sent(core)));
}

/** How many children each core has in a tree. */
function childrenOf({ core, children }: TreeNode, counts = Array.from({ length: CORES }, () => 0)): readonly number[] {
  counts[core] = children.length;
  for (const child of children) childrenOf(child, counts);
  return counts;
}

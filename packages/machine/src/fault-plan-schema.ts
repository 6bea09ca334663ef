import { z } from 'zod';
import { SKB_PEER } from '@mk/monitor-proto/ids';
import { parseCores, parseDuration, parsePeers, parsePercent, parseRate } from './duration.ts';
import { success } from './result.ts';
import type { Result } from './result.ts';
import { parsedBy } from './strict.ts';

const duration = parsedBy(parseDuration);
const percent = parsedBy(parsePercent);

/** A core, a list of cores, or text such as `0,3-7`. */
const cores = z.union([z.string(), z.number(), z.array(z.int().min(0))]).transform((value, context) => {
  const parsed = parseCores(value);
  if (parsed.ok && parsed.value.length > 0) return parsed.value;
  context.addIssue({ code: 'custom', message: parsed.ok ? 'at least one core is needed' : parsed.error });
  return z.NEVER;
});

/** As `cores`, with `skb` among them. */
const peers = z
  .union([z.string(), z.number(), z.array(z.union([z.int().min(0), z.literal('skb')]))])
  .transform((value, context) => {
    const parsed = parsePeers(value);
    if (parsed.ok && parsed.value.length > 0) return parsed.value;
    context.addIssue({ code: 'custom', message: parsed.ok ? 'at least one core is needed' : parsed.error });
    return z.NEVER;
  });

/** As `peers`, and `all`: every core. */
const end = z.union([z.literal('all'), peers]);

/** One core, or the SKB. */
const peer = z.union([z.int().min(0), z.literal('skb').transform(() => SKB_PEER)]);

const id = z.string().min(1).max(100).optional();

/** The settings of a link as a plan and the command line write them. */
export const LINK_SETTINGS = {
  delay: duration.optional(),
  jitter: duration.optional(),
  distribution: z.enum(['constant', 'uniform', 'normal', 'pareto']).optional(),
  correlation: percent.optional(),
  loss: z
    .union([
      percent,
      z.strictObject({ enter: percent, leave: percent, good: percent.default(0), bad: percent.default(1) }),
    ])
    .optional(),
  drop_first: z.int().min(0).optional(),
  duplicate: percent.optional(),
  reorder: percent.optional(),
  rate: parsedBy(parseRate).optional(),
  limit: z.int().min(0).optional(),
  /** A time, or (without a unit) a number of frames. */
  reset_after: parsedBy(parseResetAfter).optional(),
  /** Openings that are reset: `reset_after` leaves them alone. */
  reset_opening: percent.optional(),
};

const LINK = z.strictObject({
  from: end,
  to: end,
  both: z.boolean().default(false),
  id,
  for: duration.optional(),
  ...LINK_SETTINGS,
});

const PARTITION = z.strictObject({
  groups: z.array(z.union([z.literal('rest'), peers])).min(2),
  one_way: z.boolean().default(false),
  id,
  for: duration.optional(),
});

const on = { core: cores, for: duration.optional() };

const ENTRY = z.strictObject({
  at: duration,
  for: duration.optional(),
  partition: PARTITION.optional(),
  isolate: z.strictObject({ ...on, core: peers, id }).optional(),
  link: LINK.optional(),
  crash: z.strictObject({ core: cores }).optional(),
  restart: z.strictObject({ core: cores }).optional(),
  hang: z.strictObject(on).optional(),
  slow: z.strictObject({ ...on, factor: z.number().gt(1).max(1000) }).optional(),
  rogue: z.strictObject({ ...on, behaviour: z.string().min(1) }).optional(),
  skb_loss: z.union([z.literal(true), z.strictObject({ for: duration.optional() })]).optional(),
  heal: z
    .union([z.literal('all'), z.strictObject({ rule: z.string().min(1) }), z.strictObject({ from: peer, to: peer })])
    .optional(),
});

function parseResetAfter(value: string | number): Result<{ readonly frames: number } | { readonly ns: number }> {
  if (/^\d{1,9}$/.test(String(value).trim())) return success({ frames: Number(value) });
  const parsed = parseDuration(value);
  return parsed.ok ? success({ ns: parsed.value }) : parsed;
}

/** The fault plan file. */
export const PLAN = z.strictObject({
  seed: z.union([z.int(), z.string().min(1)]).optional(),
  machine: z.string().min(1).optional(),
  cores: z.int().min(1).max(4096).optional(),
  latency: duration.optional(),
  jitter: duration.optional(),
  workload: z
    .strictObject({
      program: z.string().min(1),
      args: z.array(z.union([z.string(), z.number(), z.boolean()]).transform(String)).default([]),
      on: cores.optional(),
    })
    .optional(),
  faults: z.array(ENTRY).max(10_000).default([]),
  expect: z.array(z.enum(['invariants', 'converge', 'workload'])).default([]),
});

export type PlanFile = z.infer<typeof PLAN>;
export type FaultEntry = z.infer<typeof ENTRY>;
export type LinkEntry = z.infer<typeof LINK>;

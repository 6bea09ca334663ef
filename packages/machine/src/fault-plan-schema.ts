import { z } from 'zod';
import { SKB_PEER } from '@mk/monitor-proto/ids';
import { ROGUE_BEHAVIOUR_NAMES } from '@mk/monitor-proto/rogue-behaviours';
import { parseCores, parseDuration, parsePeers, parsePercent, parseRate } from './duration.ts';
import { type Result, succeed } from '@mk/monitor-proto/result';
import { parsedBy } from './strict.ts';

const duration = parsedBy(parseDuration).meta({ title: 'duration (2ms)' });
const percent = parsedBy(parsePercent).meta({ title: 'ratio (1%)' });

/** A core, a list of cores, or text such as `0,3-7`. */
const cores = z
  .union([z.string(), z.number(), z.array(z.int().min(0))])
  .transform((value, context) => {
    const parsed = parseCores(value);
    if (parsed.ok && parsed.value.length > 0) return parsed.value;
    context.addIssue({ code: 'custom', message: parsed.ok ? 'at least one core is needed' : parsed.error });
    return z.NEVER;
  })
  .meta({ title: 'cores (0,3-7)' });

/** As `cores`, with `skb` among them. */
const peers = z
  .union([z.string(), z.number(), z.array(z.union([z.int().min(0), z.literal('skb')]))])
  .transform((value, context) => {
    const parsed = parsePeers(value);
    if (parsed.ok && parsed.value.length > 0) return parsed.value;
    context.addIssue({ code: 'custom', message: parsed.ok ? 'at least one core is needed' : parsed.error });
    return z.NEVER;
  })
  .meta({ title: 'cores (0,3-7), skb' });

/** As `peers`, and `all`: every core. */
const end = z.union([z.literal('all'), peers]).meta({ title: 'cores (0,3-7), skb or all' });

/** One core, or the SKB. */
const peer = z.union([z.int().min(0), z.literal('skb').transform(() => SKB_PEER)]).meta({ title: 'a core, or skb' });

const id = z.string().min(1).max(100).optional().describe('its name, for heal and for mkctl faults');

/** A link's settings in plans and on the command line. */
export const LINK_SETTINGS = {
  delay: duration.optional().describe('one-way delay, instead of the link’s own'),
  jitter: duration.optional().describe('spread of the delay'),
  distribution: z.enum(['constant', 'uniform', 'normal', 'pareto']).optional().describe('how the delay is spread'),
  correlation: percent.optional().describe('how much of one frame’s jitter the next repeats'),
  loss: z
    .union([
      percent,
      z.strictObject({ enter: percent, leave: percent, good: percent.default(0), bad: percent.default(1) }),
    ])
    .optional()
    .describe(
      'frames lost: a ratio, or bursts (Gilbert–Elliott: chance to enter and to leave a burst, loss outside and inside)',
    ),
  drop_first: z.int().min(0).optional().describe('this many frames from now on are lost'),
  duplicate: percent.optional().describe('frames sent twice'),
  reorder: percent.optional().describe('frames that overtake those before them'),
  rate: parsedBy(parseRate).meta({ title: 'rate (1MB/s)' }).optional().describe('bytes a second'),
  limit: z.int().min(0).optional().describe('frames under way at once; one more is lost; 0: any number'),
  /** A time, or (without a unit) a number of frames. */
  reset_after: parsedBy(parseResetAfter)
    .meta({ title: 'duration, or frames' })
    .optional()
    .describe('the socket is reset at this age, or (a number without a unit) after this many frames'),
  /** Reset openings, which `reset_after` spares. */
  reset_opening: percent.optional().describe('openings that are reset; reset_after leaves them alone'),
};

const LINK = z.strictObject({
  from: end.describe('who sends'),
  to: end.describe('who receives'),
  both: z.boolean().default(false).describe('the other direction too'),
  id,
  for: duration.optional().describe('it ends by itself after this long'),
  ...LINK_SETTINGS,
});

const PARTITION = z.strictObject({
  groups: z
    .array(z.union([z.literal('rest'), peers]))
    .min(2)
    .describe('who hears one another; rest: everybody else'),
  one_way: z.boolean().default(false).describe('only what the first group sends is lost'),
  id,
  for: duration.optional().describe('it ends by itself after this long'),
});

const on = { core: cores, for: duration.optional().describe('it ends by itself after this long') };

const ENTRY = z.strictObject({
  at: duration.describe('when, counted from the moment at which boot is complete'),
  for: duration.optional().describe('it ends by itself after this long'),
  partition: PARTITION.optional().describe('groups that are cut off from one another'),
  isolate: z
    .strictObject({ ...on, core: peers, id })
    .optional()
    .describe('cores that are cut off from everybody'),
  link: LINK.optional().describe('a link that changes'),
  crash: z.strictObject({ core: cores }).optional().describe('killed (SIGKILL)'),
  restart: z
    .strictObject({ core: cores })
    .optional()
    .describe('restarted as a new incarnation; one that still runs is ended first'),
  hang: z.strictObject(on).optional().describe('stopped with its sockets open (SIGSTOP)'),
  slow: z
    .strictObject({ ...on, factor: z.number().gt(1).max(1000) })
    .optional()
    .describe('everything takes this many times as long'),
  rogue: z
    .strictObject({ ...on, behaviour: z.enum(ROGUE_BEHAVIOUR_NAMES) })
    .optional()
    .describe('a core whose monitor misbehaves (rogue-behaviours.md)'),
  skb_loss: z
    .union([
      z.literal(true),
      z.strictObject({ for: duration.optional().describe('it ends by itself after this long') }),
    ])
    .optional()
    .describe('the SKB is lost; with for it comes back'),
  heal: z
    .union([z.literal('all'), z.strictObject({ rule: z.string().min(1) }), z.strictObject({ from: peer, to: peer })])
    .optional()
    .describe('ends faults: all, one rule, or those of a link'),
});

function parseResetAfter(
  value: string | number,
): Result<{ readonly frames: number } | { readonly ns: number }, string> {
  if (/^\d{1,9}$/.test(String(value).trim())) return succeed({ frames: Number(value) });
  const parsed = parseDuration(value);
  return parsed.ok ? succeed({ ns: parsed.value }) : parsed;
}

/** The fault plan file. */
export const PLAN = z.strictObject({
  seed: z
    .union([z.int(), z.string().min(1)])
    .optional()
    .describe('seed of every random choice'),
  machine: z.string().min(1).optional().describe('a shipped machine, or a file'),
  cores: z.int().min(1).max(4096).optional().describe('how many cores'),
  latency: duration.optional().describe('one-way delay added to every link'),
  jitter: duration.optional().describe('spread of that delay'),
  lease: duration.optional().describe('how long a core may fail to reach a majority before it is fenced; as --lease'),
  workload: z
    .strictObject({
      program: z.string().min(1),
      args: z.array(z.union([z.string(), z.number(), z.boolean()]).transform(String)).default([]),
      on: cores.optional(),
    })
    .optional()
    .describe('a program that runs meanwhile: one that ships, a file, or churn'),
  faults: z.array(ENTRY).max(10_000).default([]).describe('what happens when'),
  expect: z
    .array(z.enum(['invariants', 'converge', 'workload']))
    .default([])
    .describe('what must hold at the end; exit status 1 when it does not'),
});

export type PlanFile = z.infer<typeof PLAN>;
export type FaultEntry = z.infer<typeof ENTRY>;
export type LinkEntry = z.infer<typeof LINK>;

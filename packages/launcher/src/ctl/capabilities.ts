import type { CapabilityRow } from '@mk/node-kernel/control/verb-answers';
import { coreNumber } from '../cli/values.ts';
import { audit, describeAudit, isSoundAudit } from '../client/audit.ts';
import { type CtlCommand, optional, printJson } from './context.ts';
import { fromEach } from './from-each.ts';

const RELATIONS = ['copies', 'ancestors', 'descendants'];

export const CAPS: CtlCommand = {
  command: 'caps',
  describe: 'capabilities, slot by slot, with owner, lock and what may exist elsewhere',
  examples: [['$0 caps --core 3', 'those on core 3']],
  options: (cli) => cli.option('core', { type: 'string', requiresArg: true, describe: 'one core; without it all' }),
  async run(context) {
    const wanted = optional(context.args, 'core');
    const cores =
      wanted === undefined ? (await context.cluster.cores()).map(({ core }) => core) : [coreNumber('--core', wanted)];
    const { values, status } = await fromEach(context, cores, 'caps');
    if (context.json)
      printJson(
        context,
        values.map(({ core, value }) => ({ core, capabilities: value })),
      );
    else
      for (const { core, value } of values) {
        context.terminal.out(`core ${core}: ${value.length} capabilities`);
        for (const row of value) context.terminal.out(`  ${describeRow(row)}`);
      }
    return status;
  },
};

export const AUDIT: CtlCommand = {
  command: 'audit',
  describe: 'checks every capability invariant over all cores (C1, C2, C5, relations)',
  examples: [['$0 audit', 'exit status 1 when one does not hold, or a core is missing']],
  async run(context) {
    const report = await audit(context.cluster);
    if (context.json) printJson(context, report);
    else for (const line of describeAudit(report)) context.terminal.out(line);
    return isSoundAudit(report) ? 0 : 1;
  },
};

function describeRow({ slot, capability, owner, locked, in_delete: inDelete, relations }: CapabilityRow): string {
  const remote = RELATIONS.filter((_, bit) => (relations & (1 << bit)) !== 0);
  const marks = [
    locked ? 'locked' : '',
    inDelete ? 'in delete' : '',
    remote.length > 0 ? `remote ${remote.join(', ')}` : '',
  ].filter((mark) => mark !== '');
  return `${slot < 0 ? 'kernel' : `0x${slot.toString(16)}`}  ${capability}  owner ${owner}${marks.length > 0 ? `  (${marks.join('; ')})` : ''}`;
}

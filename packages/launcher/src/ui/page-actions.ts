import { known } from '@mk/monitor-proto/assert';
import picocolors from 'picocolors';
import { type ActionVerb, isActionVerb } from '@mk/ui/model/actions';
import type { ActionArgs } from '@mk/ui/model/page-events';
import { CommandError } from '../cli/usage-error.ts';
import type { Terminal } from '../cli/terminal.ts';
import type { ClusterClient } from '../client/cluster-client.ts';
import type { CtlCommand } from '../ctl/context.ts';
import { FAULT_COMMANDS } from '../ctl/faults.ts';
import { LOG_LEVEL } from '../ctl/log-level.ts';
import { CRASH, HANG, RESTART } from '../ctl/processes.ts';
import { MEASURE } from '../ctl/topology.ts';

/** The commands of mkctl that the page offers, with their effects and messages. */
const COMMANDS = new Map<string, CtlCommand>(
  [...FAULT_COMMANDS, CRASH, RESTART, HANG, MEASURE, LOG_LEVEL].map((command) => [
    known(command.command.split(' ')[0]),
    command,
  ]),
);

/** Runs `mkctl VERB …` with these arguments; resolves with its output. Rejects with its error, in one line. */
export async function performAction(cluster: ClusterClient, verb: string, args: ActionArgs): Promise<string> {
  const command = isActionVerb(verb) ? COMMANDS.get(verb satisfies ActionVerb) : undefined;
  if (command === undefined) throw new CommandError(`no action is called ${verb}`);
  const said: string[] = [];
  const terminal: Terminal = {
    interactive: false,
    columns: 100,
    colour: picocolors.createColors(false),
    out: (text) => void said.push(text),
    error: (text) => void said.push(text),
  };
  const status = await command.run({ args, terminal, json: false, cluster });
  if (status !== undefined && status !== 0) throw new CommandError(said.join('; '));
  return verb === 'measure' ? 'measured' : said.join('; ');
}

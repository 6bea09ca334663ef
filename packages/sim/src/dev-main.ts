/** Development entry: `sim` without the launcher. */
import yargs from 'yargs';
import { simCommand } from './cli.ts';

yargs(process.argv.slice(2)).parserConfiguration({ 'parse-numbers': false, 'parse-positional-numbers': false }).command(simCommand({ machinesDirectory: () => process.env['MK_MACHINES'] ?? 'packages/launcher/machines', done: (status) => (process.exitCode = status) })).strict().parse();

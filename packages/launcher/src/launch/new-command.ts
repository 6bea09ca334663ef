import { makeFolder } from '@mk/monitor-proto/io/folder';
import { copyFileSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import type { CommandModule } from 'yargs';
import { declaring } from '../cli/run-cli.ts';
import { processTerminal } from '../cli/terminal.ts';
import { CommandError, UsageError } from '../cli/usage-error.ts';
import { programDirectory } from '../boot/programs.ts';
import { templateFiles } from '../programs/template.ts';

/** `mk-launch new NAME`: a folder with a program, a test that runs it in the simulator, and what an editor needs. */
export function newCommand(done: (status: number) => void): CommandModule {
  return {
    command: 'new <name>',
    describe: 'make a folder with a program of your own, and a test that runs it in the simulator',
    builder: declaring((cli) =>
      cli
        .positional('name', { type: 'string', describe: 'the folder, and the program’s name' })
        .example('$0 new my-program', 'then: cd my-program && npm test'),
    ),
    handler: (args) => done(newFolder(String(args['name']))),
  };
}

function newFolder(given: string): number {
  const folder = resolve(given);
  const name = basename(folder);
  if (!/^[a-z][a-z0-9-]{0,60}$/.test(name))
    throw new UsageError(
      `a program’s name is lower-case letters, digits and dashes, like my-program, not ${JSON.stringify(name)}`,
    );
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new CommandError(`${given} exists and is not empty; name another folder`, 2);
  const library = packedLibrary();
  const places = { checkout: dirname(programDirectory()), libmk: basename(library) };
  for (const [file, text] of Object.entries(templateFiles(name, places))) {
    makeFolder(dirname(join(folder, file)));
    writeFileSync(join(folder, file), text);
  }
  makeFolder(join(folder, 'vendor'));
  copyFileSync(library, join(folder, 'vendor', basename(library)));
  const near = relative(process.cwd(), folder);
  processTerminal().out(`made ${near === '' ? '.' : near}: cd ${near === '' ? '.' : near} && npm test`);
  return 0;
}

/** libmk as packed by the build. */
function packedLibrary(): string {
  const directory = programDirectory();
  const file = readdirSync(directory).find((name) => /^mk-libmk-.*\.tgz$/.test(name));
  if (file === undefined)
    throw new CommandError(`there is no mk-libmk-….tgz in ${directory}; npm run build makes it`, 2);
  return join(directory, file);
}

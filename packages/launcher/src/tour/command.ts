import type { CommandModule } from 'yargs';

export function tourCommand(_done: (status: number) => void): CommandModule {
  return { command: 'tour', describe: 'a guided tour', handler: () => undefined };
}

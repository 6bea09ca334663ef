import { report } from '../cli/run-cli.ts';
import { mkctl } from '../ctl/command.ts';

/** The program `mkctl`. */
mkctl(process.argv.slice(2)).then(
  (status) => process.exit(status),
  (error) => process.exit(report('mkctl', error)),
);

import '../cli/working-folder.ts';
import { asksForJson, report } from '../cli/run-cli.ts';
import { guardStandardOutput, statusWithOutput } from '../cli/standard-output.ts';
import { mkctl } from '../ctl/command.ts';

/** The program `mkctl`. */
guardStandardOutput('mkctl');
mkctl(process.argv.slice(2)).then(
  (status) => process.exit(statusWithOutput(status)),
  (error) => process.exit(report('mkctl', error, asksForJson(process.argv))),
);

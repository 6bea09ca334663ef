import '../cli/working-folder.ts';
import { asksForJson, report } from '../cli/run-cli.ts';
import { guardStandardOutput, statusWithOutput } from '../cli/standard-output.ts';
import { DAEMON_VARIABLE, runDaemon } from '../launch/daemon.ts';
import { chaosCommand } from '../launch/chaos-command.ts';
import { newCommand } from '../launch/new-command.ts';
import { mkLaunch } from '../launch/command.ts';
import { runCommand } from '../launch/run-command.ts';
import { certsCommand } from '../tls/certs-command.ts';
import { takeoverCommand } from '../launch/takeover-command.ts';
import { tourCommand } from '../tour/command.ts';

/** The program `mk-launch`; with MK_SUPERVISE, the supervisor of a detached cluster. */
guardStandardOutput('mk-launch');
const supervise = process.env[DAEMON_VARIABLE];
delete process.env[DAEMON_VARIABLE];
const main =
  supervise === undefined
    ? mkLaunch(process.argv.slice(2), [
        tourCommand,
        runCommand,
        chaosCommand,
        takeoverCommand,
        newCommand,
        certsCommand,
      ])
    : runDaemon();
main.then(
  (status) => process.exit(statusWithOutput(status)),
  (error) => process.exit(report('mk-launch', error, asksForJson(process.argv))),
);

import { createInterface } from 'node:readline';
import type { CtlContext } from './context.ts';

/** The shell's line when it is ready for input. */
const READY = /^shell (\S+) on core /;

/** Sends the lines of standard input to a shell, once it listens; the end of the input ends it. */
export class ShellInput {
  private begun = false;

  constructor(private readonly context: CtlContext) {}

  /** A program of the run has printed a line. */
  printed(text: string): void {
    const domain = READY.exec(text)?.[1];
    if (domain === undefined || this.begun) return;
    this.begun = true;
    void this.forward(domain).catch((error: Error) => this.context.terminal.error(`mkctl: ${error.message}`));
  }

  private async forward(domain: string): Promise<void> {
    const skb = await this.context.cluster.openSkb();
    const send = (line: string): Promise<void> =>
      skb.octopus.publish(`shell_input { domain: '${domain}', line: '${line.replace(/[\\']/g, '\\$&')}' }`);
    for await (const line of createInterface({ input: process.stdin })) await send(line);
    await send('exit');
    skb.close();
  }
}

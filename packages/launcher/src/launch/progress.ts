import { SingleBar } from 'cli-progress';
import type { BootProgress } from '../boot/boot-machine.ts';
import type { Terminal } from '../cli/terminal.ts';

/** Shows the progress of boot: a bar on a terminal, nothing elsewhere. */
export class ProgressDisplay {
  private bar: SingleBar | null = null;

  constructor(private readonly terminal: Terminal) {}

  update({ registered, links, expectedCores, expectedLinks }: BootProgress): void {
    if (!this.terminal.interactive) return;
    if (this.bar === null) {
      const format = `booting {bar} {cores}/${expectedCores} cores  {links}/${expectedLinks} pairs  {duration_formatted}`;
      this.bar = new SingleBar({
        format,
        hideCursor: true,
        clearOnComplete: true,
        barsize: 30,
        barCompleteChar: '█',
        barIncompleteChar: '░',
        fps: 15,
      });
      this.bar.start(expectedCores + expectedLinks, 0, { cores: 0, links: 0 });
    }
    // A pair counts half while only one of the two has reported that it knows the other.
    this.bar.update(registered + links, { cores: registered, links: Math.floor(links) });
  }

  /** Takes the bar off the screen. */
  end(): void {
    this.bar?.stop();
    this.bar = null;
  }
}

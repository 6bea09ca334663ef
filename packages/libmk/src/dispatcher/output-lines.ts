/** A program's output as people see it: each line with its core and domain. */
export function outputLines(core: number | string, domain: string, text: string): string {
  return text
    .split('\n')
    .map((line) => `${core}/${domain}  ${line}`)
    .join('\n');
}

// A jest reporter: after a run, prints the ten slowest tests.
const SHOWN = 10;

/** Prints to stderr, like jest's own reporters. Silent for a single file, whose times jest prints itself. */
export default class SlowestTests {
  onRunComplete(_contexts, { testResults }) {
    if (testResults.length < 2) return;
    for (const line of slowest(testResults)) process.stderr.write(`${line}\n`);
  }
}

/** A heading and a line for each of the ten slowest tests; nothing if no test ran. */
export function slowest(testResults) {
  const rows = testResults.flatMap(({ testFilePath, testResults: tests }) =>
    tests
      .filter(({ duration }) => typeof duration === 'number')
      .map(({ duration, fullName }) => ({ duration, fullName, file: testFilePath.split(/[/\\]/).at(-1) })),
  );
  if (rows.length === 0) return [];
  const longest = rows.toSorted((a, b) => b.duration - a.duration).slice(0, SHOWN);
  return [
    '',
    `The ${longest.length} tests that took longest:`,
    ...longest.map(
      ({ duration, fullName, file }) => `${(duration / 1000).toFixed(1).padStart(8)} s  ${file}  ${fullName}`,
    ),
  ];
}

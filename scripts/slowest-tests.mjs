// A reporter of jest: after a run, which ten tests took longest.
const SHOWN = 10;

/** Prints to stderr, as jest's own reporters do; a single file's run says it by itself. */
export default class SlowestTests {
  onRunComplete(_contexts, { testResults }) {
    if (testResults.length < 2) return;
    for (const line of slowest(testResults)) process.stderr.write(`${line}\n`);
  }
}

/** A head and a line for each of the ten tests, longest first; nothing when no test has run. */
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

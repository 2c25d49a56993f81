/** One thing that is wrong with the configuration. */
export interface Problem {
  /** Where it stands: `--rate`, `POOLSYNC_KEY`, `poolsync.yaml: feeds.hr.pool`. */
  readonly path: string;
  /** What was expected there, and what was got instead, without the end of a sentence. */
  readonly message: string;
}

/** Wrong usage or configuration: exit code 64. The message has every problem, one a line where there are several. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly kind = "configuration";
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[], options?: ErrorOptions) {
    super(describe(problems), options);
    this.problems = problems;
  }
}

/** How many problems one message lists. */
const LISTED = 50;

function describe(problems: readonly Problem[]): string {
  const lines = problems.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
  const [only] = lines;
  if (lines.length === 1 && only !== undefined) return only;
  const more = lines.length > LISTED ? [`  and ${lines.length - LISTED} more`] : [];
  const listed = lines.slice(0, LISTED).map((line) => `  ${line}`);
  return [`The configuration has ${lines.length} problems:`, ...listed, ...more].join("\n");
}

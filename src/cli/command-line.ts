/** Commands as a user would type them, for messages. */

/** Quotes what a shell would take apart. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Flags that must be given again for a command to reach the same engine and the same pool. */
export interface CarriedFlags {
  readonly config?: string;
  readonly dataDir?: string;
  readonly region?: string;
  readonly endpointUrl?: string;
  readonly profile?: string;
}

function carried(flags: CarriedFlags): string[] {
  const { config, dataDir, region, endpointUrl, profile } = flags;
  const words = {
    "--config": config,
    "--data-dir": dataDir,
    "--region": region,
    "--endpoint-url": endpointUrl,
    "--profile": profile,
  };
  return Object.entries(words).flatMap(([flag, value]) => (value === undefined ? [] : [flag, value]));
}

/** `poolsync dead replay --kind alias-exists` */
export function commandLine(words: readonly string[], flags: CarriedFlags = {}): string {
  return ["poolsync", ...words, ...carried(flags)].map(shellWord).join(" ");
}

/** The options that commands share, and the configuration as one command reads it. */
import type { Command } from "commander";
import type { FeedsDeps } from "../app/feeds/open-feeds.ts";
import type { Opened } from "../app/opening.ts";
import { READS_WITHIN_MS } from "../cognito/read-retry.ts";
import { readConfig, type Flags, type PoolFlags } from "../config/config.ts";
import { reportedReads } from "../delivery/reported-reads.ts";
import type { Scope } from "../lifecycle.ts";
import { createLog } from "../log.ts";
import { tell, type Io } from "./io.ts";

/** Flags of every command that works with an engine. */
export interface EngineFlags extends Flags {
  readonly json?: boolean;
}

/** Flags of every command that reaches Cognito. */
export interface CognitoFlags extends EngineFlags, PoolFlags {}

export function engineOptions(command: Command): Command {
  return command
    .option("--config <file>", "configuration file (default: ./poolsync.yaml, if it is there)")
    .option("--data-dir <directory>", "where the embedded engine keeps its data (default: ~/.local/state/poolsync)")
    .option("--json", "print one JSON document on stdout; logs go to stderr");
}

/** How fast Cognito is called. */
export function paceOptions(command: Command): Command {
  return command
    .option("--rate <number>", "most UserUpdate calls a second, for the account and Region (default: 20)")
    .option("--reserve <share>", "what is left of it to others: calls a second, or a share such as 20%")
    .option("--list-rate <number>", "most UserList calls a second, likewise (default: 20)")
    .option("--list-reserve <share>", "what is left of that to others");
}

export function cognitoOptions(command: Command): Command {
  return paceOptions(
    command
      .option("--region <region>", "AWS Region of the user pool")
      .option("--endpoint-url <url>", "another endpoint than Cognito's own, such as an emulator")
      .option("--profile <name>", "profile of AWS's configuration files"),
  ).option("--concurrency <number>", "most calls in flight (default: 10)");
}

export interface OpenedCommand extends Opened {
  /** True where people look on: progress may be shown. */
  readonly interactive: boolean;
}

/** How long a command waits for a data directory that others have: the AWS CLI waits as long for an answer. */
const TURN_WITHIN_MS = 60_000;
/** Clears the line: a progress bar may stand there, and is drawn again below. */
const OVER_THE_BAR = "\r\u001b[2K";

/** Reads the configuration. Opens nothing. `level`: of what is logged where nobody says, and nobody looks on. */
export async function openConfig(io: Io, flags: EngineFlags, level = "info"): Promise<OpenedCommand> {
  const config = io.holding?.config ?? (await readConfig(flags, io.environment));
  const { noColor, connectTimeoutMs, requestTimeoutMs } = config;
  const atTerminal = io.stderr.isTTY === true;
  // At a terminal the command says itself what matters; log lines would tear its progress bar.
  const log = createLog(config.logLevel ?? (atTerminal ? "silent" : level));
  const say = (sentence: string): void => tell(io, noColor ? sentence : OVER_THE_BAR + sentence);
  // Where the log is not silent, it says the same.
  const saying = atTerminal && log.level === "silent" ? { say } : {};
  const reads = reportedReads(log, {
    // Whoever lets a single call take longer means it.
    withinMs: io.readsWithinMs ?? Math.max(READS_WITHIN_MS, connectTimeoutMs + requestTimeoutMs),
    patience: { spent: false },
    ...saying,
  });
  const turn = { withinMs: TURN_WITHIN_MS, signal: io.interrupts.drain };
  const interactive = atTerminal && flags.json !== true && !noColor;
  return { config, log, reads, interactive, turn, sharedEngine: io.holding?.engine, ...saying };
}

/** What opening feeds wants of a command. */
export function feedsDeps(io: Io, opened: Opened, scope: Scope): FeedsDeps {
  const { stdin, environment, interrupts } = io;
  const onNotOwned: FeedsDeps["onNotOwned"] = (notOwned) => {
    const owners = notOwned.map(({ attribute, owner }) => `${attribute} (${owner})`).join(", ");
    tell(io, `Left to the feeds that own them, as poolsync.yaml says: ${owners}.`);
  };
  return { ...opened, scope, stdin, environment, onNotOwned, signal: interrupts.drain };
}

/** `poolsync event send`: a sample, signed and sent as a feed's sender would. */
import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import type { Command } from "commander";
import { AppError } from "../../app/app-error.ts";
import { sendEvent } from "../../app/events/send-event.ts";
import { eventSecrets } from "../../config/config.ts";
import { ConfigError } from "../../config/config-error.ts";
import { SCHEMES, type Scheme } from "../../config/events.ts";
import { quoted } from "../../core/quoted.ts";
import { EXIT } from "../../exit-codes.ts";
import type { Context } from "../command.ts";
import type { Io } from "../io.ts";
import { openConfig, type EngineFlags } from "../opening.ts";
import { choice } from "../option-values.ts";

interface SendFlags extends EngineFlags {
  readonly feed: string;
  readonly scheme?: Scheme;
  readonly url?: string;
  readonly contentType?: string;
}

export function addEvent(program: Command, context: Context): void {
  const event = program
    .command("event")
    .description("Try what a feed's sender would send.")
    .addHelpText("after", "\nExamples:\n  $ poolsync event send --feed hr sample.json");
  event
    .command("send")
    .description("Sign a sample as the feed's sender does, send it, and print the answer.")
    .argument("<file>", "the body, sent as it is; `-` is standard input")
    .requiredOption(
      "--feed <name>",
      "the feed of poolsync.yaml: its `events` say how it is signed, and with which variable",
    )
    .option("--scheme <scheme>", "refuse to send unless this is the feed's scheme", choice("--scheme", SCHEMES))
    .option("--url <url>", "where to (default: /events/<feed> of the `ingest` that poolsync.yaml and environment mean)")
    .option("--content-type <type>", "another one than the sender's (application/json, for most)")
    .option("--config <file>", "configuration file (default: ./poolsync.yaml, if it is there)")
    .option("--json", "print one JSON document on stdout; logs go to stderr")
    .addHelpText(
      "after",
      `
Examples:
  $ poolsync event send --feed crm sample.json
  $ poolsync event send --scheme bamboohr --feed hr --url https://hooks.example.com hr.json
  $ echo '{"user":"ana","first":"Ana"}' | poolsync event send --feed crm - --json

The secret is read from the variable that the feed's \`secret\` names. A --url
without a path gets /events/<feed>. It is a real event: what it says is written.

Exit codes: 0 it was taken (2xx); 1 it was refused, or nobody answers;
64 wrong usage or configuration, or the secret is not set.`,
    )
    .action(context.act((file: string, flags: SendFlags) => send(context.io, file, flags)));
}

async function send(io: Io, file: string, flags: SendFlags): Promise<number> {
  const { config } = await openConfig(io, flags);
  const { feed } = flags;
  const setting = Object.hasOwn(config.feeds, feed) ? config.feeds[feed]?.events : undefined;
  if (setting?.scheme === undefined) {
    const names = Object.keys(config.feeds).filter((name) => config.feeds[name]?.events?.scheme !== undefined);
    const there = names.join(", ") || "none";
    throw wrong(
      "--feed",
      `Expected a feed of poolsync.yaml with \`events\` (there are: ${there}), got ${quoted(feed)}`,
    );
  }
  const { scheme } = setting;
  if (flags.scheme !== undefined && flags.scheme !== scheme) {
    throw wrong("--scheme", `Expected \`${scheme}\`, which is the scheme of feed ${feed}, got \`${flags.scheme}\``);
  }
  const { host, port } = config.ingest;
  // Who listens everywhere does so here.
  const near = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  const url = addressOf(flags.url ?? `http://${near.includes(":") ? `[${near}]` : near}:${port}`, feed);
  const body = file === "-" ? await buffer(io.stdin) : await readSample(file);
  const [secret] = eventSecrets(setting, io.environment);
  const { contentType } = flags;
  const answered = await sendEvent({ url, body, contentType, setting, secret, signal: io.interrupts.drain });
  const { status, answer, retryAfter } = answered;
  const address = `${url.origin}${url.pathname}`;
  if (flags.json === true) {
    const document = { feed, scheme, url: address, bytes: body.length, ...answered };
    io.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
  } else {
    const again = retryAfter === undefined ? "" : ` (send again after ${retryAfter} seconds)`;
    io.stdout.write(`Sent ${body.length} bytes to ${address} (${scheme}).\n`);
    io.stdout.write(`Answered ${status}${answer === "" ? "" : ` ${answer}`}${again}\n`);
  }
  return status >= 200 && status < 300 ? EXIT.done : EXIT.failed;
}

function wrong(path: string, message: string): ConfigError {
  return new ConfigError([{ path, message }]);
}

function addressOf(given: string, feed: string): URL {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
    throw wrong("--url", "Expected an address such as https://hooks.example.com/events/hr, without a user or password");
  }
  if (url.pathname === "/") url.pathname = `/events/${feed}`;
  return url;
}

async function readSample(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    const kind = code === "ENOENT" ? "missing" : code === "EISDIR" ? "directory" : "unreadable";
    throw new AppError(kind, `${quoted(file)} cannot be read (${code}): give the file with the event's body.`, {
      cause,
    });
  }
}

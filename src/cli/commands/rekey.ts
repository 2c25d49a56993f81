/** `poolsync rekey`: the keys of a namespace are wrapped by the POOLSYNC_KEY that is set. */
import type { Command } from "commander";
import { rekey, type Rekeyed } from "../../app/rekey.ts";
import { makeKeysAnew } from "../../app/rekey-digests.ts";
import { ConfigError } from "../../config/config-error.ts";
import type { PoolFlags } from "../../config/config.ts";
import { defined } from "../../core/defined.ts";
import { EXIT } from "../../exit-codes.ts";
import type { Context } from "../command.ts";
import { columnsOf } from "../io.ts";
import { engineOptions, openConfig, type EngineFlags } from "../opening.ts";
import { newKeysDocument, newKeysText } from "../../views/new-keys.ts";
import { indent } from "../../views/table.ts";

interface RekeyFlags extends EngineFlags, PoolFlags {
  readonly digests?: true;
  readonly withoutPool?: readonly string[];
}

export function addRekey(program: Command, context: Context): void {
  engineOptions(
    program
      .command("rekey")
      .description("Wrap the keys of the namespace by POOLSYNC_KEY, instead of POOLSYNC_KEY_PREVIOUS or none."),
  )
    .option("--digests", "after a leak: make new keys, and name and seal everything anew; nothing else runs meanwhile")
    .option("--without-pool <id...>", "with --digests: a pool that is no more, whose users are not looked for")
    .option("--region <region>", "with --digests: AWS Region of the user pools")
    .option("--endpoint-url <url>", "with --digests: another endpoint than Cognito's own, such as an emulator")
    .option("--profile <name>", "with --digests: profile of AWS's configuration files")
    .addHelpText(
      "after",
      `
Examples:
  $ POOLSYNC_KEY=$(cat new.key) poolsync rekey
  $ POOLSYNC_KEY=$(cat new.key) POOLSYNC_KEY_PREVIOUS=$(cat old.key) \\
      poolsync rekey
  $ POOLSYNC_KEY=$(cat new.key) POOLSYNC_KEY_PREVIOUS=$(cat old.key) \\
      poolsync rekey --digests

Values are not sealed anew: what seals them stays, and only what wraps it is
another. Workers go on. Keep the old key until no process is started with it.
Without Redis one process has the data directory: stop it first.

With --digests the keys themselves are others afterwards, and nothing that was
copied before opens what is kept then. Processes that run end, and none starts
until it is done; it reads every user of the pools. Cut, it goes on when it is
given again.`,
    )
    .action(context.act((flags: RekeyFlags) => runRekey(context, flags)));
}

async function runRekey({ io }: Context, flags: RekeyFlags): Promise<number> {
  const { withoutPool = [] } = flags;
  if (flags.digests === true) {
    const { region, profile, endpointUrl } = flags;
    const asked = { withoutPools: withoutPool, ...defined({ region, profile, endpointUrl }) };
    const made = await makeKeysAnew(await openConfig(io, flags), asked, io.interrupts.drain);
    if (flags.json === true) io.stdout.write(`${JSON.stringify(newKeysDocument(made), undefined, 2)}\n`);
    else io.stdout.write(newKeysText(made, columnsOf(io.stdout)));
    return EXIT.done;
  }
  if (withoutPool.length > 0)
    throw new ConfigError([{ path: "--without-pool", message: "Expected --digests with it" }]);
  const done = await rekey(await openConfig(io, flags), io.interrupts.drain);
  if (flags.json === true) {
    const document = done.is === "wrapped" ? { rekeyed: true, from: done.from } : { rekeyed: false };
    io.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
  } else io.stdout.write(indent("", doneText(done), columnsOf(io.stdout)));
  return EXIT.done;
}

function doneText(done: Rekeyed): string {
  if (done.is === "done before") return "Nothing to do: the keys of this namespace are wrapped by this POOLSYNC_KEY.";
  const now =
    done.from === "none"
      ? "The keys of this namespace lay in clear, and are wrapped by POOLSYNC_KEY now."
      : "The keys of this namespace are wrapped by POOLSYNC_KEY now, and no more by the previous one.";
  const since =
    done.from === "none" ? " Whoever copied the store before, or has a backup of it, has them all the same." : "";
  return `${now} Processes that run go on; start each from now on with this POOLSYNC_KEY.${since}`;
}

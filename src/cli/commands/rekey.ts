/** `poolsync rekey`: the keys of a namespace are wrapped by the POOLSYNC_KEY that is set. */
import type { Command } from "commander";
import { rekey, type Rekeyed } from "../../app/rekey.ts";
import { EXIT } from "../../exit-codes.ts";
import type { Context } from "../command.ts";
import { columnsOf } from "../io.ts";
import { engineOptions, openConfig, type EngineFlags } from "../opening.ts";
import { indent } from "../../views/table.ts";

export function addRekey(program: Command, context: Context): void {
  engineOptions(
    program
      .command("rekey")
      .description("Wrap the keys of the namespace by POOLSYNC_KEY, instead of POOLSYNC_KEY_PREVIOUS or none."),
  )
    .addHelpText(
      "after",
      `
Examples:
  $ POOLSYNC_KEY=$(cat new.key) poolsync rekey
  $ POOLSYNC_KEY=$(cat new.key) POOLSYNC_KEY_PREVIOUS=$(cat old.key) poolsync rekey

Values are not sealed anew: what seals them stays, and only what wraps it is
another. Workers go on. Keep the old key until no process is started with it.
Without Redis one process has the data directory: stop it first.`,
    )
    .action(context.act((flags: EngineFlags) => runRekey(context, flags)));
}

async function runRekey({ io }: Context, flags: EngineFlags): Promise<number> {
  const done = await rekey(await openConfig(io, flags));
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

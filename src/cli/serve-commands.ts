/** Runs commands for others in the process that has the data directory, with its engine, configuration and environment. */
import { PassThrough, Writable } from "node:stream";
import { failureOf, messageOf } from "../app/app-error.ts";
import type { Wire } from "../store/postgres/wire.ts";
import type { Context } from "./command.ts";
import type { Io, Output, Holding } from "./io.ts";
import { askerMessage, checkedRequest, type CommandRequest, type HolderMessage } from "./served-command.ts";

export interface ServedCommands {
  /** Interrupts what is under way, and waits until that has ended. */
  close(): Promise<void>;
}

/** Commands are told apart by whoever asks: see run-at-holder.ts. */
export function serveCommands(holding: Holding, environment: Io["environment"], run: Context["run"]): ServedCommands {
  const closing = new AbortController();
  const underWay = new Set<Promise<void>>();
  holding.engine.serve?.((message, wire) => {
    const serving = serve(message, wire).finally(() => underWay.delete(serving));
    underWay.add(serving);
  });

  async function serve(message: unknown, wire: Wire): Promise<void> {
    const send = (said: HolderMessage): void => wire.send(said);
    // Who comes late finds nobody who takes commands.
    if (closing.signal.aborted) return wire.end();
    try {
      const request = checkedRequest(message, holding.config);
      send({ accepted: true });
      const io = ioOf(request, wire, closing.signal);
      send({ exit: await run(request.argv, { ...io, holding, ...(environment && { environment }) }) });
    } catch (error) {
      send({ refused: messageOf(failureOf(error)) });
    } finally {
      wire.end();
    }
  }

  return {
    async close() {
      closing.abort();
      await Promise.all(underWay);
    },
  };
}

/** What the command reads and prints is the asker's, and so are its signals; one who is gone interrupts for good. */
function ioOf(request: CommandRequest, wire: Wire, closing: AbortSignal): Io {
  const { calledAs, stdin, stdout, stderr } = request;
  const interrupted = new AbortController();
  const typed = Object.assign(new PassThrough(), stdin);
  wire.onMessage((message) => {
    const said = askerMessage.safeParse(message).data;
    if (said === undefined) return;
    if ("typed" in said) typed.write(said.typed);
    else interrupted.abort();
  });
  return {
    stdin: typed,
    stdout: outputTo(stdout, (out) => wire.send({ out } satisfies HolderMessage)),
    stderr: outputTo(stderr, (err) => wire.send({ err } satisfies HolderMessage)),
    interrupts: { drain: AbortSignal.any([interrupted.signal, wire.closed, closing]), abort: wire.closed },
    ...(calledAs === undefined ? {} : { calledAs }),
  };
}

function outputTo(look: CommandRequest["stdout"], send: (text: string) => void): Output {
  const output = new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      send(String(chunk));
      done();
    },
  });
  const { isTTY, columns } = look;
  return Object.assign(output, { isTTY, ...(columns === undefined ? {} : { columns }) });
}

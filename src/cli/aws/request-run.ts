/** A command's requests, one or many: read, carried out in order, and each answered like a command of its own. */
import { EXIT } from "../exit-codes.ts";
import { reportFailure } from "../failure-report.ts";
import { columnsOf, tell, type Io } from "../io.ts";
import { answerText, checkAnswerFlags } from "./answer.ts";
import { readRequests } from "./records.ts";
import { recordInput, requestInput, type RequestInput } from "./request-input.ts";
import type { OneFlags } from "./request-options.ts";
import { inputSkeleton, outputSkeleton, type Operation } from "./skeleton.ts";
import { usageError } from "./usage-error.ts";

/** Carries a request out and answers what is printed. */
type CarryOut = (request: RequestInput) => Promise<string>;

/**
 * `open` opens what the requests need, and hands their carrying out to the function it is given. With `-` a request
 * that fails does not keep the next from being tried; the exit code then says that some failed.
 */
export async function runRequests(
  io: Io,
  operation: Operation,
  input: string | undefined,
  flags: OneFlags,
  open: (answerAll: (carryOut: CarryOut) => Promise<number>) => Promise<number>,
): Promise<number> {
  if (input !== undefined && input !== "-")
    throw usageError("Expected `-` for standard input, or nothing, got another word");
  const { generateCliSkeleton: skeleton } = flags;
  if (skeleton === true || skeleton === "input") {
    io.stdout.write(`${JSON.stringify(inputSkeleton(operation), undefined, 4)}\n`);
    return EXIT.done;
  }
  checkAnswerFlags(operation, flags);
  const said = requestInput(flags);
  if (skeleton === "output") {
    io.stdout.write(answerText(operation, outputSkeleton(operation), said, flags, columnsOf(io.stdout)));
    return EXIT.done;
  }
  if (input === undefined) {
    return open(async (carryOut) => {
      io.stdout.write(await carryOut(said));
      return EXIT.done;
    });
  }
  return open(async (carryOut) => {
    let failed = 0;
    for await (const { line, properties } of readRequests(io.stdin)) {
      io.interrupts.drain.throwIfAborted();
      try {
        io.stdout.write(await carryOut({ ...recordInput(properties), ...said }));
      } catch (error) {
        const { message, exitCode } = reportFailure(error);
        if (exitCode === EXIT.interrupted) throw error;
        failed += 1;
        tell(io, `Line ${line}: ${message}`);
      }
    }
    return failed === 0 ? EXIT.done : EXIT.partial;
  });
}

/** One user's path through poolsync, as one document. People's values are masked in it. */
import type { Sentence } from "../../core/sentence.ts";
import type { LetterView } from "../letters/letter-view.ts";
import type { NextCall } from "./next-delivery.ts";

export interface Explanation {
  readonly pool: {
    readonly id: string;
    readonly region: string;
    readonly ignoresCase: boolean;
    /** What people sign in with, beside the username. */
    readonly signIn: readonly string[];
    /** Whose old value stays until the person has confirmed the new one. */
    readonly heldUntilConfirmed: readonly string[];
  };
  /** The key under which logs and jobs speak of the user. */
  readonly user: string;
  readonly username: string;
  /** How the name that was given led to the user, and when it was asked. */
  readonly found: {
    readonly by: string;
    /** ISO 8601. */
    readonly at: string;
    /** Whose it was when poolsync asked before; absent where that was never, or it was the same. */
    readonly before?: { readonly username: string; readonly at?: string };
  };
  /** False where the pool could not be asked for the user: then `listed` says nothing. */
  readonly asked: boolean;
  /** As ListUsers shows the user, values masked; null where it does not. */
  readonly listed: { readonly status: string; readonly attributes: Readonly<Record<string, string>> } | null;
  readonly pending: readonly PendingUnit[];
  readonly ledger: readonly LedgerUnit[];
  readonly letters: readonly LetterView[];
  /** Of units that were not written the last outcome, where nothing was written since. */
  readonly exceptions: readonly ExceptionView[];
  /** For every alias that waits or is in a letter: who has it, verified where the pool's aliases are. Values masked. */
  readonly aliases: readonly AliasView[];
  /** What the next delivery would send; none while all of it is on hold. */
  readonly next: readonly NextCall[];
  readonly holds: readonly { readonly scope: string; readonly kind: string; readonly advice: string }[];
  /** What is in the way, or why nothing is, each a sentence. */
  readonly because: readonly (Sentence | string)[];
}

export interface LedgerUnit {
  readonly attribute: string;
  readonly version: string;
  /** False where nobody heard what became of its call, or where the value was found there and not written. */
  readonly known: boolean;
  /** What became of the change that was settled last; when and by which run, where that is known. */
  readonly outcome: "applied" | "unchanged" | "unresolved";
  readonly at?: string;
  readonly run?: string;
  /** Of the run: a feed's name or a file's. */
  readonly feed?: string;
  /** When and by which run poolsync made its last call of it, where what was settled last made none. */
  readonly written?: { readonly at: string; readonly run: string; readonly feed?: string };
  /** True where the pool holds another value than poolsync wrote; absent where that cannot be told. */
  readonly changedSince?: boolean;
  /** True where the account that poolsync wrote is no more: the username was made anew. */
  readonly formerAccount?: true;
}

/** A unit, or a whole row, that was not written. */
export interface ExceptionView {
  /** Blank where the whole row is meant. */
  readonly attribute: string;
  readonly kind: string;
  readonly reason: string;
  readonly run: string;
  readonly feed?: string;
  /** Of a file. */
  readonly line?: number;
  /** True where it is of an event; `record` is its number there. */
  readonly event?: true;
  readonly record?: number;
  readonly at: string;
}

export interface AliasView {
  readonly attribute: string;
  readonly value: string;
  /** Usernames. */
  readonly owners: readonly string[];
}

export interface PendingUnit {
  readonly attribute: string;
  /** Masked. */
  readonly value: string;
  readonly version: string;
  readonly run: string;
  readonly feed?: string;
  /** How the change named its person, where that was not the username. It is asked again whose that is before the call. */
  readonly namedBy?: string;
  /** When it was asked whose that name is. */
  readonly namedAt?: string;
  readonly attempts: number;
  readonly faults: number;
  readonly deaths: number;
  /** A process has it in hand until then. */
  readonly inHandUntil?: string;
  /** It waits until then. */
  readonly notBefore?: string;
  /** What its delivery would do now: `set`, `change`, `clear`, `rewrite`, `unchanged`, `awaiting`, or the letter it would be. */
  readonly would: string;
}
